"""What every DataFlowStore and ObjectJournal promises: memory, SQLite and PostgreSQL alike."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import LeaseLostError
from connector_spi.signaling import DataFlowState
from data_plane.adapters.sql_data_flow_store import SqlDataFlowStore
from data_plane.bootstrap import MIGRATIONS, VERSION_TABLE
from data_plane.domain.data_flow import Counters, DataFlowFailure, DataFlowRole, OwedWork
from data_plane.domain.errors import DataFlowExistsError, StaleDataFlowError
from data_plane.domain.object_copy import StagedBlock
from data_plane.domain.public_access import PublicAccess, TokenPair
from data_plane.ports.data_flow_store import Answer
from data_plane.ports.object_journal import BlockRecord, JournalTotals
from sql_storage.database import Database
from sql_storage.migrations import migrate
from tests.conformance.flow_stores import FlowStores, OpenFlowStores, a_copy, leased
from tests.unit.data_plane.fakes import NOON, a_data_flow

ANSWER = Answer("message-1", "start:flow-1", {"state": "STARTED"})
SHORT = 0.05
"""Seconds of a lease that is to run out."""


async def test_a_flow_is_found_as_it_was_stored_by_another_process_too(open_flow_stores: OpenFlowStores) -> None:
    flow = a_data_flow(
        failure=DataFlowFailure("Code", "text", "object", retryable=True),
        vault_aliases=("one", "two"),
        owed=(OwedWork.FAILED_MARKER, OwedWork.SECRET_DELETION),
        next_attempt_at=NOON + timedelta(milliseconds=5),
        attempt=3,
        reason="because",
        callback_base="http://control-plane",
        control_plane_id="cp-1",
        issued=DataAddress("HttpData", {"endpoint": "https://public.example/", "expiresIn": "60"}),
        access=PublicAccess(TokenPair("a", "b"), NOON, TokenPair("c", "d"), NOON + timedelta(seconds=1)),
    )
    await (await open_flow_stores()).flows.add(flow)
    assert await (await open_flow_stores()).flows.find("flow-1") == flow


async def test_an_unknown_flow_or_answer_is_none(flow_stores: FlowStores) -> None:
    assert await flow_stores.flows.find("nobody") is None
    assert await flow_stores.flows.find_answer("nothing", "start:x") is None


async def test_a_second_flow_of_the_same_id_is_refused_and_its_answer_not_kept(flow_stores: FlowStores) -> None:
    await flow_stores.flows.add(a_data_flow(), ANSWER)
    with pytest.raises(DataFlowExistsError):
        await flow_stores.flows.add(a_data_flow(nonce="other"), replace(ANSWER, message_id="other"))
    assert await flow_stores.flows.find("flow-1") == a_data_flow()
    assert await flow_stores.flows.find_answer("other", "start:flow-1") is None


async def test_a_change_and_its_answer_are_stored_together(flow_stores: FlowStores) -> None:
    flow = await flow_stores.flows.add(a_data_flow(), ANSWER)
    saved = await flow_stores.flows.save(
        replace(flow, state=DataFlowState.SUSPENDED), answer=Answer("m2", "suspend:flow-1", {"a": 1})
    )
    assert await flow_stores.flows.find("flow-1") == saved
    assert await flow_stores.flows.find_answer("m2", "suspend:flow-1") == Answer("m2", "suspend:flow-1", {"a": 1})
    assert await flow_stores.flows.find_answer("message-1", "start:flow-1") == ANSWER
    assert await flow_stores.flows.find_answer("message-1", "start:flow-2") is None


async def test_a_stale_copy_cannot_be_saved_nor_its_answer(flow_stores: FlowStores) -> None:
    flow = await flow_stores.flows.add(a_data_flow())
    await flow_stores.flows.save(replace(flow, reason="first"))
    with pytest.raises(StaleDataFlowError):
        await flow_stores.flows.save(replace(flow, reason="second"), answer=ANSWER)
    found = await flow_stores.flows.find("flow-1")
    assert found is not None
    assert found.reason == "first"
    assert await flow_stores.flows.find_answer(ANSWER.message_id, ANSWER.operation) is None


async def test_of_many_savers_at_once_one_wins(flow_stores: FlowStores) -> None:
    flow = await flow_stores.flows.add(a_data_flow())
    results = await asyncio.gather(
        *(flow_stores.flows.save(replace(flow, reason=str(at))) for at in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, StaleDataFlowError) for result in results) == 7


async def test_only_flows_that_are_copied_and_started_are_leased(flow_stores: FlowStores) -> None:
    for state in DataFlowState:
        await flow_stores.flows.add(a_data_flow(state.value, state=state))
    for role in DataFlowRole:
        await flow_stores.flows.add(a_data_flow(role.value, role=role))
    found = await flow_stores.flows.lease_due("worker", limit=50, seconds=60)
    assert sorted((one.flow.id, one.lease.flow_id, one.lease.worker_id) for one in found) == [
        ("FETCHER", "FETCHER", "worker"),
        ("SENDER", "SENDER", "worker"),
        ("STARTED", "STARTED", "worker"),
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


async def test_a_lease_that_ran_out_goes_to_the_next_and_the_first_writes_no_more(
    flow_stores: FlowStores,
) -> None:
    flow = await flow_stores.flows.add(a_data_flow())
    first = await leased(flow_stores, seconds=SHORT)
    await asyncio.sleep(2 * SHORT)
    second = await leased(flow_stores)
    assert second.lease.epoch > first.lease.epoch
    for late in (
        flow_stores.flows.save(replace(flow, reason="late"), lease=first.lease),
        flow_stores.flows.renew(first.lease, Counters(bytes_copied=1), seconds=60),
        flow_stores.journal.plan(first.lease, [a_copy(1)], position=None),
        flow_stores.journal.record(first.lease, [a_copy(1)]),
        flow_stores.journal.sending(first.lease, [1]),
        flow_stores.journal.record_blocks(first.lease, [BlockRecord(1, "n", StagedBlock(0, None))]),
        flow_stores.journal.clear(first.lease),
    ):
        with pytest.raises(LeaseLostError):
            await late
    await flow_stores.flows.release(first.lease)
    assert await flow_stores.flows.lease_due("third", limit=1, seconds=60) == []
    assert await flow_stores.flows.find("flow-1") == flow
    assert await flow_stores.journal.totals("flow-1") == JournalTotals()


async def test_a_renewed_lease_holds_and_its_counters_are_there_for_everybody(flow_stores: FlowStores) -> None:
    await flow_stores.flows.add(a_data_flow())
    held = await leased(flow_stores, seconds=SHORT)
    counters = Counters(2**40, 2**41, 3, 4, listing_complete=True, evidence_begun=True)
    renewed = await flow_stores.flows.renew(held.lease, counters, seconds=60)
    assert renewed.counters == counters
    assert await flow_stores.flows.find("flow-1") == renewed
    await asyncio.sleep(2 * SHORT)
    assert await flow_stores.flows.lease_due("other", limit=1, seconds=60) == []


async def test_a_save_leaves_the_counters_alone_and_a_renewal_the_version(flow_stores: FlowStores) -> None:
    flow = await flow_stores.flows.add(a_data_flow())
    held = await leased(flow_stores)
    await flow_stores.flows.renew(held.lease, Counters(bytes_copied=7), seconds=60)
    await flow_stores.flows.save(replace(flow, reason="x"), lease=held.lease)
    found = await flow_stores.flows.find("flow-1")
    assert found is not None
    assert (found.counters.bytes_copied, found.reason) == (7, "x")


async def test_a_lease_that_was_given_back_is_free_at_once(flow_stores: FlowStores) -> None:
    await flow_stores.flows.add(a_data_flow())
    await flow_stores.flows.release((await leased(flow_stores)).lease)
    assert (await leased(flow_stores)).lease.epoch == 2


async def test_a_stopped_flow_shows_at_the_next_renewal(flow_stores: FlowStores) -> None:
    flow = await flow_stores.flows.add(a_data_flow())
    held = await leased(flow_stores)
    await flow_stores.flows.save(replace(flow, state=DataFlowState.TERMINATED))
    renewed = await flow_stores.flows.renew(held.lease, Counters(), seconds=60)
    assert renewed.state is DataFlowState.TERMINATED


async def test_owed_work_comes_when_it_is_due_the_oldest_first(flow_stores: FlowStores) -> None:
    for at in (3, 1, 2, 9):
        due = a_data_flow(f"flow-{at}", next_attempt_at=NOON + timedelta(seconds=at))
        await flow_stores.flows.add(replace(due, owed=(OwedWork.COMPLETED_CALLBACK,)))
    await flow_stores.flows.add(a_data_flow("settled"))
    due_now = await flow_stores.flows.with_owed_work(at=NOON + timedelta(seconds=3), limit=2)
    assert [flow.id for flow in due_now] == ["flow-1", "flow-2"]


async def test_answers_are_forgotten_once_their_flow_ended_long_ago(flow_stores: FlowStores) -> None:
    completed, terminated = DataFlowState.COMPLETED, DataFlowState.TERMINATED
    for flow_id, state, age in (
        ("long-ago", completed, 3),
        ("ended", terminated, 2),
        ("lately", completed, 1),
        ("lives", DataFlowState.STARTED, 9),
    ):
        flow = await flow_stores.flows.add(
            a_data_flow(flow_id, state=state, updated_at=NOON - timedelta(days=age)),
            Answer(f"m-{flow_id}", f"start:{flow_id}", {}),
        )
        await flow_stores.flows.save(flow, answer=Answer("again", f"complete:{flow_id}", {}))
    await flow_stores.flows.forget_answers(ended_before=NOON - timedelta(days=1))

    async def kept(message: str, operation: str) -> set[str]:
        ids = ("long-ago", "ended", "lately", "lives")
        return {
            flow_id
            for flow_id in ids
            if await flow_stores.flows.find_answer(message.format(flow_id), f"{operation}:{flow_id}") is not None
        }

    assert await kept("m-{}", "start") == await kept("again", "complete") == {"lately", "lives"}
    assert await flow_stores.flows.find("long-ago") is not None


async def test_a_cancelled_call_does_not_block_the_next_ones(flow_stores: FlowStores) -> None:
    flow = await flow_stores.flows.add(a_data_flow())
    for turn in range(40):
        call = asyncio.create_task(flow_stores.flows.save(replace(flow, reason=str(turn))))
        for _ in range(turn):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        found = await flow_stores.flows.find("flow-1")
        assert found is not None
        async with asyncio.timeout(5):
            flow = await flow_stores.flows.save(found)


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
