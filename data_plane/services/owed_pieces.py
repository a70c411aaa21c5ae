"""OwedPieces: does one piece of the work that a flow owes once it has its outcome, and knows when to give up.

Every piece may be repeated, and a call-back keeps its message id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import ConnectorError, PeerRefusedError, PermanentError
from connector_spi.signaling import DataFlowState
from connector_spi.vault import Vault
from data_plane.domain.data_flow import DataFlow, OwedWork
from data_plane.ports.control_plane_client import ControlPlaneClient
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.ports.object_journal import ObjectJournal
from data_plane.services.flow_on_wire import outcome_message
from data_plane.services.registry import FactoryRegistry

_log = logging.getLogger(__name__)

PIECE_SECONDS: Final = 30.0
"""How long one attempt at one piece may take."""

_CALLBACKS: Final = frozenset({OwedWork.COMPLETED_CALLBACK, OwedWork.ERRORED_CALLBACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long work is tried again that others do not let us do, counted from the flow's outcome."""

    marker: timedelta
    """`.failed` at a destination that does not answer."""
    callback: timedelta
    """A call-back that the control plane does not take: no answer, or a refusal that may pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedPieces:
    """One for the process; holds nothing of any one flow."""

    control_plane: ControlPlaneClient
    sinks: FactoryRegistry[DataSinkFactory]
    preparers: FactoryRegistry[DestinationPreparer]
    journal: ObjectJournal
    vault: Vault
    clock: Clock
    patience: Patience

    async def do(self, flow: DataFlow, work: OwedWork) -> bool:
        """Try it once; whether it needs no more attempts, because it is done or in vain."""
        pieces: Mapping[OwedWork, Callable[[DataFlow], Awaitable[None]]] = {
            OwedWork.FAILED_MARKER: self._mark_failed,
            OwedWork.COMPLETED_CALLBACK: self._tell_completed,
            OwedWork.ERRORED_CALLBACK: self._tell_errored,
            OwedWork.DESTINATION_RELEASE: self._release_destination,
            OwedWork.SECRET_DELETION: self._delete_secrets,
            OwedWork.JOURNAL_DELETION: self._forget_journal,
        }
        try:
            async with asyncio.timeout(PIECE_SECONDS):
                await pieces[work](flow)
        except TimeoutError:
            return self._given_up(flow, work, "no answer in time", hopeless=False)
        except ConnectorError as error:
            return self._given_up(flow, work, error.message, hopeless=_is_hopeless(work, error))
        return True

    def _given_up(self, flow: DataFlow, work: OwedWork, reason: str, *, hopeless: bool) -> bool:
        """Log the failed attempt; whether it was the last one."""
        limit = self._limit_of(work)
        last = hopeless or (limit is not None and self.clock.now() - flow.updated_at > limit)
        text = "owed work was given up" if last else "owed work is tried again"
        _log.log(logging.ERROR if last else logging.INFO, text, extra={"work": work.value, "reason": reason})
        return last

    def _limit_of(self, work: OwedWork) -> timedelta | None:
        """How long after the outcome the work is tried; None: without end, for an operator may mend the cause."""
        if work is OwedWork.FAILED_MARKER:
            return self.patience.marker
        return self.patience.callback if work in _CALLBACKS else None

    async def _mark_failed(self, flow: DataFlow) -> None:
        if flow.failure is None:
            return
        async with self.sinks.of(flow.destination.type).open(flow) as sink:
            await sink.mark_failed(flow.failure)

    async def _tell_completed(self, flow: DataFlow) -> None:
        await self.control_plane.completed(flow.callback_base, flow.id, outcome_message(flow, "completed"))

    async def _tell_errored(self, flow: DataFlow) -> None:
        await self.control_plane.errored(flow.callback_base, flow.id, outcome_message(flow, "errored"))

    async def _release_destination(self, flow: DataFlow) -> None:
        await self.preparers.of(flow.destination.type).release(
            flow.id, flow.destination, delivered=flow.state is DataFlowState.COMPLETED
        )

    async def _delete_secrets(self, flow: DataFlow) -> None:
        for alias in flow.vault_aliases:
            await self.vault.delete(alias)

    async def _forget_journal(self, flow: DataFlow) -> None:
        await self.journal.forget(flow.id)


def _is_hopeless(work: OwedWork, error: ConnectorError) -> bool:
    """Whether trying again is in vain: what only our own side has to mend (its vault, its settings) is not."""
    if work is OwedWork.SECRET_DELETION:
        return False
    if work in _CALLBACKS:
        return isinstance(error, PeerRefusedError)
    return isinstance(error, PermanentError)
