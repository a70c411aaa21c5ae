"""What the sender of an HTTP push may do at the receiver's public inbox, and what it may not."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from azure_storage.object_names import check_object_name
from connector_spi.data_address import DataAddressMessage
from data_plane.domain.data_flow import DataFlowRole
from data_plane.domain.inbox_errors import DestinationFullError
from data_plane.domain.object_copy import MEBIBYTE
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.inbox_writes import WHOLE_BYTES, InboxLimits
from tests.unit.data_plane.fakes import MemorySink, OutageError
from tests.unit.data_plane.plane import PlaneInMemory, start_message

FLOW = "/dataflows/process-1"
PUBLIC = "https://public.example"
LARGE = bytes(range(256)) * (10 * MEBIBYTE // 256)
"""More than one block."""


def push_message(**changes: Any) -> dict[str, Any]:
    place = {"destination": {"type": "Memory", "properties": {"place": "ours", **changes.pop("place", {})}}}
    return start_message(**{"profile": "HttpData-PUSH", "dataAddress": None, "metadata": place, **changes})


@dataclass
class Sender:
    """What the provider was given."""

    plane: PlaneInMemory
    client: httpx.AsyncClient
    path: str
    token: str

    async def put(
        self, name: str, content: Any, *, method: str = "PUT", token: str | None = None, **headers: str
    ) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.token if token is None else token}"}
        sent |= {header.replace("_", "-"): value for header, value in headers.items()}
        return await self.client.request(method, self.path + name, content=content, headers=sent)


@asynccontextmanager
async def sender_to(plane: PlaneInMemory, *, working: bool = True, **changes: Any) -> AsyncIterator[Sender]:
    async with plane.client(working=working) as client:
        answer = await client.post("/dataflows/prepare", json=push_message(**changes))
        assert answer.json()["state"] == "PREPARED", answer.text
        address = DataAddressMessage.model_validate(answer.json()["dataAddress"]).to_address()
        path = address.get("endpoint").removeprefix(PUBLIC)
        yield Sender(plane, client, path, address.get("authorization"))


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_prepare_answers_the_inbox_and_only_the_vault_holds_what_opens_it() -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        first = await client.post("/dataflows/prepare", json=push_message())
        again = await client.post("/dataflows/prepare", json=push_message())
    assert first.json() == again.json()
    address = DataAddressMessage.model_validate(first.json()["dataAddress"]).to_address()
    assert address.type == "HttpData"
    assert set(address.properties) == {"endpoint", "authType", "authorization"}
    assert address.get("endpoint") == "https://public.example/public/inbox/cHJvY2Vzcy0x/"
    flow = await plane.store.find("process-1")
    assert flow is not None
    assert (flow.role, flow.destination.get("container")) == (DataFlowRole.RECEIVER, "made")
    assert len(address.get("authorization")) > 40
    assert address.get("authorization") not in repr(flow) + repr(plane.store._answers)
    assert sorted(plane.secrets) == ["data-flow-process-1-issued", "data-flow-process-1-prepared"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"metadata": {}}, "metadata.destination"),
        ({"metadata": {"destination": {"type": "Memory", "properties": {"keyName": "other"}}}}, "keyName"),
        ({"metadata": {"destination": {"type": "Nothing", "properties": {}}}}, "Nothing"),
    ],
)
async def test_a_prepare_without_a_usable_place_is_refused(changes: dict[str, Any], problem: str) -> None:
    async with PlaneInMemory().client(working=False) as client:
        answer = await client.post("/dataflows/prepare", json={**push_message(), **changes})
    assert (answer.status_code, problem in answer.json()["message"]) == (400, True)


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_objects_arrive_whole_with_their_type(method: str) -> None:
    async with sender_to(PlaneInMemory()) as sender:
        small = await sender.put("a/b ü.txt", b"small", method=method, Content_Type="text/x-own")
        large = await sender.put("large", LARGE, method=method)
        empty = await sender.put("empty", b"", method=method)
        assert (small.status_code, large.status_code, empty.status_code) == (201, 201, 201)
        assert sender.plane.sink.objects == {"a/b ü.txt": b"small", "large": LARGE, "empty": b""}
        assert [size for _, size in sender.plane.sink.sent] == [5, 8 * MEBIBYTE, 2 * MEBIBYTE, 0]
        await sender.client.post(f"{FLOW}/started", json={"messageId": "s"})
        await sender.client.post(f"{FLOW}/completed", json={"messageId": "c"})
        await sender.plane.until("process-1", "COMPLETED")
    complete = {copy.destination_name: copy for copy in sender.plane.sink.complete or ()}
    assert complete["a/b ü.txt"].source.content_type == "text/x-own"
    assert complete["large"].sha256 == hashlib.sha256(LARGE).hexdigest()
    assert complete["large"].source.size == len(LARGE)
    assert sender.plane.preparer.released == [("process-1", True)]
    assert sender.plane.secrets == {}


async def test_a_body_of_unknown_length_is_taken_up_to_one_block() -> None:
    async with sender_to(PlaneInMemory()) as sender:
        fits = await sender.put("fits", pieces(b"a" * WHOLE_BYTES))
        assert (fits.status_code, len(sender.plane.sink.objects["fits"])) == (201, WHOLE_BYTES)
        longer = await sender.put("longer", pieces(b"a" * WHOLE_BYTES, b"a"))
        assert (longer.status_code, "Content-Length" in longer.text) == (411, True)
        assert "longer" not in sender.plane.sink.objects


async def test_an_object_over_the_limit_is_refused_before_it_is_read() -> None:
    plane = PlaneInMemory(inbox_limits=InboxLimits(uploads=4, object_bytes=10, block_seconds=5))

    read = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"01234567890"

    async with sender_to(plane) as sender:
        assert (await sender.put("a", counted(), Content_Length="11")).status_code == 413
        assert read == 0
        assert (await sender.put("a", b"0123456789")).status_code == 201


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_the_same_object_again_changes_nothing_and_another_one_is_refused(content: bytes) -> None:
    async with sender_to(PlaneInMemory()) as sender:
        assert (await sender.put("a", content)).status_code == 201
        assert (await sender.put("a", content)).status_code == 204
        assert (await sender.put("a", content[:-1] + b"!")).status_code == 409
        assert (await sender.put("a", content[:-1])).status_code == 409
        assert sender.plane.sink.objects["a"] == content


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_an_object_that_is_not_of_this_flow_is_never_overwritten(content: bytes) -> None:
    plane = PlaneInMemory(sink=MemorySink(objects={"a": b"foreign"}))
    async with sender_to(plane) as sender:
        for _ in range(2):
            answer = await sender.put("a", content)
            assert (answer.status_code, answer.json()["code"]) == (409, "ObjectTaken")
        assert plane.sink.objects == {"a": b"foreign"}


@pytest.mark.parametrize("content", [b"small", LARGE])
async def test_a_commit_whose_answer_is_lost_is_known_for_ours_when_the_sender_comes_again(content: bytes) -> None:
    plane = PlaneInMemory()

    def lost(_name: str) -> None:
        raise asyncio.CancelledError

    async with sender_to(plane) as sender:
        plane.sink.after_commit = lost
        with pytest.raises(asyncio.CancelledError):
            await sender.put("a", content)
        plane.sink.after_commit = lambda _name: None
        assert (await sender.put("a", content)).status_code in {201, 204}
        assert (await sender.put("a", content[:-1] + b"!")).status_code == 409
        assert plane.sink.objects["a"] == content


async def test_a_sink_that_does_not_answer_for_a_moment_is_asked_again() -> None:
    plane, failures = PlaneInMemory(), 2

    def outage(_name: str, _index: int) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise OutageError("down")

    plane.sink.before_stage = outage
    async with sender_to(plane) as sender:
        assert (await sender.put("a", LARGE)).status_code == 201


@pytest.mark.parametrize(("error", "status"), [(OutageError("at secret place"), 503), (DestinationFullError("x"), 507)])
async def test_an_outage_is_told_without_telling_where(error: Exception, status: int) -> None:
    plane = PlaneInMemory()

    def fail(_name: str, _index: int) -> None:
        raise error

    plane.sink.before_stage = fail
    async with sender_to(plane) as sender:
        answer = await sender.put("a", b"content")
        assert (answer.status_code, answer.headers["Retry-After"]) == (status, "1")
        assert "secret place" not in answer.text


@pytest.mark.parametrize(
    "name", ["", "a//b", "a/%2E%2E/b", "%2E%2E", "a.", ".complete", ".manifest/1", "a%5Cb", "a%00b", "a%0Ab"]
)
async def test_a_name_that_could_do_harm_is_refused(name: str) -> None:
    plane = PlaneInMemory(sink=CheckedNamesSink())
    async with sender_to(plane, working=False) as sender:
        # As it is written on the wire: a client of ours would have tidied the path up.
        url = httpx.URL("http://data-plane").copy_with(raw_path=(sender.path + name).encode())
        answer = await sender.client.put(url, content=b"x", headers={"Authorization": f"Bearer {sender.token}"})
        assert (answer.status_code in {400, 404}, plane.sink.objects) == (True, {})


@dataclass
class CheckedNamesSink(MemorySink):
    """Has the rules of the real sinks."""

    def destination_name(self, _flow: Any, source: Any, *, single: bool) -> str:
        return check_object_name(source.name)


async def test_a_place_for_one_object_has_an_address_of_its_own() -> None:
    async with sender_to(PlaneInMemory(), place={"name": "wished"}) as sender:
        assert sender.path == "/public/inbox/cHJvY2Vzcy0x"
        assert (await sender.put("/other", b"x")).status_code == 404
        assert (await sender.put("", b"x")).status_code == 201
        assert sender.plane.sink.objects == {"wished": b"x"}


@pytest.mark.parametrize("token", ["", "wrong", "tökén"])
async def test_a_wrong_token_opens_nothing(token: str) -> None:
    async with sender_to(PlaneInMemory()) as sender:
        headers = {b"Authorization": f"Bearer {token}".encode()}
        answer = await sender.client.put(sender.path + "a", content=b"x", headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        other = sender.path.replace("cHJvY2Vzcy0x", "cHJvY2Vzcy0y")
        headers = {b"Authorization": f"Bearer {sender.token}".encode()}
        assert (await sender.client.put(other + "a", content=b"x", headers=headers)).status_code == 401
        assert sender.plane.sink.objects == {}


async def test_the_token_of_a_pull_opens_no_inbox_and_that_of_an_inbox_no_pull() -> None:
    async with sender_to(PlaneInMemory()) as sender:
        read = sender.path.replace("/inbox/", "/flows/")
        headers = {"Authorization": f"Bearer {sender.token}"}
        assert (await sender.client.get(read, headers=headers)).status_code == 401


@pytest.mark.parametrize("message", ["suspend", "terminate", "completed"])
async def test_the_token_is_dead_when_the_flow_does_not_receive(message: str) -> None:
    async with sender_to(PlaneInMemory()) as sender:
        await sender.client.post(f"{FLOW}/started", json={"messageId": "s"})
        assert (await sender.put("a", b"x")).status_code == 201
        await sender.client.post(f"{FLOW}/{message}", json={"messageId": "m"})
        assert (await sender.put("b", b"x")).status_code == 401
        assert set(sender.plane.sink.objects) == {"a"}


async def test_after_a_pause_the_same_token_works() -> None:
    async with sender_to(PlaneInMemory()) as sender:
        await sender.client.post(f"{FLOW}/started", json={"messageId": "s"})
        await sender.client.post(f"{FLOW}/suspend", json={"messageId": "m"})
        resumed = await sender.client.post(f"{FLOW}/resume", json={"messageId": "r", "processId": "process-1"})
        address = DataAddressMessage.model_validate(resumed.json()["dataAddress"]).to_address()
        assert address.get("authorization") == sender.token
        assert (await sender.put("a", b"x")).status_code == 201


async def test_a_token_that_has_outlived_its_flow_opens_nothing() -> None:
    async with sender_to(PlaneInMemory()) as sender:
        flow = await sender.plane.store.find("process-1")
        assert flow is not None
        assert flow.access is not None
        over = replace(flow.access, expires_at=sender.plane.clock.now())
        await sender.plane.store.save(replace(flow, access=over))
        assert (await sender.put("a", b"x")).status_code == 401


@dataclass
class SlowBody:
    """Sends one block, then waits to be told."""

    first: bytes = LARGE[:WHOLE_BYTES]
    rest: bytes = LARGE[WHOLE_BYTES:]
    sent_first: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.first
        self.sent_first.set()
        await self.go_on.wait()
        yield self.rest


async def test_an_upload_that_is_under_way_when_the_flow_is_terminated_is_never_published() -> None:
    async with sender_to(PlaneInMemory()) as sender:
        body = SlowBody()
        upload = asyncio.create_task(sender.put("a", aiter(body), Content_Length=str(len(LARGE))))
        await body.sent_first.wait()
        await sender.client.post(f"{FLOW}/terminate", json={"messageId": "m", "reason": "enough"})
        body.go_on.set()
        assert (await upload).status_code == 401
        await sender.plane.until("process-1", "TERMINATED")
        assert sender.plane.sink.objects == {}
        assert sender.plane.preparer.released == [("process-1", False)]
        assert sender.plane.secrets == {}


async def test_a_body_that_ends_early_leaves_nothing() -> None:
    async with sender_to(PlaneInMemory()) as sender:
        answer = await sender.put("a", pieces(LARGE[:WHOLE_BYTES]), Content_Length=str(len(LARGE)))
        assert (answer.status_code, answer.json()["code"]) == (400, "UploadIncomplete")
        assert sender.plane.sink.objects == {}
        assert (await sender.put("a", LARGE)).status_code == 201


async def test_a_body_that_stands_still_is_given_up_and_gives_its_memory_back() -> None:
    budget = ByteBudget(8 * MEBIBYTE)
    limits = InboxLimits(uploads=4, object_bytes=64 * MEBIBYTE, block_seconds=0.05)
    async with sender_to(PlaneInMemory(inbox_limits=limits, inbox_budget=budget)) as sender:
        answer = await sender.put("a", aiter(SlowBody()), Content_Length=str(len(LARGE)))
        assert (answer.status_code, answer.json()["code"]) == (408, "UploadTooSlow")
        assert budget.free_bytes == 8 * MEBIBYTE


async def test_one_upload_more_than_there_may_be_is_told_to_come_again() -> None:
    plane = PlaneInMemory(inbox_limits=InboxLimits(uploads=1, object_bytes=64 * MEBIBYTE, block_seconds=5))
    async with sender_to(plane) as sender:
        body = SlowBody()
        upload = asyncio.create_task(sender.put("a", aiter(body), Content_Length=str(len(LARGE))))
        await body.sent_first.wait()
        for name in ("a", "b"):
            busy = await sender.put(name, b"x")
            assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
        body.go_on.set()
        assert (await upload).status_code == 201


async def test_memory_is_bounded_by_the_budget() -> None:
    """Two uploads of more than the budget each: the second block of neither is read before there is room."""
    budget = ByteBudget(8 * MEBIBYTE)
    async with sender_to(PlaneInMemory(inbox_budget=budget)) as sender:
        answers = await asyncio.gather(sender.put("a", LARGE), sender.put("b", LARGE))
        assert [answer.status_code for answer in answers] == [201, 201]
        assert budget.free_bytes == 8 * MEBIBYTE


@pytest.mark.parametrize("headers", [{"Content_Type": "a" * 300}, {"Content_Encoding": "x\ty"}])
async def test_a_header_that_cannot_be_kept_is_refused(headers: dict[str, str]) -> None:
    async with sender_to(PlaneInMemory()) as sender:
        assert (await sender.put("a", b"x", **headers)).status_code == 400
