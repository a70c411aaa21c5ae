"""A container of a client's with its own blobs in it, a transfer that is to arrive there, and a proxy between."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import ContainerClient

from azure_storage.account_access import AccountAccesses
from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.manifest import ManifestEntry, manifest_digest, manifest_page_name
from azure_storage.markers import COMPLETE, CompleteMarker
from azure_storage.relocation import Relocator
from azure_storage.sas import SasToken
from azure_storage.session import StorageSession, open_storage_session
from connector_cli.demo.sample_files import container_client
from connector_spi.clock import SystemClock
from connector_spi.data_address import DataAddress
from control_plane.adapters.object_storage_placement import ObjectStoragePlacement
from control_plane.adapters.object_storage_provisioner import ObjectStorageProvisioner
from control_plane.domain.placement import PlacementPosition, PlacementStage
from control_plane.domain.transfer_process import TransferProcess
from tests.conftest import AzuriteForTests
from tests.control_plane_entities import transfer_process
from tests.fault_proxy import FaultProxy, fault_proxy
from vault_adapters.memory import InMemoryVault

ACCOUNT: Final = "consumerorg"
BLOCK_BYTES: Final = 64 * 1024
CONTENT: Final = {"a.csv": b"12345", "folder/\u00e9.csv": b"", "large.bin": bytes(range(256)) * 1024}
LONG: Final = 60.0
"""Seconds of a slice that is not cut short."""


@dataclass
class ExistingContainerStage:
    """`process` is at the last position that was "saved"; a test that forgets one has crashed before saving it."""

    container: str
    client: ContainerClient
    """The client's own view, past the proxy."""
    storage: ObjectStorage
    session: StorageSession
    endpoints: StorageEndpoints
    proxy: FaultProxy
    owner: AzuriteForTests
    process: TransferProcess = field(default_factory=transfer_process)
    secret: str = field(default="", repr=False)

    def wish(self, process_id: str = "", **properties: str) -> TransferProcess:
        """A client's request."""
        address = DataAddress("AzureStorage", {"account": ACCOUNT, "container": self.container, **properties})
        identity = process_id or f"t-{uuid4().hex}"
        return transfer_process(identity, nonce=uuid4().hex, data_destination=address, managed_resources=False)

    @property
    def provisioner(self) -> ObjectStorageProvisioner:
        return ObjectStorageProvisioner(self.storage, sas_seconds=600)

    @property
    def placement(self) -> ObjectStoragePlacement:
        """A new one each time, as a connector that was started again has."""
        relocator = Relocator(self.session, SystemClock(), 10, parallel=4, block_bytes=BLOCK_BYTES)
        return ObjectStoragePlacement(self.storage, self.endpoints, relocator)

    async def provision(self, **properties: str) -> None:
        process = self.wish(**properties)
        process = replace(process, provisioned=self.provisioner.plan(process))
        made = await self.provisioner.provision(process)
        self.process, self.secret = replace(process, provisioned=made.resource), made.secret

    async def arrive(self, content: dict[str, bytes] | None = None, **changes: Any) -> None:
        """Everything that a provider leaves, written with the SAS."""
        content = CONTENT if content is None else content
        for name, data in content.items():
            md5 = hashlib.md5(data, usedforsecurity=False).digest()
            await self.write(
                name,
                data,
                content_type="text/x-test",
                content_md5=md5,
                metadata={"sha256": hashlib.sha256(data).hexdigest()},
            )
        entries = [
            ManifestEntry(name=name, size_bytes=len(data), etag_source="e", sha256=hashlib.sha256(data).hexdigest())
            for name, data in content.items()
        ]
        page = b"".join(entry.to_bytes() + b"\n" for entry in entries)
        await self.write(manifest_page_name(1), page)
        facts = {
            "nonce": self.process.nonce,
            "process_id": self.process.id,
            "agreement_id": self.process.contract_id,
            "object_count": len(content),
            "bytes_total": sum(map(len, content.values())),
            "pages": 1,
            "manifest_sha256": manifest_digest([hashlib.sha256(page).digest()]),
        }
        await self.write(COMPLETE, CompleteMarker(**{**facts, **changes}).to_bytes())
        self.process = self.process.placed_up_to(PlacementPosition())

    async def write(self, name: str, content: bytes, **options: Any) -> None:
        """As the provider, into the place that it was told."""
        made = self.process.provisioned
        assert made is not None
        url = self.endpoints.blob_url(ACCOUNT, made.container, f"{made.folder}/{name}")
        token = SasToken.from_secret(self.secret)
        await BlockBlobClient(self.session).put_blob(token.applied_to(url), content, overwrite=True, **options)

    async def place(self, *, seconds: float = LONG) -> PlacementPosition:
        """One slice, whose position is saved."""
        position = await self.placement.place(self.process, seconds=seconds)
        self.process = self.process.placed_up_to(position)
        return position

    async def place_all(self) -> PlacementPosition:
        """Slices to the end."""
        while (position := await self.place()).stage is not PlacementStage.END:
            pass
        return position

    async def put_own(self, name: str, content: bytes = b"the client's") -> None:
        """A blob of the client's in the transfer's folder."""
        settings = ContentSettings(content_type="text/own")
        # Without "overwrite" an emulator refuses a name for which somebody has staged blocks; Azure does not.
        await self.client.upload_blob(f"{self.folder}/{name}", content, content_settings=settings, overwrite=True)

    async def names(self) -> set[str]:
        """What is in the transfer's folder, receipts included."""
        root = f"{self.folder}/"
        return {blob.name.removeprefix(root) async for blob in self.client.list_blobs(name_starts_with=root)}

    async def read(self, name: str) -> bytes:
        return await (await self.client.download_blob(f"{self.folder}/{name}")).readall()

    async def etags(self) -> dict[str, str]:
        """Of the whole container."""
        return {blob.name: str(blob.etag) async for blob in self.client.list_blobs()}

    @property
    def folder(self) -> str:
        made = self.process.provisioned
        assert made is not None
        return made.folder


@asynccontextmanager
async def existing_container(azurite: AzuriteForTests) -> AsyncIterator[ExistingContainerStage]:
    """Everything open; the container holds one blob of the client's outside of any folder, and is readable by all."""
    name = f"mine-{uuid4().hex}"
    async with (
        fault_proxy(azurite.endpoint_template) as proxy,
        open_storage_session() as session,
        container_client(azurite.endpoint_template, ACCOUNT, azurite.keys[ACCOUNT], name) as client,
    ):
        await client.create_container(public_access="blob")
        await client.upload_blob("elsewhere.txt", b"elsewhere")
        endpoints = StorageEndpoints(proxy.endpoint_template)
        accesses = AccountAccesses(AccountKeys(InMemoryVault(dict(azurite.keys))))
        storage = ObjectStorage(endpoints=endpoints, accesses=accesses, clock=SystemClock(), session=session)
        yield ExistingContainerStage(name, client, storage, session, endpoints, proxy, azurite)
