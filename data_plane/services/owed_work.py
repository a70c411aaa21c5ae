"""OwedWorkLoop: does what is still owed after a flow's state has changed, again and again until it is done.

What is owed is persisted with the change of state, so a crash loses nothing and some of it may be done twice: every
piece may be repeated, and a call-back keeps its message id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from connector_spi.clock import Clock
from connector_spi.errors import ConnectorError, PeerRefusedError, PermanentError, TransientError
from connector_spi.log_context import log_facts
from connector_spi.signaling import DataFlowError, DataFlowState, DataFlowStatusMessage
from connector_spi.vault import Vault
from data_plane.domain.data_flow import DataFlow, OwedWork
from data_plane.ports.control_plane_client import ControlPlaneClient
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.services.progress_meter import progress_of
from data_plane.services.registry import FactoryRegistry
from data_plane.services.retry import Backoff
from data_plane.services.wake_up import WakeUp

_log = logging.getLogger(__name__)

_CLAIM: Final = timedelta(seconds=60)
"""How long other workers leave a flow's owed work to the one that has begun it."""
_PIECE_SECONDS: Final = 30.0
_FLOWS_AT_ONCE: Final = 16
_NEEDS_SECRETS: Final = frozenset({OwedWork.FAILED_MARKER, OwedWork.DESTINATION_RELEASE})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedWorkLoop:
    """One per process; several processes may run on one database."""

    store: DataFlowStore
    control_plane: ControlPlaneClient
    sinks: FactoryRegistry[DataSinkFactory]
    preparers: FactoryRegistry[DestinationPreparer]
    vault: Vault
    clock: Clock
    backoff: Backoff
    poll_seconds: float
    marker_patience: timedelta
    """How long `.failed` is tried at a destination that does not answer."""
    wake_up: WakeUp

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.round()
            except TransientError as error:
                _log.warning("owed work has to wait", extra={"reason": error.message})
            await self.wake_up.wait(self.poll_seconds)

    async def round(self) -> None:
        """Do once whatever is due."""
        due = await self.store.with_owed_work(at=self.clock.now(), limit=_FLOWS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for flow in due:
                group.create_task(self._guarded(flow))
        if len(due) == _FLOWS_AT_ONCE:
            self.wake_up.set()

    async def _guarded(self, flow: DataFlow) -> None:
        with log_facts(data_flow_id=flow.id, participant_id=flow.participant_id):
            try:
                await self._settle(flow)
            except TransientError as error:
                _log.info("owed work was not recorded as done", extra={"reason": error.message})
            except Exception:  # noqa: BLE001 - a defect with one flow must not stop the others
                # Its claim runs out, and it is tried again.
                _log.exception("owed work failed unexpectedly")

    async def _settle(self, due: DataFlow) -> None:
        flow = await self.store.save(due.postponed(until=self.clock.now() + _CLAIM))
        for work in flow.owed:
            if work is OwedWork.SECRET_DELETION and _NEEDS_SECRETS.intersection(flow.owed):
                continue
            if await self._done(flow, work):
                flow = flow.settled(work, at=self.clock.now())
        if flow.owed:
            wait = self.backoff.delay(due.attempt)
            flow = replace(flow, attempt=due.attempt + 1, next_attempt_at=self.clock.now() + timedelta(seconds=wait))
        await self.store.save(flow)

    async def _done(self, flow: DataFlow, work: OwedWork) -> bool:
        """Whether this piece needs no more attempts."""
        pieces: Mapping[OwedWork, Callable[[DataFlow], Awaitable[None]]] = {
            OwedWork.FAILED_MARKER: self._mark_failed,
            OwedWork.COMPLETED_CALLBACK: self._tell_completed,
            OwedWork.ERRORED_CALLBACK: self._tell_errored,
            OwedWork.DESTINATION_RELEASE: self._release_destination,
            OwedWork.SECRET_DELETION: self._delete_secrets,
        }
        try:
            async with asyncio.timeout(_PIECE_SECONDS):
                await pieces[work](flow)
        except TimeoutError:
            return self._given_up(flow, work, "no answer in time", hopeless=False)
        except ConnectorError as error:
            return self._given_up(flow, work, error.message, hopeless=_is_hopeless(work, error))
        return True

    def _given_up(self, flow: DataFlow, work: OwedWork, reason: str, *, hopeless: bool) -> bool:
        """Log the failed attempt; whether it was the last one."""
        late = self.clock.now() - flow.updated_at > self.marker_patience
        last = hopeless or (work is OwedWork.FAILED_MARKER and late)
        text = "owed work was given up" if last else "owed work is tried again"
        _log.log(logging.ERROR if last else logging.INFO, text, extra={"work": work.value, "reason": reason})
        return last

    async def _mark_failed(self, flow: DataFlow) -> None:
        if flow.failure is None:
            return
        async with self.sinks.of(flow.destination.type).open(flow) as sink:
            await sink.mark_failed(flow.failure)

    async def _tell_completed(self, flow: DataFlow) -> None:
        await self.control_plane.completed(flow.callback_base, flow.id, _message(flow, "completed"))

    async def _tell_errored(self, flow: DataFlow) -> None:
        await self.control_plane.errored(flow.callback_base, flow.id, _message(flow, "errored"))

    async def _release_destination(self, flow: DataFlow) -> None:
        await self.preparers.of(flow.destination.type).release(
            flow.id, flow.destination, delivered=flow.state is DataFlowState.COMPLETED
        )

    async def _delete_secrets(self, flow: DataFlow) -> None:
        for alias in flow.vault_aliases:
            await self.vault.delete(alias)


def _is_hopeless(work: OwedWork, error: ConnectorError) -> bool:
    """Whether trying again is in vain: what only our own side has to mend (its vault, its settings) is not."""
    if work is OwedWork.SECRET_DELETION:
        return False
    if work in {OwedWork.COMPLETED_CALLBACK, OwedWork.ERRORED_CALLBACK}:
        return isinstance(error, PeerRefusedError)
    return isinstance(error, PermanentError)


def _message(flow: DataFlow, kind: str) -> DataFlowStatusMessage:
    failure = failure_on_wire(flow)
    return DataFlowStatusMessage(
        message_id=str(uuid5(NAMESPACE_URL, f"data-flow:{flow.id}:{kind}")),
        data_flow_id=flow.id,
        state=flow.state,
        error=None if failure is None else f"{failure.code}: {failure.message}",
        progress=progress_of(flow.counters),
        failure=failure,
    )


def failure_on_wire(flow: DataFlow) -> DataFlowError | None:
    """Why the flow failed, for the wire; None when it did not."""
    failure = flow.failure
    if failure is None:
        return None
    return DataFlowError(
        code=failure.code,
        message=failure.message[:4000],
        object_name=failure.object_name,
        retryable=failure.retryable,
    )
