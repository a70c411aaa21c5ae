"""CopyEngine: plans a flow, copies its objects, and leaves the evidence."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Literal

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError, PermanentError
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import FlowFailedError
from data_plane.domain.object_copy import BLOCK_SIZES, CopyMode, CopyStatus, ObjectCopy
from data_plane.ports.data_flow_store import DataFlowStore, LeasedFlow
from data_plane.ports.data_sink import DataSink, DataSinkFactory
from data_plane.ports.data_source import DataSource, DataSourceFactory
from data_plane.ports.object_journal import ObjectJournal
from data_plane.services.bandwidth import Bandwidth
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.copy_context import CopyContext
from data_plane.services.copy_route import CopyRoute
from data_plane.services.drain import Drain
from data_plane.services.journal_writer import JournalWriter
from data_plane.services.object_copier import ObjectCopier
from data_plane.services.planner import Planner
from data_plane.services.progress_meter import ProgressMeter
from data_plane.services.registry import FactoryRegistry
from data_plane.services.request_pace import RequestPace
from data_plane.services.retry import Retrier
from data_plane.services.single_error import single_error

_log = logging.getLogger(__name__)

_UNPUBLISHED: Final = frozenset({CopyStatus.PLANNED, CopyStatus.COMMITTING})
_PUBLISHED: Final = frozenset({CopyStatus.PUBLISHED})
_ONE_CALL_BYTES: Final = max(BLOCK_SIZES.values())
_PAGE: Final = 500
"""Records that are read, and noted as being sent, at once."""
_UNRECORDED: Final = 4
"""Objects that are under way or wait for their record, in multiples of those under way. A crash, or a database that
stands still, has at most so many sent in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRules:
    """How much is under way at once, and what the operator wants. The byte budget limits it further."""

    max_objects: int
    """Objects of one flow that are under way at once."""
    max_blocks: int
    """Blocks of one object."""
    max_requests: int = 64
    """Requests of one flow; fewer while a service is too busy."""
    mode: CopyMode | None = None
    """How bytes travel; None: server-side where that works."""
    on_source_change: Literal["fail", "restart"] = "fail"
    flow_bytes_per_second: int = 0
    """Bandwidth of one flow; 0: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyEngine:
    """One for the process; holds what all flows share."""

    sources: FactoryRegistry[DataSourceFactory]
    sinks: FactoryRegistry[DataSinkFactory]
    store: DataFlowStore
    journal: ObjectJournal
    budget: ByteBudget
    bandwidth: Bandwidth
    """Of the whole process."""
    rules: CopyRules
    lease_seconds: float

    async def run(self, leased: LeasedFlow, meter: ProgressMeter, retried: Retrier) -> None:
        """Copy what is not published yet, then leave the evidence. Goes on after a crash where the journal says.

        Transient errors are retried without end: the caller sets the deadline.

        Raises:
            FlowFailedError: an object cannot be copied; names it.
            PermanentError: source or destination refused.
            LeaseLostError: another worker has the flow.
        """
        flow = leased.flow
        source_address = _source_of(flow)
        sources, sinks = self.sources.of(source_address.type), self.sinks.of(flow.destination.type)
        async with AsyncExitStack() as stack:
            source = await retried(lambda: stack.enter_async_context(sources.open(source_address)))
            sink = await retried(lambda: stack.enter_async_context(sinks.open(flow)))
            _log.info("the flow's source and destination are open")
            await self._plan(leased, source, sinks, meter, retried)
            _log.info("the flow is planned")
            copier = self._copier(leased, source, sink, meter, retried)
            await self._copy_objects(leased, copier, retried)
            await self._leave_evidence(leased, sink, meter, retried)

    async def _plan(
        self,
        leased: LeasedFlow,
        source: DataSource,
        sinks: DataSinkFactory,
        meter: ProgressMeter,
        retried: Retrier,
    ) -> None:
        flow, lease = leased.flow, leased.lease
        if not flow.counters.listing_complete:
            planner = Planner(flow, lease, self.journal, sinks, meter)
            await retried(lambda: planner.plan(source))
        meter.planned(await retried(lambda: self.journal.totals(flow.id)))
        # Durable before the first object is published: a plan that is made anew would forget what was published.
        await retried(lambda: self.store.renew(lease, meter.counters(), seconds=self.lease_seconds))

    async def _leave_evidence(self, leased: LeasedFlow, sink: DataSink, meter: ProgressMeter, retried: Retrier) -> None:
        flow, lease = leased.flow, leased.lease
        meter.evidence_begun()
        await retried(lambda: self.store.renew(lease, meter.counters(), seconds=self.lease_seconds))
        again = flow.counters.evidence_begun
        await retried(lambda: sink.mark_complete(self._records(flow.id, _PUBLISHED), again=again))

    def _copier(
        self, leased: LeasedFlow, source: DataSource, sink: DataSink, meter: ProgressMeter, retried: Retrier
    ) -> ObjectCopier:
        context = CopyContext(
            flow_id=leased.flow.id,
            source=source,
            sink=sink,
            journal=JournalWriter(self.journal, leased.lease),
            meter=meter,
            budget=self.budget,
            bandwidths=(Bandwidth(self.rules.flow_bytes_per_second), self.bandwidth),
            pace=RequestPace(self.rules.max_requests, monotonic=time.monotonic),
            retried=retried,
            max_blocks=self.rules.max_blocks,
        )

        async def keep(mode: CopyMode) -> None:
            meter.decided(mode)
            await retried(lambda: self.store.renew(leased.lease, meter.counters(), seconds=self.lease_seconds))

        decided = leased.flow.counters.copy_mode
        route = CopyRoute(context, wanted=self.rules.mode, decided=decided, keep=keep)
        return ObjectCopier(context, route, self.rules.on_source_change)

    async def _copy_objects(self, leased: LeasedFlow, copier: ObjectCopier, retried: Retrier) -> None:
        slots, drain = asyncio.Semaphore(self.rules.max_objects), Drain()
        unrecorded = asyncio.Semaphore(_UNRECORDED * self.rules.max_objects)
        with single_error():
            async with asyncio.TaskGroup() as group:
                async for page in self._pages(leased.flow.id, _UNPUBLISHED, retried):
                    await self._note_sending(leased, page, retried)
                    for copy in page:
                        await unrecorded.acquire()
                        await slots.acquire()
                        if drain.begun:
                            return
                        task = group.create_task(_copied(copier, copy, slots, drain))
                        task.add_done_callback(lambda _: unrecorded.release())

    async def _note_sending(self, leased: LeasedFlow, page: Sequence[ObjectCopy], retried: Retrier) -> None:
        """Before any of them is sent: objects that one call publishes leave no other trace of an unknown outcome."""
        small = [c.sequence for c in page if c.status is CopyStatus.PLANNED and c.source.size <= _ONE_CALL_BYTES]
        if small:
            await retried(lambda: self.journal.sending(leased.lease, small))

    async def _records(self, flow_id: str, statuses: frozenset[CopyStatus]) -> AsyncIterator[ObjectCopy]:
        async for page in self._pages(flow_id, statuses, None):
            for copy in page:
                yield copy

    async def _pages(
        self, flow_id: str, statuses: frozenset[CopyStatus], retried: Retrier | None
    ) -> AsyncIterator[Sequence[ObjectCopy]]:
        """The journal's records in these statuses, in order; memory holds one page."""
        after = 0

        async def page() -> Sequence[ObjectCopy]:
            return await self.journal.page(flow_id, statuses=statuses, after=after, limit=_PAGE)

        while records := await (retried(page) if retried else page()):
            yield records
            after = records[-1].sequence


async def _copied(copier: ObjectCopier, copy: ObjectCopy, slots: asyncio.Semaphore, drain: Drain) -> None:
    async with drain.sending():
        try:
            published = await copier.published(copy)
        except PermanentError as error:
            raise FlowFailedError.of(error, object_name=copy.source.name) from error
        finally:
            slots.release()
        await copier.record(published)


def _source_of(flow: DataFlow) -> DataAddress:
    if flow.source is None:
        raise InvalidInputError(field="metadata.source", value=None, problem="is missing")
    return flow.source
