"""While the journal cannot be written, only so many objects are sent; a crash then sends no more than those again."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from connector_spi.errors import StoreUnavailableError
from data_plane.adapters.memory_data_flow_store import MemoryObjectJournal
from data_plane.domain.object_copy import CopyStatus, ObjectCopy
from data_plane.ports.data_flow_store import Lease
from data_plane.services.copy_engine import CopyRules
from tests.eventually import eventually
from tests.unit.data_plane.engine import EngineInMemory
from tests.unit.data_plane.fakes import MemorySource


class FullJournal(MemoryObjectJournal):
    """A journal with no room for what was published. `refused`: how often it has said so."""

    full = True
    refused = 0

    async def record(self, lease: Lease, copies: Sequence[ObjectCopy]) -> None:
        if self.full and any(copy.status is CopyStatus.PUBLISHED for copy in copies):
            self.refused += 1
            raise StoreUnavailableError("The disk is full.")
        await super().record(lease, copies)


async def test_few_objects_are_sent_while_none_can_be_recorded_and_all_once_there_is_room() -> None:
    parallel, objects = 4, 100
    source = MemorySource({f"{number:03d}": b"content" for number in range(objects)})
    rig = EngineInMemory(source=source, rules=CopyRules(max_objects=parallel, max_blocks=4))
    journal = FullJournal(rig.store)
    rig.engine = replace(rig.engine, journal=journal)

    async def refused_often() -> bool:
        return journal.refused >= 20 * parallel

    async with asyncio.TaskGroup() as group:
        run = group.create_task(rig.run())
        await eventually(refused_often)
        assert parallel <= len(rig.sink.objects) <= 4 * parallel
        assert not run.done()
        journal.full = False
    assert len(rig.sink.sent) == len(rig.sink.objects) == objects
