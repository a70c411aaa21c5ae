"""StatusChecker: the consumer looks for the marker of every running transfer, and asks how far it is.

One sweep goes over all consumer processes that wait for data. What it finds becomes a message in the process's inbox,
under a fixed id: however many replicas sweep, the finding is applied once, by whoever holds the lease. A look may take
long (a million objects are listed), so sweeps may overlap, and no process is looked at twice at once.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connector_spi.clock import Clock
from connector_spi.errors import InvalidTransitionError, PermanentError, StoreUnavailableError, TransientError
from connector_spi.log_context import log_facts, redacted
from control_plane.domain.completion_proof import leaves_marker
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.domain.transfer_process import TransferError, TransferProcess, TransferProcessState
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.completion_evidence import Arrived, CompletionEvidence, Failed, Pending, Refused
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.transfer_inbox import RECEIPT, accepting

_log = logging.getLogger(__name__)

_PAGE: Final = 200
_PARALLEL: Final = 8
_INTERVAL_CAP_SECONDS: Final = 60.0
_AGE_SHARE: Final = 0.02
"""A transfer that has run for a day is looked at each minute, a new one at every sweep."""
_S = TransferProcessState
_LOOKED_AT: Final = (
    _S.REQUESTED,
    _S.STARTED,
    _S.COMPLETING_REQUESTED,
    # Data that was under way when somebody paused may have arrived all the same.
    _S.SUSPENDING,
    _S.SUSPENDING_REQUESTED,
    _S.SUSPENDED,
    _S.RESUMING,
    _S.RESUMED,
)
_WAITING: Final = (
    Criterion(operand_left="type", operator="=", operand_right="CONSUMER"),
    Criterion(operand_left="state", operator="in", operand_right=[state.name for state in _LOOKED_AT]),
)


class StatusChecker:
    """Looks at the evidence of running transfers; APScheduler calls `sweep`."""

    def __init__(
        self,
        *,
        processes: TransferProcessStore,
        evidence: CompletionEvidence,
        client: DataspaceClient,
        clock: Clock,
        interval_seconds: float,
    ) -> None:
        self._processes = processes
        self._evidence = evidence
        self._client = client
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._next_look: dict[str, datetime] = {}
        self._under_way: set[str] = set()

    async def sweep(self) -> None:
        """Look once at every process whose turn it is; never raises for what ports are allowed to raise."""
        try:
            now = self._clock.now()
            seen: set[str] = set()
            async for page in self._pages():
                seen.update(process.id for process in page)
                await self._look_at([p for p in page if self._next_look.get(p.id, now) <= now])
            self._next_look = {key: value for key, value in self._next_look.items() if key in seen}
        except StoreUnavailableError:
            _log.warning("the sweep for markers was cut short: the store does not answer")

    async def _pages(self) -> AsyncIterator[list[TransferProcess]]:
        offset = 0
        while page := await self._processes.query(QuerySpec(offset=offset, limit=_PAGE, criteria=_WAITING)):
            yield page
            offset += len(page)

    async def _look_at(self, processes: Sequence[TransferProcess]) -> None:
        slots = asyncio.Semaphore(_PARALLEL)

        async def one(process: TransferProcess) -> None:
            async with slots:
                if process.id in self._under_way:
                    return
                self._under_way.add(process.id)
                try:
                    with log_facts(transfer_process_id=process.id, participant_id=process.participant_id):
                        await self._look(process)
                except Exception:  # noqa: BLE001 - a defect in one look must not blind the consumer for the others
                    _log.exception("a look failed unexpectedly", extra={"transfer_process_id": process.id})
                finally:
                    self._under_way.discard(process.id)

        async with asyncio.TaskGroup() as looks:
            for process in processes:
                looks.create_task(one(process))

    async def _look(self, process: TransferProcess) -> None:
        if process.placement is not None and process.placement.position is not None:
            return  # seen already: what arrived is being moved
        now = self._clock.now()
        age = (now - process.state_timestamp).total_seconds()
        wait = min(max(self._interval_seconds, age * _AGE_SHARE), _INTERVAL_CAP_SECONDS)
        self._next_look[process.id] = now + timedelta(seconds=wait)
        try:
            match await self._evidence.look(process) if leaves_marker(process) else Pending():
                case Arrived() as arrived:
                    await self._note_arrival(process, arrived)
                    await self._processes.record_progress(process.id, arrived.progress)
                case Failed(error):
                    await self._note_failure(process, TransferEvent.TERMINATE_BY_COUNTERPARTY, error)
                case Refused(error):
                    await self._note_failure(process, TransferEvent.TERMINATE, error)
                case Pending():
                    await self._note_progress(process)
        except TransientError as error:
            _log.warning(
                "a look at the destination failed and will be repeated",
                extra={"transfer_process_id": process.id, "error": redacted(str(error))},
            )
        except PermanentError as error:
            # The process's own deadline ends it if this does not mend; a provider's message may still come.
            _log.error(
                "the destination cannot be looked at",
                extra={"transfer_process_id": process.id, "code": error.code, "error": redacted(error.message)},
            )

    async def _note_progress(self, process: TransferProcess) -> None:
        if process.state is not TransferProcessState.STARTED:
            return
        try:
            progress = await self._client.fetch_progress(process)
        except (TransientError, PermanentError):
            # Progress is a courtesy of the counterparty; the marker is what counts.
            return
        if progress is not None and progress != process.progress:
            await self._processes.record_progress(process.id, progress)

    async def _note_arrival(self, process: TransferProcess, arrived: Arrived) -> None:
        # Data that is there proves that the transfer had started, should the start message have been lost.
        staged = process.placement is not None
        events = [TransferEvent.ARRIVE if staged else TransferEvent.COMPLETE_BY_EVIDENCE]
        if process.state is TransferProcessState.REQUESTED:
            events.insert(0, TransferEvent.START)
        checked = {RECEIPT: arrived.receipt.document} if staged and arrived.receipt else {}
        for event in events:
            await self._append(process, event, checked if event is TransferEvent.ARRIVE else {})

    async def _note_failure(self, process: TransferProcess, event: TransferEvent, error: TransferError) -> None:
        await self._append(process, event, error.document)

    async def _append(self, process: TransferProcess, event: TransferEvent, payload: dict[str, Any]) -> None:
        note = InboxMessage(
            id=f"evidence-{event.value}", kind=event.value, payload=payload, received_at=self._clock.now()
        )
        try:
            await self._processes.append(process.id, note, accepting(event))
        except InvalidTransitionError:
            # A message of the counterparty was quicker.
            return
