"""What every DataFlowStore and ObjectJournal promises: memory, SQLite and PostgreSQL alike."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector_spi.clock import SystemClock
from connector_spi.data_address import DataAddress
from connector_spi.errors import LeaseLostError
from connector_spi.signaling import DataFlowState
from data_plane.adapters.memory_data_flow_store import MemoryDataFlowStore, MemoryObjectJournal
from data_plane.adapters.sql_data_flow_store import SqlDataFlowStore
from data_plane.adapters.sql_object_journal import SqlObjectJournal
from data_plane.bootstrap import MIGRATIONS, VERSION_TABLE
from data_plane.domain.data_flow import Counters, DataFlowFailure, DataFlowRole, OwedWork
from data_plane.domain.errors import DataFlowExistsError, StaleDataFlowError
from data_plane.domain.object_copy import CopyStatus, ObjectCopy, SourceObject
from data_plane.ports.data_flow_store import Answer, DataFlowStore, LeasedFlow
from data_plane.ports.object_journal import JournalTotals, ObjectJournal
from sql_storage.database import Database
from sql_storage.migrations import migrate
from tests.unit.data_plane.fakes import NOON, a_data_flow

ANSWER = Answer("message-1", "start:flow-1", {"state": "STARTED"})
SHORT = 0.05
"""Seconds of a lease that is to run out."""


@dataclass(frozen=True)
class FlowStores:
    flows: DataFlowStore
    journal: ObjectJournal


OpenFlowStores = Callable[[], Awaitable[FlowStores]]


@pytest.fixture
async def open_flow_stores(storage: str | None) -> AsyncIterator[OpenFlowStores]:
    """Opens the stores on the storage, any number of times, as another process would; memory is there only once."""
    memory = MemoryDataFlowStore(SystemClock())
    shared = FlowStores(memory, MemoryObjectJournal(memory))
    async with AsyncExitStack() as stack:

        async def opened() -> FlowStores:
            if storage is None:
                return shared
            database = Database.open(storage)
            stack.push_async_callback(database.aclose)
            await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
            return FlowStores(SqlDataFlowStore(database), SqlObjectJournal(database))

        yield opened


@pytest.fixture
async def stores(open_flow_stores: OpenFlowStores) -> FlowStores:
    return await open_flow_stores()


async def leased(stores: FlowStores, *, seconds: float = 60) -> LeasedFlow:
    [found] = await stores.flows.lease_due("worker", limit=5, seconds=seconds)
    return found


def a_copy(sequence: int, **changes: object) -> ObjectCopy:
    source = SourceObject(f"name-{sequence}", 10 * sequence, '"e"', "text/plain", "gzip", {"k": "v"})
    return replace(ObjectCopy("flow-1", sequence, source, f"to-{sequence}"), **changes)  # type: ignore[arg-type]


async def test_a_flow_is_found_as_it_was_stored_by_another_process_too(open_flow_stores: OpenFlowStores) -> None:
    flow = a_data_flow(
        failure=DataFlowFailure("Code", "text", "object", retryable=True),
        vault_aliases=("one", "two"),
        owed=(OwedWork.FAILED_MARKER, OwedWork.SECRET_DELETION),
        next_attempt_at=NOON + timedelta(milliseconds=5),
        attempt=3,
        reason="because",
        callback_base="http://control-plane",
    )
    await (await open_flow_stores()).flows.add(flow)
    assert await (await open_flow_stores()).flows.find("flow-1") == flow


async def test_an_unknown_flow_or_answer_is_none(stores: FlowStores) -> None:
    assert await stores.flows.find("nobody") is None
    assert await stores.flows.find_answer("nothing", "start:x") is None


async def test_a_second_flow_of_the_same_id_is_refused_and_its_answer_not_kept(stores: FlowStores) -> None:
    await stores.flows.add(a_data_flow(), ANSWER)
    with pytest.raises(DataFlowExistsError):
        await stores.flows.add(a_data_flow(nonce="other"), replace(ANSWER, message_id="other"))
    assert await stores.flows.find("flow-1") == a_data_flow()
    assert await stores.flows.find_answer("other", "start:flow-1") is None


async def test_a_change_and_its_answer_are_stored_together(stores: FlowStores) -> None:
    flow = await stores.flows.add(a_data_flow(), ANSWER)
    saved = await stores.flows.save(
        replace(flow, state=DataFlowState.SUSPENDED), answer=Answer("m2", "suspend:flow-1", {"a": 1})
    )
    assert await stores.flows.find("flow-1") == saved
    assert await stores.flows.find_answer("m2", "suspend:flow-1") == Answer("m2", "suspend:flow-1", {"a": 1})
    assert await stores.flows.find_answer("message-1", "start:flow-1") == ANSWER
    assert await stores.flows.find_answer("message-1", "start:flow-2") is None


async def test_a_stale_copy_cannot_be_saved_nor_its_answer(stores: FlowStores) -> None:
    flow = await stores.flows.add(a_data_flow())
    await stores.flows.save(replace(flow, reason="first"))
    with pytest.raises(StaleDataFlowError):
        await stores.flows.save(replace(flow, reason="second"), answer=ANSWER)
    found = await stores.flows.find("flow-1")
    assert found is not None
    assert found.reason == "first"
    assert await stores.flows.find_answer(ANSWER.message_id, ANSWER.operation) is None


async def test_of_many_savers_at_once_one_wins(stores: FlowStores) -> None:
    flow = await stores.flows.add(a_data_flow())
    results = await asyncio.gather(
        *(stores.flows.save(replace(flow, reason=str(at))) for at in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, StaleDataFlowError) for result in results) == 7


async def test_only_senders_that_are_started_are_leased(stores: FlowStores) -> None:
    for state in DataFlowState:
        await stores.flows.add(a_data_flow(state.value, state=state))
    await stores.flows.add(a_data_flow("receiver", role=DataFlowRole.RECEIVER))
    found = await stores.flows.lease_due("worker", limit=50, seconds=60)
    assert [(one.flow.id, one.lease.flow_id, one.lease.worker_id) for one in found] == [
        ("STARTED", "STARTED", "worker")
    ]


async def test_a_flow_is_leased_to_one_worker_at_a_time(open_flow_stores: OpenFlowStores) -> None:
    one, other = await open_flow_stores(), await open_flow_stores()
    for at in range(10):
        await one.flows.add(a_data_flow(f"flow-{at}"))
    found = await asyncio.gather(
        *(store.flows.lease_due(str(at), limit=3, seconds=60) for at, store in enumerate([one, other] * 4))
    )
    ids = [leased.flow.id for batch in found for leased in batch]
    assert len(ids) == len(set(ids))
    assert all(len(batch) <= 3 for batch in found)


async def test_a_lease_that_ran_out_goes_to_the_next_and_the_first_cannot_write_any_more(stores: FlowStores) -> None:
    flow = await stores.flows.add(a_data_flow())
    first = await leased(stores, seconds=SHORT)
    await asyncio.sleep(2 * SHORT)
    second = await leased(stores)
    assert second.lease.epoch > first.lease.epoch
    for late in (
        stores.flows.save(replace(flow, reason="late"), lease=first.lease),
        stores.flows.renew(first.lease, Counters(bytes_copied=1), seconds=60),
        stores.journal.record(first.lease, [a_copy(1)]),
        stores.journal.clear(first.lease),
    ):
        with pytest.raises(LeaseLostError):
            await late
    await stores.flows.release(first.lease)
    assert await stores.flows.lease_due("third", limit=1, seconds=60) == []
    assert await stores.flows.find("flow-1") == flow
    assert await stores.journal.totals("flow-1") == JournalTotals()


async def test_a_renewed_lease_holds_and_its_counters_are_there_for_everybody(stores: FlowStores) -> None:
    await stores.flows.add(a_data_flow())
    held = await leased(stores, seconds=SHORT)
    counters = Counters(2**40, 2**41, 3, 4, listing_complete=True, evidence_begun=True)
    renewed = await stores.flows.renew(held.lease, counters, seconds=60)
    assert renewed.counters == counters
    assert await stores.flows.find("flow-1") == renewed
    await asyncio.sleep(2 * SHORT)
    assert await stores.flows.lease_due("other", limit=1, seconds=60) == []


async def test_a_save_leaves_the_counters_alone_and_a_renewal_the_version(stores: FlowStores) -> None:
    flow = await stores.flows.add(a_data_flow())
    held = await leased(stores)
    await stores.flows.renew(held.lease, Counters(bytes_copied=7), seconds=60)
    await stores.flows.save(replace(flow, reason="x"), lease=held.lease)
    found = await stores.flows.find("flow-1")
    assert found is not None
    assert (found.counters.bytes_copied, found.reason) == (7, "x")


async def test_a_lease_that_was_given_back_is_free_at_once(stores: FlowStores) -> None:
    await stores.flows.add(a_data_flow())
    await stores.flows.release((await leased(stores)).lease)
    assert (await leased(stores)).lease.epoch == 2


async def test_a_stopped_flow_shows_at_the_next_renewal(stores: FlowStores) -> None:
    flow = await stores.flows.add(a_data_flow())
    held = await leased(stores)
    await stores.flows.save(replace(flow, state=DataFlowState.TERMINATED))
    renewed = await stores.flows.renew(held.lease, Counters(), seconds=60)
    assert renewed.state is DataFlowState.TERMINATED


async def test_owed_work_comes_when_it_is_due_the_oldest_first(stores: FlowStores) -> None:
    for at in (3, 1, 2, 9):
        due = a_data_flow(f"flow-{at}", next_attempt_at=NOON + timedelta(seconds=at))
        await stores.flows.add(replace(due, owed=(OwedWork.COMPLETED_CALLBACK,)))
    await stores.flows.add(a_data_flow("settled"))
    due_now = await stores.flows.with_owed_work(at=NOON + timedelta(seconds=3), limit=2)
    assert [flow.id for flow in due_now] == ["flow-1", "flow-2"]


async def test_records_are_written_changed_and_read_in_order(stores: FlowStores) -> None:
    await stores.flows.add(a_data_flow())
    lease = (await leased(stores)).lease
    await stores.journal.record(lease, [a_copy(at) for at in (3, 1, 2, 4)])
    published = a_copy(2, status=CopyStatus.PUBLISHED, sha256="abc", block_nonce="n", block_count=2)
    await stores.journal.record(lease, [published])
    everything = frozenset(CopyStatus)
    assert await stores.journal.page("flow-1", statuses=everything) == [a_copy(1), published, a_copy(3), a_copy(4)]
    planned = frozenset({CopyStatus.PLANNED})
    assert await stores.journal.page("flow-1", statuses=planned, after=1, limit=1) == [a_copy(3)]
    assert await stores.journal.page("flow-2", statuses=everything) == []
    assert await stores.journal.totals("flow-1") == JournalTotals(4, 100, 1, 20)


async def test_a_cleared_plan_is_gone(stores: FlowStores) -> None:
    await stores.flows.add(a_data_flow())
    lease = (await leased(stores)).lease
    await stores.journal.record(lease, [a_copy(1)])
    await stores.journal.clear(lease)
    assert await stores.journal.totals("flow-1") == JournalTotals()


async def test_a_forgotten_journal_is_gone_and_a_worker_that_is_late_writes_no_more(stores: FlowStores) -> None:
    for flow_id in ("flow-1", "flow-2"):
        await stores.flows.add(a_data_flow(flow_id))
    by_flow = {one.lease.flow_id: one.lease for one in await stores.flows.lease_due("worker", limit=2, seconds=60)}
    await stores.journal.record(by_flow["flow-1"], [a_copy(at) for at in range(1, 12_001)])
    await stores.journal.record(by_flow["flow-2"], [a_copy(1, flow_id="flow-2")])
    await stores.journal.forget("flow-1")
    await stores.journal.forget("flow-1")
    with pytest.raises(LeaseLostError):
        await stores.journal.record(by_flow["flow-1"], [a_copy(1)])
    assert await stores.journal.totals("flow-1") == JournalTotals()
    assert (await stores.journal.totals("flow-2")).objects == 1
    await stores.journal.record(by_flow["flow-2"], [a_copy(2, flow_id="flow-2")])


async def test_answers_are_forgotten_once_their_flow_ended_long_ago(stores: FlowStores) -> None:
    completed, terminated = DataFlowState.COMPLETED, DataFlowState.TERMINATED
    for flow_id, state, age in (
        ("long-ago", completed, 3),
        ("ended", terminated, 2),
        ("lately", completed, 1),
        ("lives", DataFlowState.STARTED, 9),
    ):
        flow = await stores.flows.add(
            a_data_flow(flow_id, state=state, updated_at=NOON - timedelta(days=age)),
            Answer(f"m-{flow_id}", f"start:{flow_id}", {}),
        )
        await stores.flows.save(flow, answer=Answer("again", f"complete:{flow_id}", {}))
    await stores.flows.forget_answers(ended_before=NOON - timedelta(days=1))

    async def kept(message: str, operation: str) -> set[str]:
        ids = ("long-ago", "ended", "lately", "lives")
        return {
            flow_id
            for flow_id in ids
            if await stores.flows.find_answer(message.format(flow_id), f"{operation}:{flow_id}") is not None
        }

    assert await kept("m-{}", "start") == await kept("again", "complete") == {"lately", "lives"}
    assert await stores.flows.find("long-ago") is not None


async def test_a_cancelled_call_does_not_block_the_next_ones(stores: FlowStores) -> None:
    flow = await stores.flows.add(a_data_flow())
    for turn in range(40):
        call = asyncio.create_task(stores.flows.save(replace(flow, reason=str(turn))))
        for _ in range(turn):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        found = await stores.flows.find("flow-1")
        assert found is not None
        async with asyncio.timeout(5):
            flow = await stores.flows.save(found)


async def test_a_secret_in_an_address_is_never_written(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/flows.db")
    await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
    address = DataAddress("Memory", {"place": "x", "secret": "planted-secret", "sasToken": "planted-secret"})
    await SqlDataFlowStore(database).add(a_data_flow(source=address, destination=address))
    await database.aclose()
    connection = sqlite3.connect(tmp_path / "flows.db")
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert "flow-1" in dump
    assert "planted-secret" not in dump
