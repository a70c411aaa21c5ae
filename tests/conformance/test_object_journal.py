"""What every ObjectJournal promises: memory, SQLite and PostgreSQL alike."""

import pytest

from connector_spi.errors import LeaseLostError
from data_plane.domain.object_copy import Assurance, CopyStatus, StagedBlock
from data_plane.ports.data_flow_store import Lease
from data_plane.ports.object_journal import BlockRecord, JournalTotals, PlannedSoFar
from tests.conformance.flow_stores import FlowStores, OpenFlowStores, a_copy, leased
from tests.unit.data_plane.fakes import a_data_flow

EVERYTHING = frozenset(CopyStatus)


async def a_lease(flow_stores: FlowStores) -> Lease:
    await flow_stores.flows.add(a_data_flow())
    return (await leased(flow_stores)).lease


async def test_a_plan_is_written_page_by_page_and_read_in_order(flow_stores: FlowStores) -> None:
    lease = await a_lease(flow_stores)
    assert await flow_stores.journal.planned("flow-1") == PlannedSoFar()
    await flow_stores.journal.plan(lease, [a_copy(at) for at in (1, 2)], position="after two")
    assert await flow_stores.journal.planned("flow-1") == PlannedSoFar(2, "after two")
    await flow_stores.journal.plan(lease, [], position="ignored: nothing was planned with it")
    await flow_stores.journal.plan(lease, [a_copy(at) for at in (3, 4)], position=None)
    assert await flow_stores.journal.planned("flow-1") == PlannedSoFar(4, None)
    planned = frozenset({CopyStatus.PLANNED})
    assert await flow_stores.journal.page("flow-1", statuses=planned, after=1, limit=2) == [a_copy(2), a_copy(3)]
    assert await flow_stores.journal.page("flow-2", statuses=EVERYTHING) == []


async def test_records_are_changed_as_a_whole(flow_stores: FlowStores, open_flow_stores: OpenFlowStores) -> None:
    lease = await a_lease(flow_stores)
    await flow_stores.journal.plan(lease, [a_copy(at) for at in (1, 2, 3, 4)], position=None)
    published = a_copy(
        2,
        status=CopyStatus.PUBLISHED,
        sha256="abc",
        block_nonce="n",
        block_count=2,
        crc64=2**64 - 1,
        md5="0123",
        assurance=Assurance.SOURCE_MD5,
    )
    await flow_stores.journal.record(lease, [published, a_copy(7)])
    other_process = await open_flow_stores()
    found = await other_process.journal.page("flow-1", statuses=EVERYTHING)
    assert found == [a_copy(1), published, a_copy(3), a_copy(4)], "what was never planned is not written"
    assert await other_process.journal.totals("flow-1") == JournalTotals(4, 100, 1, 20)


async def test_objects_that_may_be_sent_are_known_afterwards(flow_stores: FlowStores) -> None:
    lease = await a_lease(flow_stores)
    await flow_stores.journal.plan(lease, [a_copy(at) for at in (1, 2, 3)], position=None)
    await flow_stores.journal.sending(lease, [1, 3])
    committing = frozenset({CopyStatus.COMMITTING})
    assert [c.sequence for c in await flow_stores.journal.page("flow-1", statuses=committing)] == [1, 3]


async def test_staged_blocks_are_known_by_object_and_attempt(flow_stores: FlowStores) -> None:
    lease = await a_lease(flow_stores)
    await flow_stores.journal.plan(lease, [a_copy(1), a_copy(2)], position=None)
    blocks = [BlockRecord(1, "first", StagedBlock(index, crc64)) for index, crc64 in ((4, None), (0, 2**64 - 1))]
    await flow_stores.journal.record_blocks(lease, blocks)
    await flow_stores.journal.record_blocks(lease, [blocks[0], BlockRecord(1, "second", StagedBlock(1, 5))])
    await flow_stores.journal.record_blocks(lease, [BlockRecord(2, "first", StagedBlock(2, 0))])
    assert await flow_stores.journal.blocks("flow-1", 1, "first") == [StagedBlock(0, 2**64 - 1), StagedBlock(4, None)]
    assert await flow_stores.journal.blocks("flow-1", 1, "second") == [StagedBlock(1, 5)]
    assert await flow_stores.journal.blocks("flow-1", 2, "first") == [StagedBlock(2, 0)]
    assert await flow_stores.journal.blocks("flow-1", 2, "unknown") == []


async def test_a_cleared_plan_is_gone_with_its_blocks_and_its_position(flow_stores: FlowStores) -> None:
    lease = await a_lease(flow_stores)
    await flow_stores.journal.plan(lease, [a_copy(1)], position="here")
    await flow_stores.journal.record_blocks(lease, [BlockRecord(1, "n", StagedBlock(0, 1))])
    await flow_stores.journal.clear(lease)
    assert await flow_stores.journal.totals("flow-1") == JournalTotals()
    assert await flow_stores.journal.planned("flow-1") == PlannedSoFar()
    assert await flow_stores.journal.blocks("flow-1", 1, "n") == []


async def test_a_forgotten_journal_is_gone_and_a_worker_that_is_late_writes_no_more(flow_stores: FlowStores) -> None:
    for flow_id in ("flow-1", "flow-2"):
        await flow_stores.flows.add(a_data_flow(flow_id))
    by_flow = {one.lease.flow_id: one.lease for one in await flow_stores.flows.lease_due("worker", limit=2, seconds=60)}
    await flow_stores.journal.plan(by_flow["flow-1"], [a_copy(at) for at in range(1, 12_001)], position=None)
    await flow_stores.journal.record_blocks(by_flow["flow-1"], [BlockRecord(1, "n", StagedBlock(0, 1))])
    await flow_stores.journal.plan(by_flow["flow-2"], [a_copy(1, flow_id="flow-2")], position=None)
    await flow_stores.journal.forget("flow-1")
    await flow_stores.journal.forget("flow-1")
    with pytest.raises(LeaseLostError):
        await flow_stores.journal.plan(by_flow["flow-1"], [a_copy(1)], position=None)
    assert await flow_stores.journal.totals("flow-1") == JournalTotals()
    assert await flow_stores.journal.blocks("flow-1", 1, "n") == []
    assert (await flow_stores.journal.totals("flow-2")).objects == 1
    await flow_stores.journal.plan(by_flow["flow-2"], [a_copy(2, flow_id="flow-2")], position=None)
