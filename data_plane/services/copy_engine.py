"""CopyEngine: plans a flow, copies its objects, and leaves the evidence."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError, PermanentError
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import FlowFailedError
from data_plane.domain.object_copy import CopyStatus, ObjectCopy
from data_plane.ports.data_flow_store import DataFlowStore, LeasedFlow
from data_plane.ports.data_sink import DataSink, DataSinkFactory
from data_plane.ports.data_source import DataSource, DataSourceFactory
from data_plane.ports.object_journal import ObjectJournal
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.journal_writer import JournalWriter
from data_plane.services.object_copier import ObjectCopier
from data_plane.services.planner import Planner
from data_plane.services.progress_meter import ProgressMeter
from data_plane.services.registry import FactoryRegistry
from data_plane.services.retry import Retrier
from data_plane.services.single_error import single_error

_log = logging.getLogger(__name__)

_UNPUBLISHED: Final = frozenset({CopyStatus.PLANNED, CopyStatus.COMMITTING})
_PUBLISHED: Final = frozenset({CopyStatus.PUBLISHED})


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyLimits:
    """How much is under way at once. The byte budget, which all flows share, limits it further."""

    max_objects: int
    """Objects of one flow."""
    max_blocks: int
    """Blocks of one object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyEngine:
    """One for the process; holds what all flows share."""

    sources: FactoryRegistry[DataSourceFactory]
    sinks: FactoryRegistry[DataSinkFactory]
    store: DataFlowStore
    journal: ObjectJournal
    budget: ByteBudget
    limits: CopyLimits
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
            copier = ObjectCopier(
                flow_id=flow.id,
                source=source,
                sink=sink,
                journal=JournalWriter(self.journal, leased.lease),
                meter=meter,
                budget=self.budget,
                retried=retried,
                max_blocks=self.limits.max_blocks,
            )
            await self._copy_objects(flow, copier, retried)
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

    async def _copy_objects(self, flow: DataFlow, copier: ObjectCopier, retried: Retrier) -> None:
        slots = asyncio.Semaphore(self.limits.max_objects)
        with single_error():
            async with asyncio.TaskGroup() as group:
                async for copy in self._records(flow.id, _UNPUBLISHED, retried):
                    await slots.acquire()
                    task = group.create_task(_copied(copier, copy))
                    task.add_done_callback(lambda _: slots.release())

    async def _records(
        self, flow_id: str, statuses: frozenset[CopyStatus], retried: Retrier | None = None
    ) -> AsyncIterator[ObjectCopy]:
        """The journal's records in these statuses, in order; memory holds one page."""
        after = 0

        async def page() -> Sequence[ObjectCopy]:
            return await self.journal.page(flow_id, statuses=statuses, after=after)

        while records := await (retried(page) if retried else page()):
            for copy in records:
                yield copy
            after = records[-1].sequence


async def _copied(copier: ObjectCopier, copy: ObjectCopy) -> None:
    try:
        await copier.copy(copy)
    except PermanentError as error:
        raise FlowFailedError.of(error, object_name=copy.source.name) from error


def _source_of(flow: DataFlow) -> DataAddress:
    if flow.source is None:
        raise InvalidInputError(field="metadata.source", value=None, problem="is missing")
    return flow.source
