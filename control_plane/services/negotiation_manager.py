"""ContractNegotiationManager: takes one step with a leased negotiation.

As with transfers, a move that a message caused is saved before anything is done, and every act may be repeated.
"""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.errors import PermanentError, StoreUnavailableError, TransientError
from connector_spi.log_context import log_facts, redacted
from control_plane.domain.contract_negotiation import (
    NEGOTIATION_DECISIONS,
    NEGOTIATION_SENDING,
    NEGOTIATION_WAITING,
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    fire_negotiation,
)
from control_plane.ports.pending_guard import PendingGuard
from control_plane.ports.stores import Leased
from control_plane.services.entity_loop import Step
from control_plane.services.negotiation_acts import Act, Acts, ended
from control_plane.services.negotiation_inbox import apply_inbox
from control_plane.services.patience import Patience

_log = logging.getLogger(__name__)

_DEADLINE: Final = "DeadlineExceeded"


class ContractNegotiationManager:
    """Moves negotiations on, one step at a time."""

    def __init__(
        self, *, acts: Acts, patience: Patience, guard: PendingGuard[ContractNegotiation], clock: Clock
    ) -> None:
        """`guard`: asked in each state in which this side decides."""
        self._acts = acts
        self._guard = guard
        self._patience = patience
        self._clock = clock

    async def take_step(self, leased: Leased[ContractNegotiation]) -> Step[ContractNegotiation]:
        """One step; never raises for what ports are allowed to raise."""
        now = self._clock.now()
        before = leased.entity
        with log_facts(negotiation_id=before.id, participant_id=before.participant_id):
            negotiation, applied = apply_inbox(before, leased.inbox, now)
            negotiation = self._expired(negotiation, now)
            if negotiation.state is before.state:
                negotiation = await self._gone_on(negotiation, now)
            negotiation = self._settled(negotiation)
            if negotiation.state is not before.state:
                _log.info(
                    "negotiation moved",
                    extra={"from_state": before.state.name, "state": negotiation.state.name, "side": before.type.value},
                )
            due_at = self._due_at(negotiation)
            if negotiation.state is not before.state and len(applied) < len(leased.inbox):
                # A message that was too early for the state before may have its turn in this one.
                due_at = self._clock.now()
            return Step(negotiation, applied, due_at)

    def abandoned(self, leased: Leased[ContractNegotiation], error: PermanentError) -> Step[ContractNegotiation]:
        """The step that ends a negotiation whose last step can never be saved."""
        negotiation = self._settled(self._failed(replace(leased.entity, agreement=None), error))
        return Step(negotiation, leased.inbox, self._due_at(negotiation))

    async def _gone_on(self, negotiation: ContractNegotiation, now: datetime) -> ContractNegotiation:
        """The negotiation after its own act, if it has one, its time has come, and nobody has to decide first."""
        act = self._acts.get((negotiation.type, negotiation.state))
        if act is None or (negotiation.next_attempt_at is not None and negotiation.next_attempt_at > now):
            return negotiation
        if negotiation.state in NEGOTIATION_DECISIONS[negotiation.type] and self._guard.holds(negotiation):
            return replace(negotiation, pending=True)
        return await self._tried(act, negotiation)

    async def _tried(self, act: Act, negotiation: ContractNegotiation) -> ContractNegotiation:
        try:
            async with asyncio.timeout(self._patience.step_seconds):
                return await act(negotiation)
        except StoreUnavailableError:
            raise
        except (TransientError, TimeoutError) as error:
            return self._retried(negotiation, error)
        except PermanentError as error:
            return self._failed(negotiation, error)
        except Exception as error:  # noqa: BLE001 - a defect is repeated with back-off, and ends at the state's deadline
            _log.exception("an attempt failed unexpectedly", extra={"state": negotiation.state.name})
            return self._retried(negotiation, error)

    def _retried(self, negotiation: ContractNegotiation, error: Exception) -> ContractNegotiation:
        now = self._clock.now()
        _log.warning(
            "an attempt failed and will be repeated",
            extra={"state": negotiation.state.name, "error": redacted(str(error))},
        )
        return negotiation.retried_at(self._patience.backoff.next_attempt(negotiation.attempt, error, now), now)

    def _failed(self, negotiation: ContractNegotiation, error: PermanentError) -> ContractNegotiation:
        facts = {"state": negotiation.state.name, "code": error.code, "error": redacted(error.message)}
        _log.error("an attempt failed for good", extra=facts)
        return ended(negotiation, error.code, redacted(error.told_outside), at=self._clock.now())

    def _expired(self, negotiation: ContractNegotiation, now: datetime) -> ContractNegotiation:
        if negotiation.is_outcome or negotiation.deadline_at is None or negotiation.deadline_at > now:
            return negotiation
        if negotiation.state is NegotiationState.FINALIZING:
            # The consumer may have heard it, and only its answer was lost: what was said binds this side.
            return fire_negotiation(negotiation, NegotiationEvent.FINISH_FINALIZATION, at=now)
        seconds = (negotiation.deadline_at - negotiation.state_timestamp).total_seconds()
        reason = f"{negotiation.state.name} lasted longer than the limit of {seconds:g} seconds."
        return ended(negotiation, _DEADLINE, reason, at=now)

    def _settled(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        if negotiation.is_outcome:
            return negotiation
        if negotiation.state in NEGOTIATION_SENDING and negotiation.message_id is None:
            # On record before anything is sent, so that a repetition has the same id.
            negotiation = replace(negotiation, message_id=f"urn:uuid:{uuid4()}")
        if negotiation.deadline_at is None:
            negotiation = negotiation.with_deadline(self._patience.negotiation_seconds[negotiation.state])
        return negotiation

    def _due_at(self, negotiation: ContractNegotiation) -> datetime | None:
        if negotiation.is_outcome:
            return None
        if negotiation.pending or negotiation.state in NEGOTIATION_WAITING[negotiation.type]:
            return negotiation.deadline_at
        due_at = negotiation.next_attempt_at or self._clock.now()
        return min(due_at, negotiation.deadline_at) if negotiation.deadline_at else due_at
