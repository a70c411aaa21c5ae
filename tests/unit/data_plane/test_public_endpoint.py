"""What the reader of an HTTP pull gets at the public endpoint, and who gets nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connector_spi.data_address import DataAddressMessage
from connector_spi.errors import NotFoundError, SecretNotFoundError, UnauthenticatedError
from data_plane.domain.object_copy import Block, SourceObject
from data_plane.domain.public_access import EARLIER_LIFE
from data_plane.services import public_reads
from data_plane.services.public_grants import flow_id_of, public_key
from data_plane.signaling_api import public
from tests.eventually import eventually
from tests.unit.data_plane.fakes import MemorySource
from tests.unit.data_plane.plane import PlaneInMemory
from tests.unit.data_plane.test_pull_flows import FLOW, pull_message

PUBLIC = "https://public.example"
CONTENT = b"0123456789"


@dataclass
class Reader:
    """What the consumer was given."""

    client: httpx.AsyncClient
    path: str
    token: str
    refresh_token: str

    async def get(self, name: str = "", *, method: str = "GET", token: str = "", **headers: str) -> httpx.Response:
        """Read; underscores in header names stand for hyphens."""
        sent = {"Authorization": f"Bearer {token or self.token}"}
        sent |= {header.replace("_", "-"): value for header, value in headers.items()}
        return await self.client.request(method, self.path + name, headers=sent)

    async def renew(self, client_token: str = "signed", **changes: str) -> httpx.Response:
        """Ask for a fresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token, **changes}
        headers = {"Authorization": f"Bearer {client_token}"}
        return await self.client.post("/public/token", data=form, headers=headers)


@asynccontextmanager
async def reader_of(plane: PlaneInMemory) -> AsyncIterator[Reader]:
    async with plane.client() as client:
        answer = await client.post("/dataflows/start", json=pull_message())
        address = DataAddressMessage.model_validate(answer.json()["dataAddress"]).to_address()
        path = address.get("endpoint").removeprefix(PUBLIC)
        yield Reader(client, path, address.get("authorization"), address.get("refreshToken"))


def one_object() -> PlaneInMemory:
    return PlaneInMemory(source=MemorySource({"a": CONTENT}, is_single=True))


async def test_one_object_is_read_whole_with_its_facts() -> None:
    async with reader_of(one_object()) as reader:
        whole, head = await reader.get(), await reader.get(method="HEAD")
    assert (whole.status_code, whole.content) == (200, CONTENT)
    for answer in (whole, head):
        assert answer.headers["Content-Length"] == "10"
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["ETag"].startswith('"')
        assert answer.headers["Cache-Control"] == "private, no-store"
    assert head.content == b""


@pytest.mark.parametrize(
    ("asked", "got", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-30", CONTENT, "bytes 0-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("Bytes=9-9", b"9", "bytes 9-9/10"),
    ],
)
async def test_a_part_is_read_alone(asked: str, got: bytes, content_range: str) -> None:
    async with reader_of(one_object()) as reader:
        answer, head = await reader.get(Range=asked), await reader.get(method="HEAD", Range=asked)
    assert (answer.status_code, answer.content, answer.headers["Content-Range"]) == (206, got, content_range)
    assert (head.status_code, head.headers["Content-Length"]) == (206, str(len(got)))


@pytest.mark.parametrize("asked", ["bytes=3-1", "bytes=0-1,3-4", "lines=0-1", "bytes=-", "bytes=x-1", "0-1"])
async def test_a_range_that_is_none_asks_for_all(asked: str) -> None:
    async with reader_of(one_object()) as reader:
        answer = await reader.get(Range=asked)
    assert (answer.status_code, answer.content) == (200, CONTENT)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=11-12", "bytes=-0"])
async def test_a_part_that_is_not_there_is_416(asked: str) -> None:
    async with reader_of(one_object()) as reader:
        answer = await reader.get(Range=asked)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */10")


async def test_conditions_hold_for_the_version_that_was_read_before() -> None:
    async with reader_of(one_object()) as reader:
        etag = (await reader.get(method="HEAD")).headers["ETag"]
        assert (await reader.get(Range="bytes=0-0", If_Range=etag)).status_code == 206
        assert (await reader.get(Range="bytes=0-0", If_Range='"older"')).status_code == 200
        assert (await reader.get(If_None_Match=etag)).status_code == 304
        assert (await reader.get(If_Match='"older"')).status_code == 412
        assert (await reader.get(If_Match=etag)).status_code == 200


async def test_several_objects_are_listed_page_by_page_and_read_by_name() -> None:
    names = ["a", "b/c", "d ü"]
    plane = PlaneInMemory(source=MemorySource({name: name.encode() for name in names}))
    async with reader_of(plane) as reader:
        first = (await reader.get()).json()
        second = (await reader.get(f"?after={first['next']}")).json()
        assert [one["name"] for one in (*first["objects"], *second["objects"])] == names
        assert "next" not in second
        for name in names:
            assert (await reader.get(name)).content == name.encode()
        assert (await reader.get("e")).status_code == 404


async def test_a_source_that_cannot_be_read_tells_the_reader_nothing_of_itself() -> None:
    plane = one_object()

    def gone(_first: str) -> None:
        raise SecretNotFoundError(alias="owners-account")

    plane.source.before_page = gone
    async with reader_of(plane) as reader:
        answer = await reader.get()
    assert (answer.status_code, answer.json()["code"]) == (502, "SourceUnavailable")
    assert "owners-account" not in answer.text


async def test_an_empty_object_is_an_answer_too() -> None:
    async with reader_of(PlaneInMemory(source=MemorySource({"a": b""}, is_single=True))) as reader:
        whole, part = await reader.get(), await reader.get(Range="bytes=0-")
    assert (whole.status_code, whole.content, part.status_code) == (200, b"", 416)


@pytest.mark.parametrize("token", ["wrong", "ä", "x" * 2000])
async def test_a_wrong_token_opens_nothing(token: str) -> None:
    async with reader_of(one_object()) as reader:
        answer = await reader.client.get(reader.path, headers=[(b"Authorization", f"Bearer {token}".encode())])
        none = await reader.client.get(reader.path, headers={"Authorization": ""})
        elsewhere = await reader.client.get("/public/flows/b3RoZXI/", headers={"Authorization": reader.token})
        no_name = await reader.client.get("/public/flows/%21%21/", headers={"Authorization": reader.token})
    for refused in (answer, none, elsewhere, no_name):
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("key", ["", "%21%21", "AA", "YQBi", "_w", public_key("a\0b")])
def test_a_public_name_that_is_none_is_not_looked_for_in_the_database(key: str) -> None:
    with pytest.raises(NotFoundError):
        flow_id_of(key)


@pytest.mark.parametrize("message", ["suspend", "terminate", "completed"])
async def test_the_token_is_dead_when_the_flow_does_not_run(message: str) -> None:
    async with reader_of(one_object()) as reader:
        await reader.client.post(f"{FLOW}/{message}", json={"messageId": "m"})
        assert (await reader.get()).status_code == 401


async def test_an_expired_token_opens_nothing() -> None:
    plane = one_object()
    async with reader_of(plane) as reader:
        flow = await plane.store.find("process-1")
        assert flow is not None
        assert flow.access is not None
        over = replace(flow.access, expires_at=plane.clock.now())
        await plane.store.save(replace(flow, access=over))
        assert (await reader.get()).status_code == 401


async def test_a_long_read_ends_soon_after_the_flow_was_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_reads, "CHUNK_BYTES", 1)
    monkeypatch.setattr(public_reads, "_CHECKED_EVERY_SECONDS", 0.0)
    plane = one_object()
    async with reader_of(plane) as reader:
        flow = await plane.store.find("process-1")
        assert flow is not None
        reads, source = plane.use_cases.reads, flow.source
        assert reads is not None
        assert source is not None
        read = reads.content(flow, await reads.find(source, "a"), 0, 10)
        assert await anext(read) == b"0"
        await reader.client.post(f"{FLOW}/suspend", json={"messageId": "m"})
        with pytest.raises(UnauthenticatedError):
            await anext(read)


@dataclass
class HeldSource(MemorySource):
    """Reads nothing before `go_on`."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        self.waiting += 1
        await self.go_on.wait()
        return await super().read(source, offset, length)


async def test_one_read_too_many_is_refused_for_now() -> None:
    source = HeldSource({"a": CONTENT}, is_single=True)
    async with reader_of(PlaneInMemory(source=source)) as reader, asyncio.TaskGroup() as group:
        reads = [group.create_task(reader.get()) for _ in range(4)]

        async def all_waiting() -> bool:
            return source.waiting == 4

        await eventually(all_waiting)
        refused = await reader.get()
        source.go_on.set()
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert [task.result().content for task in reads] == [CONTENT] * 4


async def test_one_consumer_does_not_take_the_places_of_others() -> None:
    source = HeldSource({"a": CONTENT}, is_single=True)
    plane = PlaneInMemory(source=source, max_reads_each=2)
    async with reader_of(plane) as reader, asyncio.TaskGroup() as group:
        message = pull_message(processId="flow-of-others", messageId="m-others", counterPartyId="did:web:others")
        address = DataAddressMessage.model_validate(
            (await reader.client.post("/dataflows/start", json=message)).json()["dataAddress"]
        ).to_address()
        others = Reader(reader.client, address.get("endpoint").removeprefix(PUBLIC), address.get("authorization"), "")
        reads = [group.create_task(reader.get()) for _ in range(2)]

        async def waiting() -> bool:
            return source.waiting == len(reads)

        await eventually(waiting)
        async with asyncio.timeout(10):
            assert (await reader.get()).status_code == 503
        reads += [group.create_task(others.get()) for _ in range(2)]
        await eventually(waiting)
        source.go_on.set()
    assert [task.result().content for task in reads] == [CONTENT] * 4


async def test_readers_that_stand_still_do_not_keep_the_places_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "_SILENCE_SECONDS", 0.05)
    plane = one_object()
    async with reader_of(plane) as reader:
        app = plane.app()
        headers = [(b"authorization", f"Bearer {reader.token}".encode())]
        scope = {"type": "http", "method": "GET", "path": reader.path, "query_string": b"", "headers": headers}
        asgi = {"asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1"}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def taken_by_nobody(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        async with asyncio.timeout(5):
            stalled = [app({**scope, **asgi}, receive, taken_by_nobody) for _ in range(4)]
            ended = await asyncio.gather(*stalled, return_exceptions=True)
            assert all(isinstance(error, Exception) for error in ended)

            async def read_again() -> bool:
                return (await reader.get()).status_code == 200

            await eventually(read_again)


@dataclass
class KnownClient:
    """Believes the token `signed`."""

    token: str = ""
    asked: tuple[str, str] = ("", "")

    async def claims(self, token: str, *, client: str, audience: str) -> Mapping[str, Any]:
        self.asked = (client, audience)
        if token != "signed":
            raise UnauthenticatedError("No.")
        return {"token": self.token}


async def test_a_token_is_renewed_and_the_one_before_works_a_little_longer() -> None:
    identity = KnownClient()
    plane = PlaneInMemory(source=MemorySource({"a": CONTENT}, is_single=True), identity=identity)
    async with reader_of(plane) as reader:
        identity.token = reader.token
        answer = await reader.renew()
        fresh = answer.json()
        assert (answer.status_code, fresh["token_type"], fresh["expires_in"]) == (200, "Bearer", 60)
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await reader.get(token=fresh["access_token"])).content == CONTENT
        assert (await reader.get()).status_code == 200
        assert identity.asked == ("consumer", "provider")
        # The answer was lost: the client asks again with what it has.
        assert (await reader.renew()).status_code == 200
        flow = await plane.store.find("process-1")
        assert flow is not None
        assert flow.access is not None
        assert not flow.access.admits(reader.token, at=plane.clock.now() + EARLIER_LIFE + timedelta(seconds=1))
        again = await reader.client.post("/dataflows/start", json=pull_message())
    assert reader.token not in str(again.json())


@pytest.mark.parametrize(
    ("changes", "client_token", "token", "status", "error"),
    [
        ({"refresh_token": "unknown"}, "signed", "", 400, "invalid_grant"),
        ({"refresh_token": "cHJvY2Vzcy0x.wrong"}, "signed", "", 400, "invalid_grant"),
        ({"grant_type": "password"}, "signed", "", 400, "invalid_request"),
        ({}, "forged", "", 401, "invalid_client"),
        ({}, "signed", "another token", 400, "invalid_grant"),
    ],
)
async def test_who_does_not_hold_both_tokens_and_the_key_gets_none(
    changes: dict[str, str], client_token: str, token: str, status: int, error: str
) -> None:
    identity = KnownClient()
    async with reader_of(PlaneInMemory(identity=identity)) as reader:
        identity.token = token or reader.token
        answer = await reader.renew(client_token, **changes)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "access_token" not in answer.json()


async def test_a_renewal_may_stand_in_the_query_and_is_none_without_a_client_token() -> None:
    identity = KnownClient()
    async with reader_of(PlaneInMemory(identity=identity)) as reader:
        identity.token = reader.token
        query = {"grant_type": "refresh_token", "refresh_token": reader.refresh_token}
        answer = await reader.client.post("/public/token", params=query, headers={"Authorization": "Bearer signed"})
        bare = await reader.client.post("/public/token", params=query, headers={"Authorization": ""})
    assert (answer.status_code, bare.status_code) == (200, 401)


async def test_a_suspended_flow_renews_nothing() -> None:
    identity = KnownClient()
    async with reader_of(PlaneInMemory(identity=identity)) as reader:
        identity.token = reader.token
        await reader.client.post(f"{FLOW}/suspend", json={"messageId": "m"})
        assert (await reader.renew()).status_code == 400


async def test_a_renewal_that_the_end_of_the_flow_overtakes_leaves_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = KnownClient()
    plane = PlaneInMemory(source=MemorySource({"a": CONTENT}, is_single=True), identity=identity)
    async with reader_of(plane) as reader:
        identity.token = reader.token
        store_secret = plane.vault.store

        async def overtaken(name: str, value: str) -> None:
            await reader.client.post(f"{FLOW}/completed", json={"messageId": "m"})
            await plane.until("process-1", "COMPLETED")
            await store_secret(name, value)

        monkeypatch.setattr(plane.vault, "store", overtaken)
        answer = await reader.renew()
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert plane.secrets == {}
