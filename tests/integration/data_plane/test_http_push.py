"""HTTP pushes between two data planes: the sender's engine, real HTTP, and the receiver's public inbox."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from azure_storage.manifest import parse_manifest_page
from azure_storage.markers import COMPLETE, FAILED
from azure_storage.settings import AzureStorageSettings
from connector_spi.data_address import DataAddressMessage
from data_plane.bootstrap import build_data_plane
from data_plane.settings import DataPlaneSettings, OutboundSettings
from tests.conftest import AzuriteForTests
from tests.eventually import eventually
from tests.integration.data_plane.conftest import CONSUMER, TOKEN, Organisations
from tests.serving import loopback_socket
from tests.serving import serving as on_tcp
from vault_adapters.memory import InMemoryVault

LARGE = os.urandom(20 * 1024 * 1024 + 7)
HTTP_PUSH = "https://w3id.org/dspace-sig/profile/http-push"
PROFILES = pytest.mark.parametrize("profile", ["HttpData-PUSH", HTTP_PUSH])


@dataclass
class Plane:
    """A data plane that listens on loopback, and a client that holds its token."""

    client: httpx.AsyncClient
    root: Path
    base: str

    async def state(self, process_id: str) -> str:
        status = (await self.client.get(f"/dataflows/{process_id}/status")).json()
        return str(status["state"]) + str(status.get("failure", ""))


@asynccontextmanager
async def plane(name: str, tmp_path: Path, **changes: Any) -> AsyncIterator[Plane]:
    """LocalFile has a root of this plane's own."""
    bound, root, secrets = loopback_socket(), tmp_path / name, {"token-alias": TOKEN, **changes.pop("secrets", {})}
    root.mkdir()
    base = f"http://127.0.0.1:{bound.getsockname()[1]}"
    settings = DataPlaneSettings(
        database_url=f"sqlite:///{tmp_path}/{name}.db",
        local_file_root=str(root),
        signaling_token_alias="token-alias",
        callback_token_alias="",
        outbound=OutboundSettings(allowed_networks=("127.0.0.0/8",), allow_http=True),
        public_url=base,
        poll_seconds=0.1,
        retry_first_seconds=0.05,
        signature_grace_seconds=0,
        block_checksum="md5",
        **changes,
    )
    async with AsyncExitStack() as stack:
        built = await stack.enter_async_context(build_data_plane(settings, vault=InMemoryVault(secrets)))
        await stack.enter_async_context(built.app.router.lifespan_context(built.app))
        await stack.enter_async_context(on_tcp(built.app, bound))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=base, headers=headers))
        yield Plane(client, root, base)


def message(process_id: str, profile: str, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "messageId": str(uuid4()),
        "participantId": "us",
        "counterPartyId": "them",
        "dataspaceContext": "test",
        "processId": process_id,
        "agreementId": "agreement-1",
        "datasetId": "asset-1",
        "profile": profile,
        "claims": {},
        "metadata": metadata,
        **more,
    }


def files(path: str) -> dict[str, Any]:
    return {"type": "LocalFile", "properties": {"path": path}}


async def prepared(receiver: Plane, destination: dict[str, Any], profile: str = "HttpData-PUSH") -> dict[str, Any]:
    """The address that the sender gets."""
    sent = message("receiving", profile, {"destination": destination})
    answer = await receiver.client.post("/dataflows/prepare", json=sent)
    assert answer.json().get("state") == "PREPARED", answer.text
    return dict(answer.json()["dataAddress"])


async def pushed(sender: Plane, address: dict[str, Any], profile: str = "HttpData-PUSH") -> str:
    """The state that the sender's flow ends in."""
    start = message("sending", profile, {"source": files("from/")}, dataAddress=address)
    answer = await sender.client.post("/dataflows/start", json=start)
    assert answer.json().get("state") == "STARTED", answer.text

    async def ended() -> bool:
        return not (await sender.state("sending")).startswith("STARTED")

    await eventually(ended)
    return await sender.state("sending")


async def told(receiver: Plane, kind: str) -> None:
    answer = await receiver.client.post(f"/dataflows/receiving/{kind}", json={"messageId": kind})
    assert answer.status_code == 200, answer.text


def put_files(sender: Plane, contents: dict[str, bytes]) -> None:
    for name, data in contents.items():
        target = sender.root / "from" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def seen(root: Path) -> dict[str, bytes]:
    """What a reader of the folder takes for data."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }


CONTENTS = {"large": LARGE, "in/small ü.txt": b"small", "empty": b""}


@PROFILES
async def test_files_arrive_in_a_folder_of_the_receiver(tmp_path: Path, profile: str) -> None:
    async with plane("sender", tmp_path) as sender, plane("receiver", tmp_path) as receiver:
        put_files(sender, CONTENTS)
        address = await prepared(receiver, files("to"), profile)
        assert address["endpointType"] == ("HttpData" if profile == "HttpData-PUSH" else HTTP_PUSH)
        assert await pushed(sender, address, profile) == "COMPLETED"
        await told(receiver, "started")
        await told(receiver, "completed")
        place = receiver.root / "to"

        async def evidence_is_left() -> bool:
            return (place / COMPLETE).exists() and not list(place.glob(".staging-*"))

        await eventually(evidence_is_left)
        assert seen(place) == CONTENTS
        entries = parse_manifest_page((place / ".manifest" / "00001.ndjson").read_bytes(), number=1)
        assert {entry.name: entry.sha256 for entry in entries} == {
            name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()
        }


@pytest.mark.azurite
async def test_files_arrive_in_a_container_of_the_receiver(
    tmp_path: Path, organisations: Organisations, azurite: AzuriteForTests
) -> None:
    azure = {
        "storage": AzureStorageSettings(endpoint_template=azurite.endpoint_template),
        "secrets": {CONSUMER: azurite.keys[CONSUMER]},
    }
    container = f"pushed-{uuid4().hex[:20]}"
    wish = {"type": "AzureStorage", "properties": {"account": CONSUMER, "container": container}}
    async with plane("sender", tmp_path) as sender, plane("receiver", tmp_path, **azure) as receiver:
        put_files(sender, CONTENTS)
        assert await pushed(sender, await prepared(receiver, wish)) == "COMPLETED"
        await told(receiver, "started")
        await told(receiver, "completed")
        organisations.destination_container = container

        async def evidence_is_left() -> bool:
            return await organisations.marker(COMPLETE) is not None

        await eventually(evidence_is_left)
        delivered = await organisations.delivered()
        for name, data in CONTENTS.items():
            assert delivered[name] == hashlib.sha256(data).hexdigest()
        marker, entries = await organisations.manifest()
        assert (marker.object_count, {entry.name for entry in entries}) == (3, set(CONTENTS))


async def test_a_file_that_is_there_already_ends_the_push_and_stays(tmp_path: Path) -> None:
    async with plane("sender", tmp_path) as sender, plane("receiver", tmp_path) as receiver:
        put_files(sender, {"taken": LARGE})
        (receiver.root / "to").mkdir()
        (receiver.root / "to" / "taken").write_bytes(b"older")
        state = await pushed(sender, await prepared(receiver, files("to")))
        assert state.startswith("TERMINATED")
        await told(receiver, "terminate")

        async def reason_is_left() -> bool:
            return (receiver.root / "to" / FAILED).exists()

        await eventually(reason_is_left)
        assert seen(receiver.root / "to") == {"taken": b"older"}
        assert not list((receiver.root / "to").glob(".staging-*"))


async def test_an_object_over_the_limit_ends_the_push(tmp_path: Path) -> None:
    async with (
        plane("sender", tmp_path) as sender,
        plane("receiver", tmp_path, max_inbox_object_bytes=len(LARGE) - 1) as receiver,
    ):
        put_files(sender, {"large": LARGE})
        state = await pushed(sender, await prepared(receiver, files("to")))
        assert (state.startswith("TERMINATED"), seen(receiver.root)) == (True, {})


@dataclass
class RawSender:
    """Writes requests byte by byte."""

    address: dict[str, Any]
    base: str

    async def connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.base.removeprefix("http://").partition(":")
        return await asyncio.open_connection(host, int(port))

    def head(self, name: str, *headers: str, token: str | None = None) -> bytes:
        given = DataAddressMessage.model_validate(self.address).to_address()
        path = given.get("endpoint").removeprefix(self.base)
        authorization = f"Authorization: Bearer {token or given.get('authorization')}"
        return "\r\n".join((f"PUT {path}{name} HTTP/1.1", "Host: x", authorization, *headers, "", "")).encode()

    async def answer(self, name: str, *headers: str, body: bytes = b"", token: str | None = None) -> int:
        reader, writer = await self.connection()
        writer.write(self.head(name, *headers, token=token) + body)
        status = int((await reader.readline()).split()[1])
        await self.closed(writer)
        return status

    async def closed(self, writer: asyncio.StreamWriter) -> None:
        """Break the connection off, whatever is still to be sent."""
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_connection_that_breaks_in_the_middle_leaves_nothing_and_the_object_can_be_sent_again(
    tmp_path: Path,
) -> None:
    async with plane("receiver", tmp_path) as receiver:
        raw = RawSender(await prepared(receiver, files("to")), receiver.base)
        for cut in (1, 9 * 1024 * 1024, len(LARGE) - 1):
            _, writer = await raw.connection()
            writer.write(raw.head("large", f"Content-Length: {len(LARGE)}") + LARGE[:cut])
            await writer.drain()
            await raw.closed(writer)

        async def taken() -> bool:
            # Busy until the receiver has seen the connection go.
            status = await raw.answer("large", f"Content-Length: {len(LARGE)}", body=LARGE)
            assert status in {201, 503}
            assert status == 201 or seen(receiver.root) == {}
            return status == 201

        await eventually(taken)
        assert seen(receiver.root / "to") == {"large": LARGE}
        assert await raw.answer("large", f"Content-Length: {len(LARGE)}", body=LARGE) == 204


async def test_what_a_stranger_sends_is_refused(tmp_path: Path) -> None:
    async with plane("receiver", tmp_path) as receiver:
        raw, one = RawSender(await prepared(receiver, files("to")), receiver.base), "Content-Length: 1"
        assert await raw.answer("a", one, body=b"x", token="wrong") == 401
        assert await raw.answer("a") == 411
        for name in ("../../a", "..%2F..%2Fa", "a/%2e%2e/%2e%2e/b", "/etc/a", ".staging-x/a", ".complete", "a%00b"):
            assert await raw.answer(name, one, body=b"x") == 400
        assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != tmp_path] == []
        chunked = b"1\r\nx\r\n0\r\n\r\n"
        assert await raw.answer("chunked", "Transfer-Encoding: chunked", body=chunked) == 201
        assert seen(receiver.root / "to") == {"chunked": b"x"}


async def test_without_a_public_address_nothing_is_received(tmp_path: Path) -> None:
    async with plane("sender", tmp_path) as sender:
        sent = message("receiving", "HttpData-PUSH", {})
        answer = await sender.client.post("/dataflows/prepare", json=sent)
        assert (answer.status_code, "metadata.destination" in answer.json()["message"]) == (400, True)
