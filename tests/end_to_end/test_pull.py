"""Pulls between two connectors: by a signature for one blob, over the public endpoint, and copied by a data plane."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
import pytest_asyncio

from azure_storage.sas import SasToken
from connector_cli.demo.flow_watch import provider_process
from connector_cli.demo.ports import free_ports
from connector_cli.management_client import ManagementError
from connector_spi.errors import SecretNotFoundError
from tests.conftest import AzuriteForTests
from tests.end_to_end.recording_relay import Recording, recording_relay
from tests.end_to_end.secret_search import holds, shown_by, written_below
from tests.end_to_end.stage import Stage, two_organisations
from tests.eventually import eventually

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.asyncio(loop_scope="module")]

AZURE, HTTP = "AzureStorage-PULL", "HttpData-PULL"
LARGE = bytes(range(256)) * 20_000
"""Five megabytes: more than the public endpoint reads at once."""
FILES = {"trip/a.bin": LARGE, "trip/deep/Übersicht.txt": "Größe".encode()}
_LISTENERS = ("MANAGEMENT", "PROTOCOL", "SIGNALING", "DATA_PLANE__PUBLIC")
_GONE = 404
_REFUSED = (401, 403)


@dataclass(slots=True)
class Pulls:
    """The organisations with a recording relay before every listener, and every secret that a pull gave out."""

    stage: Stage
    recordings: dict[str, Recording] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    async def begin(self, asset_id: str, transfer_type: str, **members: Any) -> str:
        """Negotiate and start; returns the id of the running process."""
        agreement = await self.stage.agree(asset_id)
        members = {"transferType": transfer_type, "dataDestination": None, **members}
        process_id = await self.stage.start(agreement, **members)
        await self.has_become(process_id, "STARTED")
        return process_id

    async def has_become(self, process_id: str, state: str) -> None:
        """Wait until the consumer's process is in this state, and the provider's too."""
        async with self.stage.consumer.client() as consumer:

            async def is_there() -> bool:
                theirs = (await provider_process(self.stage.provider, process_id))["state"]
                return (await consumer.transfer_state(process_id), theirs) == (state, state)

            await eventually(is_there)

    async def command(self, process_id: str, name: str, **body: str) -> None:
        async with self.stage.consumer.client() as consumer:
            await consumer.call("POST", f"/v3/transferprocesses/{process_id}/{name}", body or None)

    async def edr(self, process_id: str) -> dict[str, str]:
        """Where the data is fetched, by a connection of its own, which may hold the secret."""
        async with self.stage.consumer.client() as consumer:
            address: dict[str, str] = await consumer.call("GET", f"/v3/edrs/{process_id}/dataaddress")
        given = {address.get("authorization", ""), address.get("refreshToken", "")}
        given |= set(re.findall(r"sig=([^&\"]+)", address.get("secret", "")))
        self.secrets |= given - {""}
        return address

    async def edr_is_gone(self, process_id: str) -> None:
        with pytest.raises(ManagementError) as refusal:
            await self.edr(process_id)
        assert refusal.value.status == _GONE

    async def nothing_is_left(self, process_id: str) -> None:
        """No EDR, and no secret of the transfer in either vault."""
        theirs = (await provider_process(self.stage.provider, process_id))["@id"]

        async def is_clean() -> bool:
            kept = {**await at_rest(self.stage.provider), **await at_rest(self.stage.consumer)}
            named = any(process_id in alias or theirs in alias for alias in kept)
            return not named and not any(holds(text.encode(), s) for text in kept.values() for s in self.secrets)

        await eventually(is_clean)
        await self.edr_is_gone(process_id)

    def public(self, address: dict[str, str]) -> httpx.AsyncClient:
        """A client of the provider's public endpoint, with the token."""
        headers = {"Authorization": f"Bearer {address['authorization']}"}
        return httpx.AsyncClient(base_url=address["endpoint"], headers=headers, timeout=20, trust_env=False)


async def at_rest(side: Any) -> dict[str, str]:
    """Every secret in an organisation's vault."""
    vault, found = side.open_vault(), {}
    for alias in await vault.aliases():
        try:
            found[alias] = await vault.resolve(alias)
        except SecretNotFoundError:  # deleted between the two calls
            continue
    await vault.aclose()
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pulls(azurite: AzuriteForTests, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pulls]:
    """A provider that serves pulls from inside its connector, and a consumer without a data plane.

    When the tests are over, everything that was written and sent is searched for what the pulls gave out.
    """
    folder = tmp_path_factory.mktemp("pulling")
    async with AsyncExitStack() as stack:
        recordings: dict[str, Recording] = {}

        async def relayed(stage: Stage) -> None:
            ports = free_ports(2 * len(_LISTENERS))
            for side in (stage.provider, stage.consumer):
                behind, ports = ports[: len(_LISTENERS)], ports[len(_LISTENERS) :]
                settings = stage.processes[side.name].environment
                for at, section in enumerate(_LISTENERS if side is stage.provider else _LISTENERS[:3]):
                    relay = recording_relay(side.ports[at], behind[at])
                    recordings[f"{side.name} {section}"] = await stack.enter_async_context(relay)
                    settings[f"CONNECTOR_{section}__PORT"] = str(behind[at])
            public = {"CONNECTOR_DATA_PLANE__PUBLIC_URL": stage.provider.data_plane_url}
            stage.processes["provider"].environment.update(public, CONNECTOR_EMBEDDED_DATA_PLANE="true")

        stage = await stack.enter_async_context(
            two_organisations(azurite, folder, "pull-outbox", embedded=True, before_start=relayed)
        )
        for name, content in FILES.items():
            await stage.upload(name, content)
        await stage.upload("other.bin", b"not offered")
        await stage.offer("one", blobName="trip/a.bin")
        await stage.offer("trip", blobPrefix="trip/")
        pulls = Pulls(stage, recordings)
        yield pulls
        shown = {f"process {name}": shown_by(process) for name, process in stage.processes.items()}
    check_at_rest(pulls, {**written_below(folder), **shown})
    check_on_the_wire(pulls)


def check_at_rest(pulls: Pulls, everything: dict[str, bytes]) -> None:
    """In no database, log, configuration, argument or environment."""
    assert any(name.endswith("connector.log") and content for name, content in everything.items())
    assert pulls.secrets, "nothing was given out: the search looks for nothing"
    for place, content in everything.items():
        assert not any(holds(content, secret) for secret in pulls.secrets), place


def check_on_the_wire(pulls: Pulls) -> None:
    """In the provider's start message, in the answer to the consumer's own client, and back at the public endpoint."""
    for name, recording in pulls.recordings.items():
        for sent in _messages(recording.requests):
            if any(holds(sent, secret) for secret in pulls.secrets):
                assert _carries(name, sent), (name, sent[:80])
        for asked, answered in zip(recording.requests, recording.answers, strict=True):
            if any(holds(bytes(answered), secret) for secret in pulls.secrets):
                assert name == "consumer MANAGEMENT", name
                check_answers(pulls, _messages([asked]), bytes(answered))


def check_answers(pulls: Pulls, asked: list[bytes], answered: bytes) -> None:
    """Of the answers on one connection, only those about an EDR may hold what opens it."""
    answers = [a for a in re.split(rb"(?=HTTP/1\.1 \d{3} )", answered) if a]
    assert len(answers) == len(asked)
    for message, answer in zip(asked, answers, strict=True):
        if any(holds(answer, secret) for secret in pulls.secrets):
            assert re.match(rb"GET /management/v3/edrs/[^/]+/dataaddress ", message), message[:80]


def _carries(listener: str, message: bytes) -> bool:
    head, _, body = message.partition(b"\r\n\r\n")
    if listener == "provider DATA_PLANE__PUBLIC":
        return b"\r\nauthorization: bearer " in head.lower()
    if listener != "consumer PROTOCOL" or not re.match(rb"POST /protocol/2025-1/transfers/[^/]+/start ", head):
        return False
    return bool(json.loads(body)["dataAddress"]["endpointProperties"])


def _messages(requests: list[bytearray]) -> list[bytes]:
    return [
        message
        for request in requests
        for message in re.split(rb"(?=(?:GET|HEAD|POST|PUT|DELETE) /\S* HTTP/1\.1\r\n)", bytes(request))
        if message
    ]


async def test_a_signature_opens_the_agreed_blob_and_nothing_else(pulls: Pulls) -> None:
    process_id = await pulls.begin("one", AZURE)
    address = await pulls.edr(process_id)
    assert (address["type"], address["container"], address["blobName"]) == ("AzureStorage", "pull-outbox", "trip/a.bin")
    token = SasToken.from_secret(address["secret"])
    assert (token.permissions, token.expires_at is not None) == ("r", True)
    endpoint, query = address["endpoint"], f"?{token.query}"
    container = endpoint.removesuffix("/trip/a.bin")
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
        assert (await client.get(endpoint + query)).content == LARGE
        assert (await client.get(endpoint)).status_code in {*_REFUSED, _GONE}
        assert (await client.get(f"{container}/other.bin{query}")).status_code in _REFUSED
        assert (await client.get(f"{container}{query}&restype=container&comp=list")).status_code in _REFUSED
        written = await client.put(endpoint + query, content=b"mine", headers={"x-ms-blob-type": "BlockBlob"})
        assert written.status_code in _REFUSED
        assert (await client.delete(endpoint + query)).status_code in _REFUSED
    await pulls.command(process_id, "complete")
    await pulls.has_become(process_id, "COMPLETED")
    await pulls.nothing_is_left(process_id)


async def test_several_blobs_are_not_opened_by_a_signature_and_the_reason_says_what_opens_them(pulls: Pulls) -> None:
    agreement = await pulls.stage.agree("trip")
    process_id = await pulls.stage.start(agreement, transferType=AZURE, dataDestination=None)
    process = await pulls.stage.ended(process_id)
    assert (process["state"], "HttpData-PULL" in process["errorDetail"]) == ("TERMINATED", True), process


async def test_objects_are_read_at_the_public_endpoint_until_the_client_completes(pulls: Pulls) -> None:
    process_id = await pulls.begin("trip", HTTP)
    address = await pulls.edr(process_id)
    assert address["endpoint"].startswith(pulls.stage.provider.data_plane_url + "/public/flows/")
    async with pulls.public(address) as client:
        listed = (await client.get("")).json()["objects"]
        assert {found["name"]: found["size"] for found in listed} == {n: len(c) for n, c in FILES.items()}
        whole = await client.get("trip/a.bin")
        assert (whole.status_code, whole.content) == (200, LARGE)
        part = await client.get("trip/a.bin", headers={"Range": "bytes=1000-1999", "If-Range": whole.headers["etag"]})
        assert (part.status_code, part.content) == (206, LARGE[1000:2000])
        assert part.headers["content-range"] == f"bytes 1000-1999/{len(LARGE)}"
        head = await client.head("trip/a.bin")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(LARGE)), b"")
        assert (await client.get("trip/deep/Übersicht.txt")).content == "Größe".encode()
        for hidden in ("other.bin", "../other.bin", "trip/../other.bin", "trip/missing.bin"):
            assert (await client.get(hidden)).status_code in {_GONE, 401}, hidden

        await pulls.command(process_id, "complete")
        await pulls.has_become(process_id, "COMPLETED")
        assert (await client.get("trip/a.bin")).status_code == 401
    await pulls.nothing_is_left(process_id)


async def test_the_public_listener_serves_nothing_but_public(pulls: Pulls) -> None:
    process_id = await pulls.begin("one", HTTP)
    theirs = (await provider_process(pulls.stage.provider, process_id))["@id"]
    async with pulls.public(await pulls.edr(process_id)) as client:
        assert (await client.get("")).content == LARGE
        for method, path in (
            ("GET", f"dataflows/{theirs}/status"),
            ("POST", "dataflows/start"),
            ("PUT", "controlplanes"),
        ):
            answer = await client.request(method, urljoin(pulls.stage.provider.data_plane_url, f"/{path}"))
            assert answer.status_code == _GONE, path
        assert (await client.get("", headers={"Authorization": "Bearer guessed"})).status_code == 401
        assert (await client.get("", headers={"Authorization": ""})).status_code == 401
    await pulls.command(process_id, "terminate", reason="enough")
    await pulls.has_become(process_id, "TERMINATED")
    await pulls.nothing_is_left(process_id)


async def test_a_pause_closes_the_door_and_going_on_opens_it_with_a_fresh_token(pulls: Pulls) -> None:
    process_id = await pulls.begin("one", HTTP)
    first = await pulls.edr(process_id)
    async with pulls.public(first) as client:
        assert (await client.head("")).status_code == 200
        await pulls.command(process_id, "suspend", reason="later")
        await pulls.has_become(process_id, "SUSPENDED")
        assert (await client.head("")).status_code == 401
        await pulls.edr_is_gone(process_id)
        await pulls.command(process_id, "resume")
        await pulls.has_become(process_id, "STARTED")
        assert (await client.head("")).status_code == 401, "the token from before the pause"
    second = await pulls.edr(process_id)
    assert second["authorization"] != first["authorization"]
    async with pulls.public(second) as client:
        assert (await client.get("")).content == LARGE
        await pulls.command(process_id, "terminate", reason="enough")
        await pulls.has_become(process_id, "TERMINATED")
        assert (await client.head("")).status_code == 401
    await pulls.nothing_is_left(process_id)


@pytest.mark.parametrize(("transfer_type", "asset_id"), [(AZURE, "one"), (HTTP, "trip")])
async def test_the_command_transfers_fetches_and_completes(
    pulls: Pulls, tmp_path: Path, transfer_type: str, asset_id: str
) -> None:
    agreement, address = await pulls.stage.agree(asset_id), pulls.stage.provider.protocol_url
    started = json.loads(await command(pulls, "transfer", address, agreement, "--type", transfer_type, "--json"))
    process_id = started["@id"]
    assert started["endpointDataReference"]["endpoint"] == (await pulls.edr(process_id))["endpoint"]
    files = json.loads(await command(pulls, "fetch", process_id, "--to", tmp_path / "to", "--complete", "--json"))
    await pulls.has_become(process_id, "COMPLETED")
    expected = FILES if transfer_type == HTTP else {"trip/a.bin": LARGE}
    assert {file["name"]: file["size"] for file in files} == {name: len(content) for name, content in expected.items()}
    assert all((tmp_path / "to" / name).read_bytes() == content for name, content in expected.items())
    await pulls.nothing_is_left(process_id)


async def command(pulls: Pulls, *arguments: str | Path) -> str:
    """Standard output of `connector`, as the consumer's client; nothing that it prints may hold a secret."""
    settings = {
        "CONNECTOR_URL": pulls.stage.consumer.management_url,
        "CONNECTOR_API_KEY": pulls.stage.consumer.api_key,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connector_cli", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **settings},
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert not any(holds(out + err, secret) for secret in pulls.secrets)
    return out.decode()


@pytest.mark.parametrize("transfer_type", [AZURE, HTTP])
async def test_a_data_plane_of_the_consumer_copies_the_one_object(copying: Pulls, transfer_type: str) -> None:
    stage, container = copying.stage, f"pulled-{transfer_type.lower()}"
    wish = {"type": "AzureStorage", "account": stage.consumer.account, "container": container}
    process_id = await stage.start(await stage.agree("one"), transferType=transfer_type, dataDestination=wish)
    process = await stage.ended(process_id)
    assert process["state"] == "COMPLETED", process
    assert (await stage.ended_at_provider(process_id))["state"] == "COMPLETED"
    async with stage.destination(container) as client:
        arrived = {name: await (await client.download_blob(name)).readall() async for name in client.list_blob_names()}
    assert [c for n, c in arrived.items() if not n.startswith((".complete", ".manifest/"))] == [LARGE]
    await copying.nothing_is_left(process_id)


async def test_a_list_of_objects_is_not_taken_for_the_data(copying: Pulls) -> None:
    stage = copying.stage
    wish = {"type": "AzureStorage", "account": stage.consumer.account, "container": "pulled-list"}
    process_id = await stage.start(await stage.agree("trip"), transferType=HTTP, dataDestination=wish)
    process = await stage.ended(process_id)
    assert (process["state"], process["errorCode"]) == ("TERMINATED", "HttpSourceIsListing"), process
    assert (await stage.ended_at_provider(process_id))["state"] == "TERMINATED"
    await copying.nothing_is_left(process_id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def copying(azurite: AzuriteForTests, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pulls]:
    """A provider as before, and a consumer whose own embedded data plane fetches."""
    embedded = {"CONNECTOR_EMBEDDED_DATA_PLANE": "true"}
    consumer = {
        **embedded,
        "CONNECTOR_DATA_PLANE__PROVISION_WITH": "data-plane",
        "CONNECTOR_DATA_PLANE__OUTBOUND__ALLOW_HTTP": "true",
        "CONNECTOR_DATA_PLANE__OUTBOUND__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
    }

    async def listening(stage: Stage) -> None:
        stage.processes["provider"].environment["CONNECTOR_DATA_PLANE__PUBLIC__PORT"] = str(stage.provider.ports[3])

    async with two_organisations(
        azurite,
        tmp_path_factory.mktemp("copying"),
        "copy-outbox",
        {"provider": embedded, "consumer": consumer},
        embedded=True,
        before_start=listening,
    ) as stage:
        for name, content in FILES.items():
            await stage.upload(name, content)
        await stage.offer("one", blobName="trip/a.bin")
        await stage.offer("trip", blobPrefix="trip/")
        yield Pulls(stage)
