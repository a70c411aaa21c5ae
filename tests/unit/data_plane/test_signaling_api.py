"""Data Plane Signaling as a control plane meets it: states, repeated messages, refusals."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from connector_spi.data_address import DataAddress, DataAddressMessage
from connector_spi.errors import StoreUnavailableError
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import DataFlowExistsError
from data_plane.ports.data_flow_store import Answer
from tests.unit.data_plane.plane import PlaneInMemory, start_message

FLOW = "/dataflows/process-1"


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    answer = await client.post(path, json=body or {})
    return answer.status_code, answer.json()


async def test_start_is_answered_with_the_process_id_and_started() -> None:
    async with PlaneInMemory().client(working=False) as client:
        status, body = await post(client, "/dataflows/start", start_message())
        assert (status, body["dataFlowId"], body["state"]) == (200, "process-1", "STARTED")
        answer = await client.get(f"{FLOW}/status")
    assert answer.json()["state"] == "STARTED"


async def test_the_same_message_again_gets_the_same_answer() -> None:
    async with PlaneInMemory().client(working=False) as client:
        first = await post(client, "/dataflows/start", start_message())
        assert await post(client, "/dataflows/start", start_message()) == first


async def test_two_equal_start_messages_at_once_start_one_flow() -> None:
    async with PlaneInMemory().client(working=False) as client:
        answers = await asyncio.gather(*(post(client, "/dataflows/start", start_message()) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)


async def test_another_message_for_a_known_process_is_refused_and_leaves_its_credential_alone() -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        await post(client, "/dataflows/start", start_message())
        before = dict(plane.secrets)
        address = DataAddressMessage.of(DataAddress("Memory", {"place": "there", "secret": "another"}))
        other = start_message(messageId="other", dataAddress=address.model_dump(by_alias=True, exclude_none=True))
        status, body = await post(client, "/dataflows/start", other)
    assert (status, body["code"]) == (409, "DataFlowExists")
    assert plane.secrets == before == {"data-flow-process-1-destination": "the-signature"}


@pytest.mark.parametrize("process_id", ["urn:uuid:1-2-3", "a/b", "Ü", "x" * 256])
async def test_any_process_id_can_be_worked_with(process_id: str) -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        await post(client, "/dataflows/start", start_message(process_id))
        path = httpx.URL("http://data-plane").copy_with(path=f"/dataflows/{process_id}/terminate")
        answer = await client.post(path, json={"messageId": "m"})
    assert (answer.status_code, answer.json()["dataFlowId"]) == (200, process_id)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"processId": None}, "processId"),
        ({"agreementId": None}, "agreementId"),
        ({"dataAddress": None}, "dataAddress"),
        ({"metadata": None}, "metadata.source"),
        ({"metadata": {"source": {"type": "Memory", "properties": {"place": 1}}}}, "metadata.source.properties.place"),
        ({"metadata": {"source": {"type": "Tape"}}}, "Tape"),
        ({"dataAddress": {"endpointType": "Tape"}}, "Tape"),
        (
            {"metadata": {"source": {"type": "Memory", "properties": {"authKey": "hidden-secret"}}}},
            "source.authKey",
        ),
    ],
)
async def test_a_wrong_start_message_is_refused_by_naming_the_member(changes: dict[str, Any], named: str) -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        status, body = await post(client, "/dataflows/start", start_message(**changes))
        assert (await client.get(f"{FLOW}/status")).status_code == 404
    assert status == 400
    assert named in body["message"]
    assert "hidden-secret" not in str(body)


EDC = "https://w3id.org/edc/v0.0.1/ns/"


async def test_a_secret_under_edcs_name_is_a_secret() -> None:
    plane = PlaneInMemory()
    source = {"type": f"{EDC}Memory", "properties": {f"{EDC}place": "here", f"{EDC}secret": "planted-secret"}}
    async with plane.client(working=False) as client:
        status, _ = await post(client, "/dataflows/start", start_message(metadata={"source": source}))
    flow = await plane.store.find("process-1")
    assert (status, flow is not None) == (200, True)
    assert flow is not None
    assert flow.source == DataAddress("Memory", {"place": "here", "keyName": "data-flow-process-1-source"})
    assert plane.secrets["data-flow-process-1-source"] == "planted-secret"


WITH_SECRET = {"source": {"type": "Memory", "properties": {"place": "here", "secret": "source-secret"}}}


@pytest.mark.parametrize("address", [{"endpointType": "Tape"}, None])
async def test_a_refused_start_message_leaves_no_secret_in_the_vault(address: dict[str, Any] | None) -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        status, _ = await post(client, "/dataflows/start", start_message(metadata=WITH_SECRET, dataAddress=address))
    assert (status, plane.secrets) == (400, {})


async def test_a_start_message_whose_flow_cannot_be_stored_leaves_no_secret_in_the_vault() -> None:
    plane = PlaneInMemory()
    vaulted: list[str] = []

    async def refused(*_args: object) -> DataFlow:
        vaulted.extend(plane.secrets.values())
        raise StoreUnavailableError("The disk is full.")

    plane.store.add = refused  # type: ignore[method-assign, assignment]
    async with plane.client(working=False) as client:
        status, _ = await post(client, "/dataflows/start", start_message(metadata=WITH_SECRET))
    assert sorted(vaulted) == ["source-secret", "the-signature"]
    assert (status, plane.secrets) == (503, {})


async def test_a_start_message_that_another_process_was_faster_with_leaves_that_flows_secret_alone() -> None:
    plane = PlaneInMemory()
    add = plane.store.add

    async def overtaken(flow: DataFlow, answer: Answer | None = None) -> DataFlow:
        await add(flow, answer)
        raise DataFlowExistsError(flow_id=flow.id)

    plane.store.add = overtaken  # type: ignore[method-assign]
    async with plane.client(working=False) as client:
        status, _ = await post(client, "/dataflows/start", start_message())
    assert (status, plane.secrets) == (200, {"data-flow-process-1-destination": "the-signature"})


async def test_a_body_that_is_no_json_is_refused() -> None:
    async with PlaneInMemory().client(working=False) as client:
        answer = await client.post("/dataflows/start", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")


@pytest.mark.parametrize("text", ["nul \\u0000", "half a pair \\ud800"])
@pytest.mark.parametrize("path", ["start", "process-1/terminate"])
async def test_a_text_that_no_database_keeps_is_refused(path: str, text: str) -> None:
    body = json.dumps({**start_message("process-2"), "reason": "TEXT", "agreementId": "TEXT"}).replace("TEXT", text)
    async with PlaneInMemory().client(working=False) as client:
        await post(client, "/dataflows/start", start_message())
        answer = await client.post(f"/dataflows/{path}", content=body)
        status = await client.get(f"{FLOW}/status")
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert status.json()["state"] == "STARTED"


async def test_a_path_that_no_database_keeps_is_refused() -> None:
    async with PlaneInMemory().client(working=False) as client:
        answer = await client.get("/dataflows/a%00b/status")
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")


async def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with asyncio.timeout(5), PlaneInMemory(body_seconds=0.01).client(working=False) as client:
        answer = await client.post("/dataflows/start", content=pieces())
    assert (answer.status_code, answer.json()["code"]) == (408, "BodyTooSlow")


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_refused(*, announced: bool) -> None:
    async def pieces() -> Any:
        for _ in range(10):
            yield b"x" * 1000

    async with PlaneInMemory().client(working=False) as client:
        answer = await client.post("/dataflows/start", content=b"x" * 10_000 if announced else pieces())
    assert (answer.status_code, answer.json()["code"]) == (413, "BodyTooLarge")


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic the-token", "Bearer"])
async def test_without_the_token_nothing_is_answered(header: str) -> None:
    async with PlaneInMemory().client(working=False) as client:
        client.headers["Authorization"] = header
        start = await client.post("/dataflows/start", content=b"{")
        status = await client.get(f"{FLOW}/status")
        liveness = await client.get("/api/check/liveness")
    assert (start.status_code, status.status_code, liveness.status_code) == (401, 401, 200)
    assert start.json()["code"] == "Unauthenticated"


@pytest.mark.parametrize(("server", "expected"), [("127.0.0.1", 200), ("[::1]", 200), ("192.0.2.1", 401)])
async def test_messages_without_any_token_are_taken_on_loopback_only(server: str, expected: int) -> None:
    async with PlaneInMemory(token=None).client(working=False, server=server) as client:
        status, _ = await post(client, "/dataflows/start", start_message())
    assert status == expected


@pytest.mark.parametrize("path", ["started", "suspend", "resume", "terminate", "completed"])
async def test_a_message_for_an_unknown_flow_is_answered_404(path: str) -> None:
    async with PlaneInMemory().client(working=False) as client:
        status, body = await post(client, f"/dataflows/nobody/{path}", {"messageId": "m"})
    assert (status, body["code"]) == (404, "NotFound")


async def test_suspend_resume_and_terminate_move_the_flow_and_may_be_repeated() -> None:
    async with PlaneInMemory().client(working=False) as client:
        await post(client, "/dataflows/start", start_message())
        states = [
            (await post(client, f"{FLOW}/{path}", {"messageId": str(at)}))[1]["state"]
            for at, path in enumerate(["suspend", "suspend", "resume", "resume", "terminate", "terminate"])
        ]
        after = [(await post(client, f"{FLOW}/{path}"))[0] for path in ("suspend", "resume", "completed")]
    assert states == ["SUSPENDED", "SUSPENDED", "STARTED", "STARTED", "TERMINATED", "TERMINATED"]
    assert after == [409, 409, 409]


async def test_a_late_copy_of_an_old_message_changes_nothing() -> None:
    async with PlaneInMemory().client(working=False) as client:
        await post(client, "/dataflows/start", start_message())
        first = await post(client, f"{FLOW}/suspend", {"messageId": "m1"})
        await post(client, f"{FLOW}/resume", {"messageId": "m2"})
        assert await post(client, f"{FLOW}/suspend", {"messageId": "m1"}) == first
        assert (await client.get(f"{FLOW}/status")).json()["state"] == "STARTED"


@pytest.mark.parametrize("body", [b"", b"{}", b"anything", b'{"messageId": "m"}'])
async def test_completed_takes_any_body(body: bytes) -> None:
    async with PlaneInMemory().client(working=False) as client:
        await post(client, "/dataflows/start", start_message())
        answer = await client.post(f"{FLOW}/completed", content=body)
    assert answer.json()["state"] == "COMPLETED"


async def test_resume_takes_a_fresh_credential_and_no_other_place() -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        await post(client, "/dataflows/start", start_message())
        await post(client, f"{FLOW}/suspend", {"messageId": "m1"})
        for place, expected in (("elsewhere", 400), ("there", 200)):
            address = DataAddressMessage.of(DataAddress("Memory", {"place": place, "secret": "fresh"}))
            wire = address.model_dump(by_alias=True, exclude_none=True)
            status, _ = await post(client, f"{FLOW}/resume", {"messageId": place, "dataAddress": wire})
            assert status == expected
    assert plane.secrets == {"data-flow-process-1-destination": "fresh"}


async def test_prepare_hands_out_the_address_every_time_and_keeps_its_credential_in_the_vault_alone() -> None:
    plane = PlaneInMemory()
    message = start_message(
        dataAddress=None, metadata={"destination": {"type": "Memory", "properties": {"place": "there"}}}
    )
    async with plane.client() as client:
        first = await post(client, "/dataflows/prepare", message)
        assert await post(client, "/dataflows/prepare", message) == first
        assert first[1]["state"] == "PREPARED"
        address = DataAddressMessage.model_validate(first[1]["dataAddress"]).to_address()
        flow = await plane.store.find("process-1")
        assert flow is not None
        assert (address.get("secret"), address.get("container")) == ("signature-for-process-1", "made")
        assert (address.get("transferNonce"), address.get("consumerProcessId")) == (flow.nonce, "process-1")
        assert "signature-for" not in repr(flow) + repr(plane.store._answers)
        assert (await post(client, f"{FLOW}/started", {"messageId": "s"}))[1]["state"] == "STARTED"
        assert (await post(client, f"{FLOW}/completed"))[1]["state"] == "COMPLETED"
        await plane.until("process-1", "COMPLETED")
    assert plane.preparer.released == [("process-1", True)]
    assert plane.secrets == {}


async def test_health_names_the_component_that_is_down() -> None:
    async with PlaneInMemory().client(working=False) as client:
        answer = await client.get("/api/check/readiness")
    assert answer.json() == {
        "isSystemHealthy": True,
        "componentResults": [{"component": "database", "isHealthy": True}],
    }
