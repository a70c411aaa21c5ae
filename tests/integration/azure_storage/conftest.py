"""ObjectStorage and BlockBlobClient on the real Azurite, and a container for each test."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.copy_client import BlobCopyClient
from azure_storage.endpoints import StorageEndpoints
from azure_storage.sas import SasToken, SignedUrl
from azure_storage.session import StorageSession, open_storage_session
from connector_spi.clock import SystemClock
from tests.conftest import AzuriteForTests
from vault_adapters.memory import InMemoryVault

ACCOUNT = "consumerorg"
SOURCE_ACCOUNT = "providerorg"
PROCESS = "process-1"


@pytest.fixture
def endpoints(azurite: AzuriteForTests) -> StorageEndpoints:
    return StorageEndpoints(azurite.endpoint_template)


@pytest.fixture
def secrets(azurite: AzuriteForTests) -> dict[str, str]:
    """What the vault holds: the account keys under the accounts' names."""
    return dict(azurite.keys)


@pytest.fixture
async def session() -> AsyncIterator[StorageSession]:
    async with open_storage_session() as session:
        yield session


def object_storage(endpoints: StorageEndpoints, secrets: dict[str, str], session: StorageSession) -> ObjectStorage:
    """With a vault that holds these secrets."""
    keys = AccountKeys(InMemoryVault(secrets))
    return ObjectStorage(endpoints=endpoints, account_keys=keys, clock=SystemClock(), session=session)


@pytest.fixture
def storage(endpoints: StorageEndpoints, secrets: dict[str, str], session: StorageSession) -> ObjectStorage:
    return object_storage(endpoints, secrets, session)


@pytest.fixture
def blocks(session: StorageSession) -> BlockBlobClient:
    return BlockBlobClient(session)


@pytest.fixture
def copies(session: StorageSession) -> BlobCopyClient:
    return BlobCopyClient(session)


@dataclass(frozen=True, slots=True)
class Place:
    """A container of its own, with a write-only and a read-only signature."""

    endpoints: StorageEndpoints
    container: str
    write: SasToken
    read: SasToken
    account: str = ACCOUNT

    def to_write(self, name: str) -> SignedUrl:
        return self.write.applied_to(self.endpoints.blob_url(self.account, self.container, name))

    def to_read(self, name: str) -> SignedUrl:
        return self.read.applied_to(self.endpoints.blob_url(self.account, self.container, name))


@pytest.fixture
async def place(storage: ObjectStorage, endpoints: StorageEndpoints, container_name: str) -> Place:
    return await _place_in(ACCOUNT, storage, endpoints, container_name)


@pytest.fixture
async def source_place(storage: ObjectStorage, endpoints: StorageEndpoints, container_name: str) -> Place:
    """A container of the same name in the other organisation's account."""
    return await _place_in(SOURCE_ACCOUNT, storage, endpoints, container_name)


async def _place_in(account: str, storage: ObjectStorage, endpoints: StorageEndpoints, container: str) -> Place:
    await storage.create_container(account, container, process_id=PROCESS)
    write = await storage.mint_write_sas(account, container, policy_id="transfer", lifetime_seconds=600)
    read = await storage.mint_read_sas(account, container, lifetime_seconds=600)
    return Place(endpoints, container, write, read, account)
