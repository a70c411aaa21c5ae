"""From the start message to the last call-back, with nothing left behind."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from connector_spi.errors import ConnectorError, PeerRefusedError, PeerUnavailableError, SecretNotFoundError
from data_plane.services.flow_worker import WorkerLimits
from tests.eventually import eventually
from tests.unit.data_plane.fakes import OutageError
from tests.unit.data_plane.plane import PlaneInMemory, start_message

FLOW = "/dataflows/process-1"
LARGE = bytes(40 * 1024 * 1024)


async def test_a_flow_is_copied_told_once_and_forgets_its_credential() -> None:
    plane = PlaneInMemory()
    plane.source.contents = {"a": b"1", "b": b"2"}
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "COMPLETED")
        status = (await client.get(f"{FLOW}/status")).json()
    assert plane.sink.objects == {"a": b"1", "b": b"2"}
    assert plane.sink.failed is None
    assert plane.secrets == {}
    assert [kind for kind, _, _ in plane.control_plane.told if kind != "progress"] == ["completed"]
    assert status["progress"] == {
        "bytesCopied": 2,
        "bytesTotal": 2,
        "objectsCopied": 2,
        "objectsTotal": 2,
        "listingComplete": True,
        "bytesPerSecond": 0.0,
        "copyMode": "streamed",
    }


async def test_a_final_error_reaches_the_control_plane_and_the_destination() -> None:
    plane = PlaneInMemory()
    plane.source.contents = {"a": b"1"}
    plane.sink.objects = {"a": b"theirs"}
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "TERMINATED")
        status = (await client.get(f"{FLOW}/status")).json()
    [errored] = [message for kind, _, message in plane.control_plane.told if kind == "errored"]
    assert errored.failure is not None
    assert (errored.failure.code, errored.failure.object_name) == ("Conflict", "a")
    assert plane.sink.failed is not None
    assert plane.sink.failed.code == status["failure"]["code"] == "Conflict"
    assert plane.sink.complete is None
    assert plane.secrets == {}


@pytest.mark.parametrize("error", [PeerUnavailableError("down"), SecretNotFoundError(alias="callback-token")])
async def test_a_control_plane_that_cannot_be_told_now_is_told_later(error: ConnectorError) -> None:
    plane = PlaneInMemory()
    plane.source.contents, plane.control_plane.error = {"a": b"1"}, error
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())

        async def tried_three_times() -> bool:
            flow = await plane.store.find("process-1")
            return flow is not None and flow.attempt >= 3

        await eventually(tried_three_times)
        assert plane.control_plane.told == []
        plane.control_plane.error = None
        await plane.until("process-1", "COMPLETED")
    assert "completed" in [kind for kind, _, _ in plane.control_plane.told]


@pytest.mark.parametrize(
    ("error", "patience"),
    [(PeerRefusedError("no", status=400), timedelta(days=1)), (PeerUnavailableError("HTTP 403"), timedelta(0))],
)
async def test_a_control_plane_that_refuses_for_good_or_for_too_long_is_not_asked_for_ever(
    error: ConnectorError, patience: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    plane = PlaneInMemory(callback_patience=patience)
    plane.source.contents, plane.control_plane.error = {"a": b"1"}, error
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "COMPLETED")
    given_up = [record for record in caplog.records if record.message == "owed work was given up"]
    assert [record.levelname for record in given_up] == ["ERROR"]


async def test_a_flow_in_which_nothing_moves_ends_with_the_last_error() -> None:
    plane = PlaneInMemory(limits=WorkerLimits(lease=5, heartbeat=0.02, no_progress=0.1, flow=60))
    plane.source.contents = {"a": b"1"}

    def down(_name: str, _offset: int) -> None:
        raise OutageError("the disk is on fire")

    plane.source.before_read = down
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "TERMINATED")
    flow = await plane.store.find("process-1")
    assert flow is not None
    assert flow.failure is not None
    assert (flow.failure.code, flow.failure.retryable) == ("NoProgress", True)
    assert "the disk is on fire" in flow.failure.message


async def test_a_flow_that_moves_all_the_time_ends_at_the_absolute_cap() -> None:
    plane = PlaneInMemory(limits=WorkerLimits(lease=5, heartbeat=0.02, no_progress=20, flow=0.05))
    plane.source.contents = {f"{at:05d}": b"1" for at in range(20_000)}
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "TERMINATED")
    flow = await plane.store.find("process-1")
    assert flow is not None
    assert flow.failure is not None
    assert flow.failure.code == "TimeLimit"


async def test_an_unexpected_error_ends_the_flow_with_a_reason_and_no_text_of_its_own() -> None:
    plane = PlaneInMemory()
    plane.source.contents = {"a": b"1"}

    def defect(_name: str, _offset: int) -> None:
        raise ZeroDivisionError("sig=secret")

    plane.source.before_read = defect
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "TERMINATED")
    flow = await plane.store.find("process-1")
    assert flow is not None
    assert flow.failure is not None
    assert flow.failure.code == "InternalError"
    assert "secret" not in flow.failure.message


@pytest.mark.parametrize("path", ["suspend", "terminate", "completed"])
async def test_bytes_have_stopped_when_the_message_is_answered(path: str) -> None:
    plane = PlaneInMemory()
    plane.source.contents = {"large": LARGE}
    reading, go_on = asyncio.Event(), asyncio.Event()
    read = plane.source.read

    async def held_read(*args: object) -> bytes:
        reading.set()
        await go_on.wait()
        return bytes(await read(*args))  # type: ignore[arg-type]

    plane.source.read = held_read  # type: ignore[method-assign, assignment]
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await reading.wait()
        await client.post(f"{FLOW}/{path}", json={"messageId": "m"})
        assert plane.manager.progress_of("process-1") is None
        go_on.set()
    assert plane.sink.objects == {}
    assert plane.sink.failed is None


async def test_a_flow_that_another_process_stopped_is_left_at_the_next_heartbeat() -> None:
    plane, other = PlaneInMemory(), PlaneInMemory()
    flows = replace(plane.use_cases.flows, manager=other.manager)
    other.use_cases = replace(other.use_cases, flows=flows)
    plane.source.contents = {"large": LARGE}
    reading = asyncio.Event()

    async def never(*_args: object) -> bytes:
        reading.set()
        await asyncio.Event().wait()
        return b""

    plane.source.read = never  # type: ignore[method-assign, assignment]
    async with plane.client() as client, other.client(working=False) as other_client:
        await client.post("/dataflows/start", json=start_message())
        await reading.wait()
        await other_client.post(f"{FLOW}/suspend", json={"messageId": "m"})

        async def left() -> bool:
            return plane.manager.progress_of("process-1") is None

        await eventually(left)
        assert (await client.get(f"{FLOW}/status")).json()["state"] == "SUSPENDED"


async def test_a_stopped_process_gives_its_flows_back_at_once() -> None:
    plane = PlaneInMemory()
    plane.source.contents = {"large": LARGE}
    reading = asyncio.Event()
    plane.source.before_read = lambda _name, _offset: reading.set()
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await reading.wait()
    assert [leased.flow.id for leased in await plane.store.lease_due("next", limit=1, seconds=5)] == ["process-1"]
