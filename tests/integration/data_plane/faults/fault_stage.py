"""A flow through the fault proxy, and what must hold of it whatever happens."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from azure.storage.blob.aio import BlobServiceClient

from azure_storage.listed_object import ListedObject
from azure_storage.markers import FAILED
from azure_storage.session import STORAGE_API_VERSION
from azure_storage.settings import AzureStorageSettings
from data_plane.settings import DataPlaneSettings
from tests.conftest import AzuriteForTests
from tests.eventually import eventually
from tests.fault_proxy import FaultProxy, StorageRequest, fault_proxy
from tests.integration.data_plane.conftest import CONSUMER, PROVIDER, TOKEN, Organisations, serving
from tests.integration.data_plane.recording_control_plane import RecordingControlPlane, listening_control_plane
from tests.integration.data_plane.test_blob_transfer import MEBIBYTE, content, started

LARGE: Final = "x/large.bin"
SMALL: Final = "x/small.bin"
LENGTH_WITH_ONE_BLOCK: Final = 200


def is_commit(request: StorageRequest) -> bool:
    """Whether a Put Block List names several blocks; with one, it only asks whether a name is free."""
    return request.operation == "Put Block List" and request.length > LENGTH_WITH_ONE_BLOCK


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a flow ended; `code` is empty when it completed."""

    code: str
    object_name: str | None
    message: str
    retryable: bool


@dataclass(slots=True)
class FaultStage:
    """One transfer; its data plane sees storage through `proxy`, its owners see it directly."""

    organisations: Organisations
    proxy: FaultProxy
    control_plane: RecordingControlPlane
    settings: DataPlaneSettings
    secrets: dict[str, str] = field(repr=False)
    consumer_key: str = field(repr=False)

    @property
    def flow_id(self) -> str:
        """The flow's id."""
        return self.organisations.process_id

    def configured(self, **settings: object) -> None:
        """Change settings of the data plane that will be started."""
        self.settings = self.settings.model_copy(update=settings)

    async def put_some(self, *, blocks: int = 3, block_bytes: int = MEBIBYTE) -> None:
        """Sources below `x/`: one of several blocks and a bit, a small one, an empty one."""
        await self.organisations.put(LARGE, content(blocks * block_bytes + 5))
        await self.organisations.put(SMALL, content(3000, seed=2))
        await self.organisations.put("x/empty", b"")

    def listed_sources(self) -> AsyncIterator[ListedObject]:
        """The objects below `x/`."""
        return self.organisations.storage.list_objects(PROVIDER, self.organisations.source_container, prefix="x/")

    async def put_with_digest(self, name: str, data: bytes) -> None:
        """A source that has its own MD5, as the service keeps one of what is written in one call."""
        organisations = self.organisations
        token = await organisations.storage.mint_write_sas(
            PROVIDER, organisations.source_container, policy_id="owner", lifetime_seconds=3600
        )
        url = organisations.endpoints.blob_url(PROVIDER, organisations.source_container, name)
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        await organisations.blobs.put_blob(token.applied_to(url), data, content_md5=md5, overwrite=True)
        organisations.contents[name] = hashlib.sha256(data).hexdigest()

    async def put_at_destination(self, name: str, data: bytes) -> None:
        """What somebody else writes there."""
        organisations = self.organisations
        url = organisations.endpoints.blob_url(CONSUMER, organisations.destination_container, name)
        await organisations.blobs.put_blob(organisations.write_token.applied_to(url), data, overwrite=True)

    async def delete_at_destination(self, name: str) -> None:
        """Delete a blob as the consumer."""
        url = self.organisations.endpoints.account_url(CONSUMER)
        credential = {"account_name": CONSUMER, "account_key": self.consumer_key}
        async with BlobServiceClient(url, credential, api_version=STORAGE_API_VERSION) as client:
            await client.get_blob_client(self.organisations.destination_container, name).delete_blob()

    def next_transfer(self) -> "FaultStage":
        """Another transfer of the same source to the same container."""
        process_id = f"process-{uuid4()}"
        return replace(self, organisations=replace(self.organisations, process_id=process_id))

    async def start(self, client: httpx.AsyncClient, destination: dict[str, str] | None = None) -> None:
        """Have a data plane begin to copy `x/`."""
        await started(client, self.organisations.start_message({"blobPrefix": "x/"}, destination))

    @asynccontextmanager
    async def data_plane(self, destination: dict[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A data plane in this process that has begun to copy `x/`."""
        async with serving(self.settings, self.secrets) as client:
            await self.start(client, destination)
            yield client

    async def outcome(self, *, seconds: float = 30) -> Outcome:
        """The outcome as the control plane was told; nothing secret is in what it was told."""
        ended = asyncio.ensure_future(self.control_plane.told(self.flow_id, "completed", seconds=seconds))
        failed = asyncio.ensure_future(self.control_plane.told(self.flow_id, "errored", seconds=seconds))
        done, waiting = await asyncio.wait({ended, failed}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        self.assert_no_secret(str(self.control_plane.calls))
        return _outcome(done.pop().result())

    async def run(self, destination: dict[str, str] | None = None, *, seconds: float = 30) -> Outcome:
        """Start a data plane, copy `x/`, wait for the outcome."""
        async with self.data_plane(destination):
            return await self.outcome(seconds=seconds)

    async def run_until_marked(self) -> Outcome:
        """As `run`, of a flow that fails; waits for `.failed` as well."""
        async with self.data_plane():
            outcome = await self.outcome()
            await eventually(lambda: self.organisations.marker(FAILED))
            return outcome

    def assert_no_secret(self, text: str) -> None:
        """No signature and no key is in the text."""
        assert "sig=" not in text
        for secret in (
            *self.secrets.values(),
            self.consumer_key,
            *self.organisations.write_token.query.split("sig=")[1:],
        ):
            assert secret.partition("&")[0] not in text

    async def assert_only_whole_objects(self, *, folder: str = "") -> dict[str, str]:
        """Whatever stands at the destination is an object of the source, byte for byte; returns what stands there."""
        delivered = await self.organisations.delivered(folder=folder)
        relative = {name.removeprefix(f"{folder}/"): digest for name, digest in delivered.items()}
        objects = {name: digest for name, digest in relative.items() if not name.startswith(".")}
        wrong = {name for name, digest in objects.items() if digest != self.organisations.contents.get(name)}
        assert not wrong
        return objects

    async def assert_all_arrived(self, *, folder: str = "") -> None:
        """Every object of the source stands at the destination, and in the manifest that `.complete` vouches for."""
        assert await self.assert_only_whole_objects(folder=folder) == self.organisations.contents
        _, entries = await self.organisations.manifest(folder=folder)
        assert {entry.name for entry in entries} == set(self.organisations.contents)


@asynccontextmanager
async def open_stage(azurite: AzuriteForTests, organisations: Organisations, folder: Path) -> AsyncIterator[FaultStage]:
    """A stage whose data plane, with its database in the folder, is quick to try again and to take a lease over."""
    async with fault_proxy(azurite.endpoint_template) as proxy, listening_control_plane() as control_plane:
        settings = DataPlaneSettings(
            database_url=f"sqlite:///{folder}/flows.db",
            storage=AzureStorageSettings(endpoint_template=proxy.endpoint_template),
            control_plane_url=control_plane.base,
            signaling_token_alias="token-alias",
            callback_token_alias="token-alias",
            signature_grace_seconds=0,
            lease_seconds=1,
            heartbeat_seconds=0.2,
            poll_seconds=0.1,
            progress_seconds=0.1,
            retry_first_seconds=0.02,
            retry_cap_seconds=0.2,
            max_blocks_in_parallel=2,
        )
        secrets = {PROVIDER: azurite.keys[PROVIDER], "token-alias": TOKEN}
        yield FaultStage(organisations, proxy, control_plane, settings, secrets, azurite.keys[CONSUMER])


def _outcome(told: dict[str, Any]) -> Outcome:
    failure = told.get("failure") or {}
    return Outcome(
        failure.get("code", ""), failure.get("object"), told.get("error") or "", bool(failure.get("retryable"))
    )
