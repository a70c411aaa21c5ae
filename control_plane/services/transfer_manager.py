"""TransferProcessManager: takes one step with a leased transfer process.

A step first applies what waits in the inbox. If that, or a deadline, moved the process, the move is saved before
anything is done: the intent (the ...ING state and its message id) is on record before the act. Otherwise the step
acts through a port, repeatably under the process's id, and returns the process as the act left it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.errors import PermanentError, StoreUnavailableError, TransientError
from connector_spi.log_context import log_facts, redacted
from control_plane.domain.transfer_process import (
    ResourcePhase,
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import WAITING, TransferEvent, can_fire, fire
from control_plane.ports.pending_guard import PendingGuard
from control_plane.ports.stores import Leased
from control_plane.services.entity_loop import Step
from control_plane.services.patience import Patience
from control_plane.services.transfer_inbox import apply_inbox

_log = logging.getLogger(__name__)

Act = Callable[[TransferProcess], Awaitable[TransferProcess]]
Acts = Mapping[tuple[TransferProcessType, TransferProcessState], Act]
ResourceActs = Mapping[tuple[TransferProcessType, ResourcePhase], Act]

_S = TransferProcessState
_START: Final = (TransferProcessType.PROVIDER, _S.INITIAL)
_RESOURCE_WORK: Final = frozenset({ResourcePhase.REVOKING, ResourcePhase.DEPROVISIONING})


class TransferProcessManager:
    """Moves transfer processes on, one step at a time."""

    def __init__(
        self,
        *,
        acts: Acts,
        resource_acts: ResourceActs,
        patience: Patience,
        guard: PendingGuard[TransferProcess],
        clock: Clock,
    ) -> None:
        """`guard`: asked before a provider starts a transfer, the only step that is a decision."""
        self._acts = acts
        self._resource_acts = resource_acts
        self._patience = patience
        self._guard = guard
        self._clock = clock

    async def take_step(self, leased: Leased[TransferProcess]) -> Step[TransferProcess]:
        """One step; never raises for what ports are allowed to raise."""
        now = self._clock.now()
        before = leased.entity
        with log_facts(transfer_process_id=before.id, participant_id=before.participant_id):
            process, applied = apply_inbox(before, leased.inbox, now)
            process = self._expired(process, now)
            held = self._held(process)
            unmoved = (process.state, process.resources) == (before.state, before.resources)
            if unmoved and not held and _is_time(process, now):
                process = await self._act(process)
            process = self._settled(process)
            _log_move(before, process)
            due_at = process.deadline_at if held else _due_at(process, self._clock.now())
            if process.state is not before.state and len(applied) < len(leased.inbox):
                # A message that was too early for the state before may have its turn in this one.
                due_at = self._clock.now()
            return Step(process, applied, due_at)

    def _held(self, process: TransferProcess) -> bool:
        return (process.type, process.state) == _START and self._guard.holds(process)

    async def _act(self, process: TransferProcess) -> TransferProcess:
        act = self._acts.get((process.type, process.state))
        if act is None and process.resources in _RESOURCE_WORK:
            act = self._resource_acts.get((process.type, process.resources))
        if act is None:
            return process
        try:
            async with asyncio.timeout(self._patience.step_seconds):
                return await act(process)
        except StoreUnavailableError:
            raise
        except (TransientError, TimeoutError) as error:
            return self._retried(process, error)
        except PermanentError as error:
            return self._failed(process, error)
        except Exception as error:  # noqa: BLE001 - a defect is repeated with back-off, and ends at the state's deadline
            _log.exception("an attempt failed unexpectedly", extra={"state": process.shown_state})
            return self._retried(process, error)

    def abandoned(self, leased: Leased[TransferProcess], error: PermanentError) -> Step[TransferProcess]:
        """The step that ends a process whose last step can never be saved."""
        process = self._settled(self._failed(leased.entity, error))
        return Step(process, (), _due_at(process, self._clock.now()))

    def _retried(self, process: TransferProcess, error: Exception) -> TransferProcess:
        now = self._clock.now()
        _log.warning(
            "an attempt failed and will be repeated",
            extra={"state": process.shown_state, "attempt": process.attempt + 1, "error": redacted(str(error))},
        )
        return process.retried_at(self._patience.backoff.next_attempt(process.attempt, error, now), now)

    def _failed(self, process: TransferProcess, error: PermanentError) -> TransferProcess:
        now = self._clock.now()
        facts = {"state": process.shown_state, "code": error.code, "error": redacted(error.message)}
        if process.is_outcome:
            # The outcome stands; what is held is tried again later, for an operator may mend the cause.
            _log.warning("what the transfer holds cannot be removed now", extra=facts)
            return process.retried_at(self._patience.cleanup_backoff.next_attempt(process.attempt, error, now), now)
        _log.error("an attempt failed for good", extra=facts)
        reason = TransferError(
            code=error.code, message=redacted(error.told_outside), remedy=redacted(error.told_inside)
        )
        process = process.failed_with(reason)
        return _ended(process, now)

    def _expired(self, process: TransferProcess, now: datetime) -> TransferProcess:
        if process.is_outcome or process.deadline_at is None or process.deadline_at > now:
            return process
        seconds = (process.deadline_at - process.state_timestamp).total_seconds()
        _log.error("a state lasted too long", extra={"state": process.state.name, "limit_seconds": seconds})
        if process.state is _S.COMPLETING:
            # Everything is published and marked; the consumer sees that without being told.
            return fire(process, TransferEvent.FINISH_COMPLETION, at=now)
        reason = f"{process.state.name} lasted longer than the limit of {seconds:g} seconds."
        return _ended(process.failed_with(TransferError(code="DeadlineExceeded", message=reason)), now)

    def _settled(self, process: TransferProcess) -> TransferProcess:
        if process.is_outcome:
            return process
        if (process.type, process.state) in self._acts and process.message_id is None:
            # On record before anything is sent, so that a repetition has the same id.
            process = replace(process, message_id=f"urn:uuid:{uuid4()}")
        if process.deadline_at is None:
            process = process.with_deadline(self._patience.transfer_seconds[process.state])
        return process


def _ended(process: TransferProcess, now: datetime) -> TransferProcess:
    """On its way out by this side's decision; what was on its way out already is ended without further ado."""
    if can_fire(process, TransferEvent.TERMINATE):
        return fire(process, TransferEvent.TERMINATE, at=now)
    ended = fire(process, TransferEvent.FINISH_TERMINATION, at=now)
    # Its data plane may not know yet: that message is still owed, and sent while the transfer cleans up.
    return replace(ended, message_id=process.message_id) if process.data_plane_id is not None else ended


def _is_time(process: TransferProcess, now: datetime) -> bool:
    return process.next_attempt_at is None or process.next_attempt_at <= now


def _due_at(process: TransferProcess, now: datetime) -> datetime | None:
    if process.is_outcome:
        return (process.next_attempt_at or now) if process.resources in _RESOURCE_WORK else None
    if process.state in WAITING[process.type]:
        return process.deadline_at
    due_at = process.next_attempt_at or now
    return min(due_at, process.deadline_at) if process.deadline_at else due_at


def _log_move(before: TransferProcess, after: TransferProcess) -> None:
    if (before.state, before.resources) != (after.state, after.resources):
        _log.info(
            "transfer process moved",
            extra={
                "from_state": before.shown_state,
                "state": after.shown_state,
                "resources": after.resources.value,
                "side": after.type.value,
            },
        )
