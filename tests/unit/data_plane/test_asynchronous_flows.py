"""`prepare` and `start` that take longer than their answer may: 202, and the call-back when it is done."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import ConnectorError, PeerUnavailableError, PermanentError, SecretNotFoundError
from data_plane.domain.data_flow import DataFlowRole, OwedWork
from data_plane.domain.transfer_profile import Direction, TransferProfile
from data_plane.ports.destination_preparer import PreparedDestination
from data_plane.services.owed_pieces import Holds
from data_plane.services.wake_up import WakeUp
from tests.eventually import eventually
from tests.unit.data_plane.fakes import ManualClock, OutageError, a_data_flow
from tests.unit.data_plane.plane import MemoryPreparer, PlaneInMemory, start_message

FLOW = "/dataflows/process-1"


def prepare_message(**changes: Any) -> dict[str, Any]:
    wish = {"destination": {"type": "Memory", "properties": {"place": "there"}}}
    return start_message(**{"dataAddress": None, "metadata": wish, **changes})


@dataclass
class SlowPreparer(MemoryPreparer):
    """Waits for `go_on`, after raising `errors` one by one."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    errors: list[ConnectorError] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def prepare(self, flow_id: str, wish: DataAddress) -> PreparedDestination:
        self.begun.set()
        if self.errors:
            raise self.errors.pop(0)
        await self.go_on.wait()
        return await super().prepare(flow_id, wish)


async def told(plane: PlaneInMemory, kind: str) -> dict[str, Any]:
    """The one call-back of this kind."""

    async def heard() -> bool:
        return kind in [what for what, _, _ in plane.control_plane.told]

    await eventually(heard, seconds=10)
    [body] = [message.wire() for what, _, message in plane.control_plane.told if what == kind]
    return body


async def test_a_slow_prepare_is_answered_with_202_and_told_when_it_is_done() -> None:
    preparer = SlowPreparer()
    plane = PlaneInMemory(preparer=preparer, answer_within_seconds=0.01)
    async with plane.client() as client:
        answer = await client.post("/dataflows/prepare", json=prepare_message())
        assert (answer.status_code, answer.json()["state"]) == (202, "PREPARING")
        assert answer.headers["Location"] == f"{FLOW}/status"
        assert (await client.get(f"{FLOW}/status")).json()["state"] == "PREPARING"
        preparer.go_on.set()
        body = await told(plane, "prepared")
        await plane.until("process-1", "PREPARED")
        again = await client.post("/dataflows/prepare", json=prepare_message())
    assert (body["state"], body["dataFlowId"]) == ("PREPARED", "process-1")
    properties = {one["name"].rpartition("/")[2]: one["value"] for one in body["dataAddress"]["endpointProperties"]}
    assert properties["secret"] == "signature-for-process-1"
    assert (again.status_code, again.json()) == (202, answer.json())


async def test_what_is_done_in_time_is_told_in_the_answer_alone() -> None:
    plane = PlaneInMemory()
    async with plane.client() as client:
        answer = await client.post("/dataflows/prepare", json=prepare_message())
        assert (answer.status_code, answer.json()["state"]) == (200, "PREPARED")
        await client.post(f"{FLOW}/terminate", json={"messageId": "t"})
        await plane.until("process-1", "TERMINATED")
    assert plane.control_plane.told == []


async def test_storage_that_is_away_for_a_moment_costs_no_flow() -> None:
    preparer = SlowPreparer(errors=[OutageError("The storage is away."), OutageError("Still.")])
    preparer.go_on.set()
    plane = PlaneInMemory(preparer=preparer)
    async with plane.client() as client:
        assert (await client.post("/dataflows/prepare", json=prepare_message())).status_code == 202
        await told(plane, "prepared")


async def test_a_final_error_in_time_is_the_answer_and_leaves_nothing() -> None:
    plane = PlaneInMemory(preparer=SlowPreparer(errors=[SecretNotFoundError(alias="account")]))
    async with plane.client() as client:
        answer = await client.post("/dataflows/prepare", json=prepare_message())
        assert (answer.status_code, answer.json()["code"]) == (400, "SecretNotFound")
        assert (await client.get(f"{FLOW}/status")).status_code == 404
    assert plane.secrets == {}


class RefusedError(PermanentError):
    code = "RefusedInTests"


@pytest.mark.parametrize("patient", [True, False], ids=["refused", "out of patience"])
async def test_a_flow_that_cannot_be_made_ready_ends_with_the_reason(*, patient: bool) -> None:
    outage = OutageError("The storage is away.")
    last = RefusedError("The account is closed.") if patient else outage
    preparer = SlowPreparer(errors=[outage, *([last] if patient else [outage] * 10_000)])
    readiness = timedelta(minutes=1) if patient else timedelta(seconds=0.05)
    plane = PlaneInMemory(preparer=preparer, readiness_patience=readiness)
    async with plane.client() as client:
        assert (await client.post("/dataflows/prepare", json=prepare_message())).status_code == 202
        body = await told(plane, "errored")
        await plane.until("process-1", "TERMINATED")
    assert body["failure"] == {"code": last.code, "message": last.message, "retryable": not patient}
    assert (plane.preparer.released, plane.secrets) == ([("process-1", False)], {})


async def test_a_flow_that_is_ended_while_it_is_made_ready_leaves_nothing() -> None:
    preparer = SlowPreparer()
    plane = PlaneInMemory(preparer=preparer, answer_within_seconds=0.01)
    async with plane.client() as client:
        await client.post("/dataflows/prepare", json=prepare_message())
        preparer.begun.clear()
        await preparer.begun.wait()
        await client.post(f"{FLOW}/terminate", json={"messageId": "t"})
        preparer.go_on.set()
        await plane.until("process-1", "TERMINATED")
    assert (plane.preparer.released, plane.secrets) == ([("process-1", False)], {})
    assert plane.control_plane.told == []


async def test_another_process_goes_on_where_one_has_died() -> None:
    """The flow and what it owes are in the store alone: nothing of it is a task's."""
    preparer = SlowPreparer()
    plane = PlaneInMemory(preparer=preparer, answer_within_seconds=0.01)
    async with plane.client(working=False) as client:
        await client.post("/dataflows/prepare", json=prepare_message())
    flow = await plane.store.find("process-1")
    assert flow is not None
    assert (flow.state, flow.owed) == ("PREPARING", (OwedWork.READINESS,))
    preparer.go_on.set()
    async with plane.client():
        await told(plane, "prepared")


async def test_a_profile_may_ask_for_asynchronous_answers() -> None:
    profile = TransferProfile(
        name="slow-push",
        direction=Direction.PUSH,
        address_type="Memory",
        answers_later=lambda message: message.agreement_id == "later",
    )
    plane = PlaneInMemory(profiles=(profile,))
    plane.source.contents = {"a": b"1"}
    async with plane.client() as client:
        later = start_message(profile="slow-push", agreementId="later")
        answer = await client.post("/dataflows/start", json=later)
        assert (answer.status_code, answer.json()["state"]) == (202, "STARTING")
        body = await told(plane, "started")
        await plane.until("process-1", "COMPLETED")
        now = await client.post("/dataflows/start", json=start_message("process-2", profile="slow-push"))
    assert (body["state"], "dataAddress" in body) == ("STARTED", False)
    assert now.json()["state"] == "STARTED"
    assert plane.sink.objects == {"a": b"1"}


@pytest.mark.parametrize("message", ["suspend", "resume", "started", "completed"])
async def test_a_flow_that_is_made_ready_takes_no_other_message_than_terminate(message: str) -> None:
    plane = PlaneInMemory(preparer=SlowPreparer(), answer_within_seconds=0.01)
    async with plane.client(working=False) as client:
        await client.post("/dataflows/prepare", json=prepare_message())
        answer = await client.post(f"{FLOW}/{message}", json={"messageId": "m"})
        assert (answer.status_code, answer.json()["code"]) == (409, "InvalidTransition")
        assert (await client.post(f"{FLOW}/terminate", json={"messageId": "t"})).status_code == 200


async def test_a_call_back_is_told_until_it_is_taken() -> None:
    preparer = SlowPreparer()
    plane = PlaneInMemory(preparer=preparer, answer_within_seconds=0.01)
    plane.control_plane.error = PeerUnavailableError("HTTP 401")
    async with plane.client() as client:
        await client.post("/dataflows/prepare", json=prepare_message())
        preparer.go_on.set()

        async def tried() -> bool:
            flow = await plane.store.find("process-1")
            return flow is not None and flow.attempt >= 2 and OwedWork.PREPARED_CALLBACK in flow.owed

        await eventually(tried, seconds=10)
        plane.control_plane.error = None
        await told(plane, "prepared")


@pytest.mark.parametrize("work", [OwedWork.PREPARED_CALLBACK, OwedWork.COMPLETED_CALLBACK, OwedWork.ERRORED_CALLBACK])
async def test_a_call_back_is_held_back_until_the_control_plane_can_be_ready_for_it(work: OwedWork) -> None:
    clock, plane = ManualClock(), PlaneInMemory()
    holds = Holds(after_answer=timedelta(seconds=2), after_start=timedelta(seconds=2))
    pieces = replace(plane.owed_work.pieces, clock=clock, holds=holds)
    flow = a_data_flow(owed=(work,), role=DataFlowRole.FETCHER)
    clock.advance(1.9)
    assert await pieces.do(flow, work) == flow
    assert plane.control_plane.told == []
    clock.advance(0.1)
    assert (await pieces.do(flow, work)).owed == ()
    assert len(plane.control_plane.told) == 1


async def test_what_is_made_after_another_process_released_it_is_released_again() -> None:
    preparer = SlowPreparer()
    plane = PlaneInMemory(preparer=preparer, answer_within_seconds=0.01)
    other_process = replace(plane.owed_work, wake_up=WakeUp())
    async with plane.client() as client:
        await client.post("/dataflows/prepare", json=prepare_message())
        preparer.begun.clear()
        await preparer.begun.wait()
        await client.post(f"{FLOW}/terminate", json={"messageId": "t"})
        async with asyncio.TaskGroup() as group:
            running = group.create_task(other_process.run())
            await plane.until("process-1", "TERMINATED")
            running.cancel()
        assert preparer.released == [("process-1", False)]
        preparer.go_on.set()

        async def released_again() -> bool:
            return len(preparer.released) == 2

        await eventually(released_again, seconds=10)
        await plane.until("process-1", "TERMINATED")
    assert plane.secrets == {}
