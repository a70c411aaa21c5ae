"""Planner: lists and checks every object of a flow and writes the plan into the journal, before the first byte.

The plan pins each object by its ETag for the whole transfer, over restarts too: what is added to the source later is
not copied, what changes or vanishes ends the flow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from connector_spi.errors import InvalidInputError
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import (
    FlowFailedError,
    ListingPositionLostError,
    ObjectTooLargeError,
    SourceEmptyError,
)
from data_plane.domain.object_copy import ObjectCopy, SourceObject, block_size_for
from data_plane.ports.data_flow_store import Lease
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.data_source import DataSource
from data_plane.ports.object_journal import ObjectJournal, PlannedSoFar
from data_plane.services.progress_meter import ProgressMeter


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans one flow; memory holds one page of the listing."""

    flow: DataFlow
    lease: Lease
    journal: ObjectJournal
    sinks: DataSinkFactory
    meter: ProgressMeter

    async def plan(self, source: DataSource) -> None:
        """Write the plan; goes on after the last page that the journal holds.

        Raises:
            FlowFailedError: an object's name or size is refused by the destination; names the object.
            SourceEmptyError: there is no object.
            PermanentError, TransientError: source or journal refused or did not answer.
        """
        planned = await self.journal.planned(self.flow.id)
        if planned.objects and planned.position is None:
            # The last page is there, or a source that cannot go on in the middle: only its listing can tell which.
            await self.journal.clear(self.lease)
            planned = PlannedSoFar()
        self.meter.restart_listing()
        if planned.objects:
            so_far = await self.journal.totals(self.flow.id)
            self.meter.listed(so_far.objects, so_far.bytes)
        try:
            sequence = await self._list(source, planned)
        except ListingPositionLostError:
            await self.journal.clear(self.lease)
            self.meter.restart_listing()
            sequence = await self._list(source, PlannedSoFar())
        if sequence == 0:
            raise SourceEmptyError("The source address matches no object, so there is nothing to transfer.")

    async def _list(self, source: DataSource, planned: PlannedSoFar) -> int:
        """Write the pages after those that are planned; returns the number of objects."""
        sequence = planned.objects
        async for page in source.objects(after=planned.position):
            copies = [
                self._planned(sequence + at, found, single=source.is_single)
                for at, found in enumerate(page.objects, start=1)
            ]
            sequence += len(copies)
            await self.journal.plan(self.lease, copies, position=page.position)
            self.meter.listed(len(copies), _size(page.objects))
        return sequence

    def _planned(self, sequence: int, found: SourceObject, *, single: bool) -> ObjectCopy:
        try:
            name = self.sinks.destination_name(self.flow, found, single=single)
            block_size_for(found.size)
        except InvalidInputError as error:
            raise FlowFailedError.of(error, object_name=found.name) from error
        except ValueError as error:
            raise FlowFailedError.of(ObjectTooLargeError(str(error)), object_name=found.name) from error
        return ObjectCopy(self.flow.id, sequence, found, name)


def _size(page: Sequence[SourceObject]) -> int:
    return sum(found.size for found in page)
