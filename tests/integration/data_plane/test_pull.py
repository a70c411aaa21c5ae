"""Pulls of real blobs: by a signature for one blob, and through this data plane's public endpoint."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from azure_storage.errors import StorageRefusedError
from azure_storage.sas import SasToken
from connector_spi.data_address import SECRET, DataAddress, DataAddressMessage
from data_plane.bootstrap import build_data_plane
from data_plane.settings import DataPlaneSettings, OutboundSettings
from tests.conftest import AzuriteForTests
from tests.eventually import eventually
from tests.integration.data_plane.conftest import CONSUMER, PROVIDER, TOKEN, Organisations, serving
from tests.serving import loopback_socket
from tests.serving import serving as on_tcp
from vault_adapters.memory import InMemoryVault

SECRETS = {"token-alias": TOKEN}
HTTP_PULL = "https://w3id.org/dspace-sig/profile/http-pull"
LARGE = bytes(range(256)) * 20_000
"""Five megabytes: more than is read at once."""


def pull_message(organisations: Organisations, profile: str, source: dict[str, str]) -> dict[str, Any]:
    message = organisations.start_message(source)
    message.pop("dataAddress")
    return {**message, "profile": profile}


@pytest_asyncio.fixture
async def plane(settings: DataPlaneSettings, secrets_at_rest: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    public = settings.model_copy(update={"public_url": "http://data-plane"})
    async with serving(public, secrets_at_rest) as client:
        yield client


async def granted(plane: httpx.AsyncClient, message: dict[str, Any]) -> DataAddress:
    answer = await plane.post("/dataflows/start", json=message)
    assert answer.json()["state"] == "STARTED", answer.text
    return DataAddressMessage.model_validate(answer.json()["dataAddress"]).to_address()


@pytest.mark.azurite
async def test_a_signature_opens_the_agreed_blob_and_no_other(
    plane: httpx.AsyncClient, organisations: Organisations
) -> None:
    await organisations.put("agreed ü.bin", b"agreed")
    await organisations.put("other.bin", b"secret")
    message = pull_message(organisations, "AzureStorage-PULL", {"blobName": "agreed ü.bin"})
    address = await granted(plane, message)
    token = SasToken.from_secret(address.get(SECRET))
    blobs, endpoints = organisations.blobs, organisations.endpoints
    assert address.get("endpoint").endswith(quote("agreed ü.bin"))
    assert token.permissions == "r"
    agreed = await blobs.get_range(token.applied_to(address.get("endpoint")), offset=0, length=6, if_match="*")
    assert agreed == b"agreed"
    other = endpoints.blob_url(PROVIDER, organisations.source_container, "other.bin")
    with pytest.raises(StorageRefusedError):
        await blobs.get_range(token.applied_to(other), offset=0, length=6, if_match="*")


@pytest.mark.azurite
async def test_a_prefix_is_not_opened_by_a_signature(plane: httpx.AsyncClient, organisations: Organisations) -> None:
    message = pull_message(organisations, "AzureStorage-PULL", {"blobPrefix": ""})
    answer = await plane.post("/dataflows/start", json=message)
    assert (answer.status_code, "HttpData-PULL" in answer.json()["message"]) == (400, True)


@pytest.mark.azurite
async def test_the_blobs_of_a_prefix_are_read_over_http_and_no_others(
    plane: httpx.AsyncClient, organisations: Organisations
) -> None:
    await organisations.put("in/large", LARGE)
    await organisations.put("in/ü", b"small")
    await organisations.put("out", b"secret")
    address = await granted(plane, pull_message(organisations, "HttpData-PULL", {"blobPrefix": "in/"}))
    plane.headers["Authorization"] = f"Bearer {address.get('authorization')}"
    listed = (await plane.get(address.get("endpoint"))).json()["objects"]
    assert [(one["name"], one["size"]) for one in listed] == [("in/large", len(LARGE)), ("in/ü", 5)]
    whole = await plane.get(address.get("endpoint") + "in/large")
    assert hashlib.sha256(whole.content).hexdigest() == organisations.contents["in/large"]
    part = await plane.get(
        address.get("endpoint") + "in/large",
        headers={"Range": "bytes=2097150-2097155", "If-Range": whole.headers["ETag"]},
    )
    assert (part.status_code, part.content) == (206, LARGE[2097150:2097156])
    for name in ("out", "in/../out", "missing", "in/missing", "in/larg"):
        assert (await plane.get(address.get("endpoint") + name)).status_code == 404


@pytest.mark.azurite
async def test_a_consumer_copies_what_it_was_granted_into_its_own_account(
    settings: DataPlaneSettings, organisations: Organisations, azurite: AzuriteForTests
) -> None:
    """Provider and consumer with a data plane each: the provider's signature is all that passes between them."""
    await organisations.put("object", LARGE)
    database = settings.database_url.replace("flows.db", "consumer.db")
    consumer_settings = settings.model_copy(update={"database_url": database})
    async with (
        serving(settings, {**SECRETS, PROVIDER: azurite.keys[PROVIDER]}) as provider,
        serving(consumer_settings, {**SECRETS, CONSUMER: azurite.keys[CONSUMER]}) as consumer,
    ):
        process_id, container = f"pull-{uuid4()}", f"pulled-{uuid4().hex[:20]}"
        wish = {"type": "AzureStorage", "properties": {"account": CONSUMER, "container": container}}
        message = pull_message(organisations, "AzureStorage-PULL", {"blobName": "object"})
        prepare = {**message, "processId": process_id, "metadata": {"destination": wish}}
        assert (await consumer.post("/dataflows/prepare", json=prepare)).json()["state"] == "PREPARED"
        given = (await provider.post("/dataflows/start", json=message)).json()["dataAddress"]
        flow = f"/dataflows/{process_id}"
        started = await consumer.post(f"{flow}/started", json={"messageId": "s", "dataAddress": given})
        assert started.json()["state"] == "STARTED", started.text

        async def completed() -> bool:
            status = (await consumer.get(f"{flow}/status")).json()
            assert "failure" not in status, status
            return bool(status["state"] == "COMPLETED")

        await eventually(completed)
    organisations.destination_container = container
    delivered = await organisations.delivered()
    assert delivered["object"] == organisations.contents["object"]


@pytest.mark.azurite
async def test_a_consumer_copies_over_http_what_a_public_endpoint_serves(
    settings: DataPlaneSettings, organisations: Organisations, azurite: AzuriteForTests
) -> None:
    """An HTTP source and an Azure destination, in two organisations."""
    await organisations.put("object", LARGE)
    bound = loopback_socket()
    public = settings.model_copy(update={"public_url": f"http://127.0.0.1:{bound.getsockname()[1]}"})
    outbound = OutboundSettings(allowed_networks=("127.0.0.0/8",), allow_http=True)
    database = settings.database_url.replace("flows.db", "consumer.db")
    consumer_settings = settings.model_copy(update={"database_url": database, "outbound": outbound})
    async with (
        build_data_plane(public, vault=InMemoryVault({**SECRETS, PROVIDER: azurite.keys[PROVIDER]})) as plane,
        plane.app.router.lifespan_context(plane.app),
        on_tcp(plane.app, bound),
        httpx.AsyncClient(base_url=public.public_url, headers={"Authorization": f"Bearer {TOKEN}"}) as provider,
        serving(consumer_settings, {**SECRETS, CONSUMER: azurite.keys[CONSUMER]}) as consumer,
    ):
        process_id, container = f"pull-{uuid4()}", f"pulled-{uuid4().hex[:20]}"
        wish = {"type": "AzureStorage", "properties": {"account": CONSUMER, "container": container}}
        message = pull_message(organisations, HTTP_PULL, {"blobName": "object"})
        prepare = {**message, "processId": process_id, "metadata": {"destination": wish}}
        assert (await consumer.post("/dataflows/prepare", json=prepare)).json()["state"] == "PREPARED"
        given = (await provider.post("/dataflows/start", json=message)).json()["dataAddress"]
        flow = f"/dataflows/{process_id}"
        started = await consumer.post(f"{flow}/started", json={"messageId": "s", "dataAddress": given})
        assert started.json()["state"] == "STARTED", started.text

        async def completed() -> bool:
            status = (await consumer.get(f"{flow}/status")).json()
            assert "failure" not in status, status
            return bool(status["state"] == "COMPLETED")

        await eventually(completed)
    organisations.destination_container = container
    assert organisations.contents["object"] in (await organisations.delivered()).values()
