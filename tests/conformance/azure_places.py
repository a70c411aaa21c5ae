"""A container of each of two organisations on real Azurite, as source and as destination."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from azure_storage.account_access import AccountAccesses
from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.copy_client import BlobCopyClient
from azure_storage.endpoints import StorageEndpoints
from azure_storage.sas import SasToken
from azure_storage.session import StorageSession, open_storage_session
from connector_spi.clock import Clock, SystemClock
from connector_spi.data_address import DataAddress
from connector_spi.vault import Vault
from data_plane.adapters.azure_credential import WriteCredentials
from data_plane.adapters.azure_sink import AzureSinkRules
from data_plane.adapters.azure_sink_factory import AzureStorageSinkFactory
from data_plane.adapters.azure_source import AzureStorageSourceFactory
from data_plane.domain.credential_life import RenewalTiming
from data_plane.domain.data_flow import DataFlow
from data_plane.ports.credential_renewal import RenewalUnavailableError
from tests.conformance.data_places import SinkPlace, SourcePlace
from tests.conftest import AzuriteForTests
from tests.unit.data_plane.fakes import a_data_flow
from vault_adapters.memory import InMemoryVault

PROVIDER, CONSUMER = "providerorg", "consumerorg"


class NoRenewal:
    """There is no control plane to ask."""

    async def renewed(self, flow: DataFlow) -> None:
        raise RenewalUnavailableError("There is no control plane in this test.")


@dataclass(kw_only=True)
class AzureAccounts:
    """The two accounts, each with the same container, as their owners see them."""

    container: str
    storage: ObjectStorage
    blobs: BlockBlobClient
    session: StorageSession
    endpoints: StorageEndpoints
    keys: Mapping[str, str]
    tokens: dict[str, SasToken]
    vault: Vault

    @classmethod
    async def opened(cls, azurite: AzuriteForTests, container: str, stack: AsyncExitStack) -> "AzureAccounts":
        session = await stack.enter_async_context(open_storage_session())
        clock, endpoints, secrets = SystemClock(), StorageEndpoints(azurite.endpoint_template), dict(azurite.keys)
        vault = InMemoryVault(secrets)
        storage = ObjectStorage(
            endpoints=endpoints, accesses=AccountAccesses(AccountKeys(vault, clock=clock)), clock=clock, session=session
        )
        tokens = {}
        for account in azurite.keys:
            await storage.create_container(account, container, process_id="test")
            tokens[account] = await storage.mint_write_sas(account, container, policy_id="p", lifetime_seconds=600)
        secrets["destination"] = tokens[CONSUMER].to_secret()
        return cls(
            container=container,
            storage=storage,
            blobs=BlockBlobClient(session),
            session=session,
            endpoints=endpoints,
            keys=azurite.keys,
            tokens=tokens,
            vault=vault,
        )

    async def put(self, account: str, name: str, data: bytes) -> None:
        url = self.tokens[account].applied_to(self.endpoints.blob_url(account, self.container, name))
        await self.blobs.put_blob(url, data, content_type="text/plain", overwrite=True)

    async def remove(self, name: str) -> None:
        """Remove a blob of the provider's."""
        signature = generate_blob_sas(
            PROVIDER,
            self.container,
            name,
            account_key=self.keys[PROVIDER],
            permission=BlobSasPermissions(delete=True),
            expiry="2099-01-01",
        )
        url = self.endpoints.blob_url(PROVIDER, self.container, name)
        async with self.session.sdk.delete(f"{url}?{signature}") as answer:
            assert answer.status == 202

    async def delivered(self) -> dict[str, bytes]:
        read = await self.storage.mint_read_sas(CONSUMER, self.container, lifetime_seconds=600)
        found = {}
        async for listed in self.storage.list_objects(CONSUMER, self.container):
            url = read.applied_to(self.endpoints.blob_url(CONSUMER, self.container, listed.name))
            found[listed.name] = bytes(
                await self.blobs.get_range(url, offset=0, length=listed.size_bytes, if_match=listed.etag)
            )
        return found

    async def shut_out(self) -> None:
        """Have the consumer end the provider's access."""
        await self.storage.revoke_sas(CONSUMER, self.container, policy_id="p")

    def source_factory(self) -> AzureStorageSourceFactory:
        return AzureStorageSourceFactory(
            storage=self.storage, blobs=self.blobs, endpoints=self.endpoints, clock=SystemClock(), carry_tags=False
        )

    def sink_factory(
        self, *, blobs: BlockBlobClient | None = None, clock: Clock | None = None
    ) -> AzureStorageSinkFactory:
        timing = RenewalTiming(renew_before=timedelta(0), park_before=timedelta(0), patience=timedelta(0))
        clock = clock or SystemClock()
        return AzureStorageSinkFactory(
            credentials=WriteCredentials(vault=self.vault, clock=SystemClock(), renewal=NoRenewal(), timing=timing),
            blobs=blobs or self.blobs,
            copies=BlobCopyClient(self.session, clock=clock),
            endpoints=self.endpoints,
            clock=clock,
            rules=AzureSinkRules(signature_grace=timedelta(0), block_checksum="md5", carry_tags=False),
        )

    def flow(self) -> DataFlow:
        """Whose destination is the consumer's container."""
        facts = {"account": CONSUMER, "container": self.container, "keyName": "destination"}
        return a_data_flow(destination=DataAddress("AzureStorage", facts))


async def azure_source(accounts: AzureAccounts, contents: Mapping[str, bytes], stack: AsyncExitStack) -> SourcePlace:
    for name, data in contents.items():
        await accounts.put(PROVIDER, name, data)
    which = {"blobName": next(iter(contents))} if len(contents) == 1 else {"blobPrefix": ""}
    address = DataAddress("AzureStorage", {"account": PROVIDER, "container": accounts.container, **which})
    factory = accounts.source_factory()

    async def change(name: str, data: bytes) -> None:
        await accounts.put(PROVIDER, name, data)

    source = await stack.enter_async_context(factory.open(address))
    return SourcePlace(factory=factory, address=address, source=source, change=change, remove=accounts.remove)


async def azure_sink(accounts: AzureAccounts, stack: AsyncExitStack) -> SinkPlace:
    factory, flow = accounts.sink_factory(), accounts.flow()

    async def put_foreign(name: str, data: bytes) -> None:
        await accounts.put(CONSUMER, name, data)

    sink = await stack.enter_async_context(factory.open(flow))
    return SinkPlace(factory=factory, flow=flow, sink=sink, delivered=accounts.delivered, put_foreign=put_foreign)
