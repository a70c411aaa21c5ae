"""A data plane on SQLite against real Azurite, told what to do over its HTTP app."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from azure_storage.account_access import Credentials
from azure_storage.address import check_container
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.manifest import ManifestEntry, manifest_page_name, parse_manifest_page
from azure_storage.markers import COMPLETE, CompleteMarker, parse_complete_marker
from azure_storage.opening import OpenedStorage, open_storage
from azure_storage.sas import SasToken
from azure_storage.settings import AzureStorageSettings
from connector_spi.clock import SystemClock
from connector_spi.data_address import DataAddress, DataAddressMessage
from data_plane.bootstrap import build_data_plane
from data_plane.settings import DataPlaneSettings
from tests.conftest import AzuriteForTests
from tests.integration.data_plane.recording_control_plane import RecordingControlPlane, listening_control_plane
from vault_adapters.memory import InMemoryVault

TOKEN = "signaling-token-for-tests"
PROVIDER, CONSUMER = "providerorg", "consumerorg"


@dataclass
class Organisations:
    """Both storage accounts, as their owners see them. `mebibytes` of content are made from a name."""

    storage: ObjectStorage
    blobs: BlockBlobClient
    endpoints: StorageEndpoints
    source_container: str
    destination_container: str
    process_id: str
    write_token: SasToken
    contents: dict[str, str] = field(default_factory=dict)
    """Digest of what was put, by name."""

    async def put(self, name: str, data: bytes, *, container: str | None = None, account: str = PROVIDER) -> None:
        """Put a blob as its owner does, in blocks."""
        container = container or self.source_container
        token = await self.storage.mint_write_sas(account, container, policy_id="owner", lifetime_seconds=3600)
        url = token.applied_to(self.endpoints.blob_url(account, container, name))
        step, ids = 8 * 1024 * 1024, []
        for at in range(0, len(data), step):
            ids.append(f"{uuid4().hex[:8]}{at:012d}")
            block = data[at : at + step]
            md5 = hashlib.md5(block, usedforsecurity=False).digest()
            await self.blobs.put_block(url, ids[-1], block, content_md5=md5)
        await self.blobs.put_block_list(url, ids, content_type="text/x-test", metadata={"own": "1"}, overwrite=True)
        self.contents[name] = hashlib.sha256(data).hexdigest()

    async def put_whole(
        self, name: str, data: bytes, *, content_md5: bytes, tags: dict[str, str] | None = None
    ) -> None:
        """Put a blob in one call, so that the service keeps its MD5."""
        token = await self.storage.mint_write_sas(
            PROVIDER, self.source_container, policy_id="owner", lifetime_seconds=3600
        )
        url = token.applied_to(self.endpoints.blob_url(PROVIDER, self.source_container, name))
        await self.blobs.put_blob(url, data, content_md5=content_md5, tags=tags)
        self.contents[name] = hashlib.sha256(data).hexdigest()

    async def delivered(self, *, folder: str = "") -> dict[str, str]:
        """Names and digests of what stands at the destination."""
        found = {}
        token = await self.storage.mint_read_sas(CONSUMER, self.destination_container, lifetime_seconds=600)
        async for listed in self.storage.list_objects(CONSUMER, self.destination_container, prefix=folder):
            url = token.applied_to(self.endpoints.blob_url(CONSUMER, self.destination_container, listed.name))
            digest = hashlib.sha256()
            for offset in range(0, max(listed.size_bytes, 1), 8 * 1024 * 1024):
                length = min(8 * 1024 * 1024, listed.size_bytes - offset)
                digest.update(await self.blobs.get_range(url, offset=offset, length=length, if_match=listed.etag))
            found[listed.name] = digest.hexdigest()
        return found

    async def marker(self, name: str, *, folder: str = "") -> bytes | None:
        """A marker's content, or None."""
        full = f"{folder}/{name}" if folder else name
        return await self.storage.read_small_blob(CONSUMER, self.destination_container, full, max_bytes=4 * 1024 * 1024)

    async def manifest(self, *, folder: str = "") -> tuple[CompleteMarker, list[ManifestEntry]]:
        """`.complete` and its entries."""
        content = await self.marker(COMPLETE, folder=folder)
        assert content is not None
        root, entries = parse_complete_marker(content), []
        for number in range(1, root.pages + 1):
            page = await self.marker(manifest_page_name(number), folder=folder)
            assert page is not None
            entries += parse_manifest_page(page, number=number)
        return root, entries

    def start_message(self, source: dict[str, str], destination: dict[str, str] | None = None) -> dict[str, Any]:
        """A start message for this transfer; the consumer's signature goes inline."""
        address = DataAddress(
            "AzureStorage",
            {
                "account": CONSUMER,
                "container": self.destination_container,
                "secret": self.write_token.to_secret(),
                "transferNonce": "nonce-1",
                "consumerProcessId": "consumer-process",
                **(destination or {}),
            },
        )
        return {
            "messageId": str(uuid4()),
            "participantId": "provider",
            "counterPartyId": "consumer",
            "dataspaceContext": "test",
            "processId": self.process_id,
            "agreementId": "agreement-1",
            "datasetId": "asset-1",
            "profile": "AzureStorage-PUSH",
            "claims": {},
            "dataAddress": DataAddressMessage.of(address).model_dump(mode="json", by_alias=True, exclude_none=True),
            "metadata": {
                "source": {
                    "type": "AzureStorage",
                    "properties": {"account": PROVIDER, "container": self.source_container, **source},
                }
            },
        }


@asynccontextmanager
async def open_organisations(azurite: AzuriteForTests, container_name: str) -> AsyncIterator[Organisations]:
    """Both organisations, each with a container that is named after this."""
    settings = AzureStorageSettings(endpoint_template=azurite.endpoint_template)
    async with open_storage(settings, InMemoryVault(dict(azurite.keys)), SystemClock()) as opened:
        yield await organisations_in(opened, container_name)


async def organisations_in(opened: OpenedStorage, container_name: str) -> Organisations:
    """The same, in this storage."""
    source, destination = check_container(container_name, system_allowed=False), f"{container_name[:50]}-to"
    process_id, storage = f"process-{uuid4()}", opened.objects
    await storage.create_container(PROVIDER, source, process_id="owner")
    await storage.create_container(CONSUMER, destination, process_id=process_id)
    token = await storage.mint_write_sas(CONSUMER, destination, policy_id="transfer", lifetime_seconds=3600)
    blobs = BlockBlobClient(opened.session)
    return Organisations(storage, blobs, opened.endpoints, source, destination, process_id, token)


@pytest_asyncio.fixture
async def organisations(azurite: AzuriteForTests, container_name: str) -> AsyncIterator[Organisations]:
    async with open_organisations(azurite, container_name) as organisations:
        yield organisations


@pytest_asyncio.fixture
async def control_plane() -> AsyncIterator[RecordingControlPlane]:
    async with listening_control_plane() as recorder:
        yield recorder


@pytest.fixture
def secrets_at_rest(azurite: AzuriteForTests) -> dict[str, str]:
    """What the provider's vault holds."""
    return {PROVIDER: azurite.keys[PROVIDER], "token-alias": TOKEN}


@pytest.fixture
def settings(azurite: AzuriteForTests, control_plane: RecordingControlPlane, tmp_path: Path) -> DataPlaneSettings:
    return DataPlaneSettings(
        database_url=f"sqlite:///{tmp_path}/flows.db",
        storage=AzureStorageSettings(endpoint_template=azurite.endpoint_template),
        control_plane_url=control_plane.base,
        signaling_token_alias="token-alias",
        callback_token_alias="token-alias",
        copy_mode="streamed",
        block_checksum="md5",
        signature_grace_seconds=0,
        lease_seconds=2,
        heartbeat_seconds=0.2,
        poll_seconds=0.1,
        progress_seconds=0.1,
        retry_first_seconds=0.05,
    )


@asynccontextmanager
async def serving(
    settings: DataPlaneSettings, secrets: dict[str, str], *, entra: Credentials | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A data plane whose workers run, and a client that holds its token."""
    async with build_data_plane(settings, vault=InMemoryVault(secrets), entra=entra) as plane:
        transport = httpx.ASGITransport(plane.app)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            plane.app.router.lifespan_context(plane.app),
            httpx.AsyncClient(transport=transport, base_url="http://data-plane", headers=headers) as client,
        ):
            yield client


@pytest_asyncio.fixture
async def data_plane(settings: DataPlaneSettings, secrets_at_rest: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings, secrets_at_rest) as client:
        yield client
