"""A flow without a credential is parked: it stands still, says why, and goes on when it is resumed."""

import asyncio

import pytest

from connector_spi.errors import ConnectorError, PeerRefusedError, PeerUnavailableError
from data_plane.domain.credential_life import CredentialNeededError
from data_plane.domain.object_copy import MEBIBYTE, Block, ObjectCopy
from tests.eventually import eventually
from tests.unit.data_plane.fakes import MemorySink
from tests.unit.data_plane.plane import PlaneInMemory, start_message

FLOW = "/dataflows/process-1"
LARGE = bytes(range(256)) * (20 * MEBIBYTE // 256)
ENDED = CredentialNeededError("The signature ends at noon. Resume the flow.")
REASON = "CredentialExpired: The signature ends at noon. Resume the flow."


def without_a_credential() -> PlaneInMemory:
    """Copies the first of two objects."""
    plane = PlaneInMemory()
    plane.source.contents = {"a": bytes(9 * 1024 * 1024), "b": bytes(9 * 1024 * 1024)}
    parking(plane)
    return plane


def parking(plane: PlaneInMemory, error: ConnectorError | None = ENDED) -> None:
    def before(name: str, _index: int) -> None:
        if error is not None and name == "b":
            raise error

    plane.sink.before_stage = before


async def test_the_state_the_status_and_the_control_plane_say_why() -> None:
    plane = without_a_credential()
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "SUSPENDED")
        status = (await client.get(f"{FLOW}/status")).json()
        assert (status["state"], status["reason"]) == ("SUSPENDED", REASON)
        [told] = [message for kind, _, message in plane.control_plane.told if kind == "suspended"]
        assert (told.state, told.reason) == ("SUSPENDED", REASON)
        assert plane.secrets, "its credential is kept"
        assert plane.sink.failed is None

        parking(plane, None)
        before = dict(plane.sink.objects)
        await client.post(f"{FLOW}/resume", json={"messageId": "message-2"})
        await plane.until("process-1", "COMPLETED")
        assert "reason" not in (await client.get(f"{FLOW}/status")).json()
    assert plane.sink.objects == plane.source.contents
    assert before.items() <= plane.sink.objects.items()


async def test_a_block_that_is_under_way_is_recorded_before_the_flow_is_parked() -> None:
    plane, stage = PlaneInMemory(), MemorySink.stage_block
    plane.source.contents = {"b": LARGE}
    refused, staged = asyncio.Event(), list[int]()

    async def stage_slowly(copy: ObjectCopy, index: int, data: Block) -> None:
        if index == 1 and not refused.is_set():
            refused.set()
            raise ENDED
        await refused.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        staged.append(index)
        await stage(plane.sink, copy, index, data)

    plane.sink.stage_block = stage_slowly  # type: ignore[method-assign]
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "SUSPENDED")
        assert staged == [0]
        await client.post(f"{FLOW}/resume", json={"messageId": "message-2"})
        await plane.until("process-1", "COMPLETED")
    assert plane.sink.objects == plane.source.contents
    assert sorted(staged) == [0, 1, 2], "none is sent twice"


async def test_each_time_that_it_is_parked_is_told() -> None:
    plane = without_a_credential()
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "SUSPENDED")
        await client.post(f"{FLOW}/resume", json={"messageId": "message-2"})

        async def told_twice() -> bool:
            return len([kind for kind, _, _ in plane.control_plane.told if kind == "suspended"]) == 2

        await eventually(told_twice, seconds=10)
        assert (await client.get(f"{FLOW}/status")).json()["reason"] == REASON
    assert len({message.message_id for kind, _, message in plane.control_plane.told if kind == "suspended"}) == 2


@pytest.mark.parametrize("error", [PeerRefusedError("does not know it", status=404), PeerUnavailableError("away")])
async def test_a_control_plane_that_does_not_hear_it_keeps_nothing_from_going_on(error: ConnectorError) -> None:
    plane = without_a_credential()
    plane.control_plane.error = error
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())

        async def parked() -> bool:
            return bool((await client.get(f"{FLOW}/status")).json().get("state") == "SUSPENDED")

        await eventually(parked, seconds=10)
        parking(plane, None)
        await client.post(f"{FLOW}/resume", json={"messageId": "message-2"})
        plane.control_plane.error = None
        await plane.until("process-1", "COMPLETED")
    assert plane.sink.objects == plane.source.contents


async def test_a_parked_flow_can_be_terminated_and_forgets_its_credential() -> None:
    plane = without_a_credential()
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "SUSPENDED")
        await client.post(f"{FLOW}/terminate", json={"messageId": "message-2", "reason": "Enough."})
        await plane.until("process-1", "TERMINATED")
        assert (await client.get(f"{FLOW}/status")).json()["reason"] == "Enough."
    assert plane.secrets == {}


async def test_a_reason_that_cannot_be_left_for_want_of_a_credential_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plane = PlaneInMemory()
    plane.source.contents = {}

    async def no_credential(_failure: object) -> None:
        raise ENDED

    plane.sink.mark_failed = no_credential  # type: ignore[method-assign, assignment]
    async with plane.client() as client:
        await client.post("/dataflows/start", json=start_message())
        await plane.until("process-1", "TERMINATED")
    given_up = [vars(record) for record in caplog.records if record.getMessage() == "owed work was given up"]
    assert [(record["work"], record["reason"]) for record in given_up] == [("FAILED_MARKER", ENDED.message)]
    assert [kind for kind, _, _ in plane.control_plane.told if kind == "errored"] == ["errored"]
    assert plane.secrets == {}
