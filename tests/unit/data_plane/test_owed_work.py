"""What a flow owes is done once it can be, and nobody else waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from connector_spi.errors import PeerUnavailableError, StoreUnavailableError
from connector_spi.signaling import DataFlowState
from data_plane.domain.data_flow import DataFlow, DataFlowFailure, OwedWork
from data_plane.domain.object_copy import ObjectCopy
from data_plane.ports.object_journal import JournalTotals
from data_plane.services.owed_pieces import PIECE_SECONDS
from tests.eventually import eventually
from tests.unit.data_plane.fakes import MemorySink, a_data_flow, source_object
from tests.unit.data_plane.plane import PlaneInMemory, start_message

FAILED = (OwedWork.FAILED_MARKER, OwedWork.ERRORED_CALLBACK, OwedWork.SECRET_DELETION, OwedWork.JOURNAL_DELETION)
COMPLETED = (OwedWork.COMPLETED_CALLBACK, OwedWork.SECRET_DELETION, OwedWork.JOURNAL_DELETION)


@dataclass
class HangingSink(MemorySink):
    """Never takes a marker."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def mark_failed(self, failure: DataFlowFailure) -> None:
        self.asked.set()
        await asyncio.Event().wait()


async def ended(plane: PlaneInMemory, flow_id: str, *owed: OwedWork, state: DataFlowState) -> DataFlow:
    """A flow that has its outcome and owes this."""
    now = plane.clock.now()
    flow = a_data_flow(flow_id, state=state, updated_at=now, failure=DataFlowFailure("Code", "text"))
    return await plane.store.add(flow.owing(*owed, at=now))


@asynccontextmanager
async def at_work(plane: PlaneInMemory) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        loop = group.create_task(plane.owed_work.run())
        yield
        loop.cancel()


async def test_a_storage_that_hangs_holds_no_other_flow_up() -> None:
    sink = HangingSink()
    plane = PlaneInMemory(sink=sink)
    for at in range(20):
        await ended(plane, f"hangs-{at}", *FAILED, state=DataFlowState.TERMINATED)
    async with at_work(plane):
        await sink.asked.wait()
        await ended(plane, "quick", *COMPLETED, state=DataFlowState.COMPLETED)
        await plane.until("quick", "COMPLETED")
    assert [(kind, flow_id) for kind, flow_id, _ in plane.control_plane.told] == [("completed", "quick")]


async def test_work_under_way_is_claimed_for_longer_than_all_its_pieces_can_take() -> None:
    sink = HangingSink()
    plane = PlaneInMemory(sink=sink)
    await ended(plane, "flow-1", *FAILED, state=DataFlowState.TERMINATED)
    async with at_work(plane):
        await sink.asked.wait()
        latest = plane.clock.now() + timedelta(seconds=PIECE_SECONDS * len(FAILED))
        assert await plane.store.with_owed_work(at=latest, limit=1) == []


async def test_a_process_that_is_stopped_leaves_its_owed_work_to_the_next_at_once() -> None:
    sink = HangingSink()
    plane = PlaneInMemory(sink=sink)
    await ended(plane, "flow-1", *FAILED, state=DataFlowState.TERMINATED)
    async with at_work(plane):
        await sink.asked.wait()
    [due] = await plane.store.with_owed_work(at=plane.clock.now(), limit=1)
    assert due.owed == FAILED


async def test_the_journal_goes_once_nothing_else_is_owed_and_the_flow_stays() -> None:
    plane = PlaneInMemory()
    plane.source.contents = {"a": b"1"}
    plane.control_plane.error = PeerUnavailableError("HTTP 403")
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())

        async def tried_three_times() -> bool:
            flow = await plane.store.find("process-1")
            return flow is not None and flow.attempt >= 3

        await eventually(tried_three_times)
        assert (await plane.journal.totals("process-1")).published_objects == 1
        plane.control_plane.error = None
        await plane.until("process-1", "COMPLETED")
    assert await plane.journal.totals("process-1") == JournalTotals()
    found = await plane.store.find("process-1")
    assert found is not None
    assert found.counters.objects_copied == 1


async def test_the_journal_of_a_terminated_flow_goes_too() -> None:
    plane = PlaneInMemory()
    flow = await plane.store.add(a_data_flow())
    [leased] = await plane.store.lease_due("another-process", limit=1, seconds=60)
    await plane.journal.record(leased.lease, [ObjectCopy(flow.id, 1, source_object("a", b"1"), "a")])
    async with plane.client() as client:
        await client.post(f"/dataflows/{flow.id}/terminate", json={"messageId": "m"})
        await plane.until(flow.id, "TERMINATED")
    assert await plane.journal.totals(flow.id) == JournalTotals()


async def test_a_store_that_takes_no_writes_is_not_asked_without_a_pause() -> None:
    plane = PlaneInMemory()
    await ended(plane, "flow-1", *COMPLETED, state=DataFlowState.COMPLETED)
    saves = 0

    async def refused(*_args: object, **_options: object) -> DataFlow:
        nonlocal saves
        saves += 1
        raise StoreUnavailableError("The disk is full.")

    plane.store.save = refused  # type: ignore[method-assign]
    async with at_work(plane):
        for _ in range(1000):
            await asyncio.sleep(0)
    assert saves == 1
