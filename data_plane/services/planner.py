"""Planner: lists and checks every object of a flow and writes the plan into the journal, before the first byte.

The plan pins each object by its ETag for the whole transfer, over restarts too: what is added to the source later is
not copied, what changes or vanishes ends the flow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from connector_spi.errors import InvalidInputError
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import FlowFailedError, ObjectTooLargeError, SourceEmptyError
from data_plane.domain.object_copy import ObjectCopy, SourceObject, block_size_for
from data_plane.ports.data_flow_store import Lease
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.data_source import DataSource
from data_plane.ports.object_journal import ObjectJournal
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
        """Write the plan; safe to repeat from the start.

        Raises:
            FlowFailedError: an object's name or size is refused by the destination; names the object.
            SourceEmptyError: there is no object.
            PermanentError, TransientError: source or journal refused or did not answer.
        """
        await self.journal.clear(self.lease)
        self.meter.restart_listing()
        sequence = 0
        async for page in source.objects():
            copies = [
                self._planned(sequence + at, found, single=source.is_single) for at, found in enumerate(page, start=1)
            ]
            sequence += len(copies)
            await self.journal.record(self.lease, copies)
            self.meter.listed(len(copies), _size(page))
        if sequence == 0:
            raise SourceEmptyError("The source address matches no object, so there is nothing to transfer.")

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
