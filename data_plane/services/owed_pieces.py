"""OwedPieces: does one piece of the work that a flow owes after a change of state, and knows when to give up.

Every piece may be repeated, and a call-back keeps its message id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import (
    ConnectorError,
    PeerRefusedError,
    PeerUnavailableError,
    PermanentError,
    TransientError,
)
from connector_spi.signaling import DataFlowState
from connector_spi.vault_access import vault_purpose
from data_plane.domain.credential_life import CredentialNeededError
from data_plane.domain.data_flow import PROVIDER_ROLES, DataFlow, DataFlowFailure, OwedWork
from data_plane.domain.data_flow_state_machine import DataFlowEvent, fire
from data_plane.ports.control_plane_client import ControlPlaneClient
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.object_journal import ObjectJournal
from data_plane.services.credential_intake import CredentialIntake
from data_plane.services.flow_on_wire import outcome_message, parked_message, readiness_message
from data_plane.services.flow_readiness import FlowReadiness
from data_plane.services.inbox_evidence import InboxEvidence
from data_plane.services.inbox_records import InboxRecords
from data_plane.services.registry import FactoryRegistry

_log = logging.getLogger(__name__)

PIECE_SECONDS: Final = 30.0
"""How long one attempt at one piece may take."""

_OUTCOMES: Final = frozenset({OwedWork.COMPLETED_CALLBACK, OwedWork.ERRORED_CALLBACK})
_ANNOUNCEMENTS: Final = frozenset({OwedWork.PREPARED_CALLBACK, OwedWork.STARTED_CALLBACK})
_CALLBACKS: Final = _OUTCOMES | _ANNOUNCEMENTS | {OwedWork.SUSPENDED_CALLBACK}
_NEVER_HOPELESS: Final = frozenset({OwedWork.SECRET_DELETION})
"""What only our own side has to mend, its vault and its settings."""

Settled = Callable[[DataFlow], DataFlow]
"""What to do to the flow once a piece is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long work is tried again that others do not let us do, counted from the flow's last change."""

    marker: timedelta
    """`.failed` at a destination that does not answer."""
    callback: timedelta
    """A call-back that the control plane does not take: no answer, or a refusal that may pass."""
    readiness: timedelta = timedelta(minutes=10)
    """What a flow needs before it is PREPARED or STARTED; then it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """How long call-backs are held back, because a control plane may not be ready for them."""

    after_answer: timedelta = timedelta(0)
    """`prepared` and `started`, counted from the message: the answer has to be there, and known to all, before."""
    after_start: timedelta = timedelta(0)
    """`completed` and `errored`, counted from the start: the other organisation has to have heard of that before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedPieces:
    """One for the process; holds nothing of any one flow."""

    control_plane: ControlPlaneClient
    sinks: FactoryRegistry[DataSinkFactory]
    readiness: FlowReadiness
    intake: CredentialIntake
    journal: ObjectJournal
    clock: Clock
    patience: Patience
    holds: Holds = field(default_factory=Holds)
    on_ready: Callable[[], None] = lambda: None
    """Told when a flow is ready that may have to be copied."""

    async def do(self, flow: DataFlow, work: OwedWork) -> DataFlow:
        """Try it once; the flow as it is to be saved: without this work when it is done, or in vain."""
        if self._is_held(flow, work):
            return flow
        pieces: Mapping[OwedWork, Callable[[DataFlow], Awaitable[Settled | None]]] = {
            OwedWork.READINESS: self._make_ready,
            OwedWork.PREPARED_CALLBACK: self._tell_prepared,
            OwedWork.STARTED_CALLBACK: self._tell_started,
            OwedWork.SUSPENDED_CALLBACK: self._tell_suspended,
            OwedWork.FAILED_MARKER: self._mark_failed,
            OwedWork.COMPLETED_CALLBACK: self._tell_completed,
            OwedWork.ERRORED_CALLBACK: self._tell_errored,
            OwedWork.INBOX_EVIDENCE: self._leave_evidence,
            OwedWork.DESTINATION_RELEASE: self._release_destination,
            OwedWork.ACCESS_END: self._end_access,
            OwedWork.SECRET_DELETION: self._delete_secrets,
            OwedWork.JOURNAL_DELETION: self._forget_journal,
        }
        try:
            async with asyncio.timeout(PIECE_SECONDS):
                change = await pieces[work](flow)
        except TimeoutError:
            return self._tried(flow, work, PeerUnavailableError("There was no answer in time."))
        except ConnectorError as error:
            return self._tried(flow, work, error)
        return (change or _as_it_is)(flow).settled(work, at=self.clock.now())

    def _tried(self, flow: DataFlow, work: OwedWork, error: ConnectorError) -> DataFlow:
        """After a failed attempt: the flow still owes the work, or it was the last one."""
        limit = self._limit_of(work)
        late = limit is not None and self.clock.now() - flow.updated_at > limit
        last = late or _is_hopeless(work, error)
        text = "owed work was given up" if last else "owed work is tried again"
        _log.log(logging.ERROR if last else logging.INFO, text, extra={"work": work.value, "reason": error.message})
        if not last:
            return flow
        if work is OwedWork.READINESS:
            return self._failed(flow, error)
        return flow.settled(work, at=self.clock.now())

    def _failed(self, flow: DataFlow, error: ConnectorError) -> DataFlow:
        now = self.clock.now()
        failure = DataFlowFailure(
            error.code, error.told_outside, retryable=isinstance(error, TransientError), remedy=error.told_inside
        )
        failed = replace(fire(flow, DataFlowEvent.FAIL, at=now), failure=failure)
        return failed.ended(OwedWork.ERRORED_CALLBACK, at=now)

    def _is_held(self, flow: DataFlow, work: OwedWork) -> bool:
        now = self.clock.now()
        if work in _ANNOUNCEMENTS:
            return now < flow.created_at + self.holds.after_answer
        if work in _OUTCOMES and flow.started_at is not None:
            return now < flow.started_at + self.holds.after_start
        return False

    def _limit_of(self, work: OwedWork) -> timedelta | None:
        """How long after the flow's last change the work is tried; None: without end, for an operator may help."""
        if work in {OwedWork.FAILED_MARKER, OwedWork.INBOX_EVIDENCE}:
            return self.patience.marker
        if work is OwedWork.READINESS:
            return self.patience.readiness
        return self.patience.callback if work in _CALLBACKS else None

    async def _make_ready(self, flow: DataFlow) -> Settled:
        ready = await self.readiness.ready(flow)
        await self.intake.keep(flow.id, ready.secrets)
        self.on_ready()
        provider = flow.role in PROVIDER_ROLES
        told = OwedWork.STARTED_CALLBACK if provider else OwedWork.PREPARED_CALLBACK
        return lambda _flow: ready.flow.owing(told, at=self.clock.now())

    async def _tell_prepared(self, flow: DataFlow) -> None:
        address = await self.readiness.issued_on_wire(flow)
        await self.control_plane.prepared(flow, readiness_message(flow, "prepared", address))

    async def _tell_started(self, flow: DataFlow) -> None:
        address = await self.readiness.issued_on_wire(flow)
        await self.control_plane.started(flow, readiness_message(flow, "started", address))

    async def _mark_failed(self, flow: DataFlow) -> None:
        if flow.failure is None:
            return
        async with self.sinks.of(flow.destination.type).open(flow) as sink:
            await sink.mark_failed(flow.failure)

    async def _tell_suspended(self, flow: DataFlow) -> None:
        if flow.state is not DataFlowState.SUSPENDED:
            # Resumed or ended meanwhile: the word would be out of date.
            return
        try:
            await self.control_plane.suspended(flow, parked_message(flow))
        except PeerRefusedError as error:
            _log.info("the control plane does not hear of parked flows", extra={"reason": error.message})

    async def _tell_completed(self, flow: DataFlow) -> None:
        await self.control_plane.completed(flow, outcome_message(flow, "completed"))

    async def _tell_errored(self, flow: DataFlow) -> None:
        await self.control_plane.errored(flow, outcome_message(flow, "errored"))

    async def _leave_evidence(self, flow: DataFlow) -> None:
        await InboxEvidence(self.sinks, InboxRecords(self.journal), self.readiness).leave(flow)

    async def _release_destination(self, flow: DataFlow) -> None:
        await self.readiness.release(flow)

    async def _end_access(self, flow: DataFlow) -> None:
        await self.readiness.end_access(flow)

    async def _delete_secrets(self, flow: DataFlow) -> None:
        with vault_purpose(f"clean up after data flow {flow.id}"):
            await self.intake.forget_all(flow)

    async def _forget_journal(self, flow: DataFlow) -> None:
        await self.journal.forget(flow.id)


def _as_it_is(flow: DataFlow) -> DataFlow:
    return flow


def _is_hopeless(work: OwedWork, error: ConnectorError) -> bool:
    """Whether trying again is in vain."""
    if work in _NEVER_HOPELESS:
        return False
    if work in _CALLBACKS:
        return isinstance(error, PeerRefusedError)
    # A marker needs the credential; once that has expired, nothing brings another one to a flow that has ended.
    return isinstance(error, PermanentError | CredentialNeededError)
