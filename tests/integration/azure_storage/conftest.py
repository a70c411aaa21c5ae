"""ObjectStorage and BlockBlobClient on the real Azurite, and a container for each test.

Everything is opened by account key; with `BY_KEY_AND_BY_IDENTITY` also as an identity of Entra ID, with a vault that
holds no account key.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from azure_storage.account_access import AccountAccesses, Credentials
from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.copy_client import BlobCopyClient
from azure_storage.endpoints import StorageEndpoints
from azure_storage.opening import tls_of
from azure_storage.sas import SasToken, SignedUrl
from azure_storage.session import StorageSession, open_storage_session
from azure_storage.settings import AzureStorageSettings, StorageAccountSettings
from connector_spi.clock import SystemClock
from entra_identity.credentials import EntraCredentials
from tests.conftest import AzuriteForTests, AzuriteWithOAuth
from tests.emulated import RunningEntra
from tests.identities import open_identities
from vault_adapters.memory import InMemoryVault

ACCOUNT = "consumerorg"
SOURCE_ACCOUNT = "providerorg"
PROCESS = "process-1"
KEY, IDENTITY = "key", "identity"
BY_KEY_AND_BY_IDENTITY = pytest.mark.parametrize("access", [KEY, IDENTITY], indirect=True)


@dataclass(frozen=True, slots=True)
class Access:
    """How the accounts are opened. `keys` are their keys in any case, for what this package does not do."""

    kind: str
    settings: AzureStorageSettings
    keys: dict[str, str]
    secrets: dict[str, str] = field(default_factory=dict)
    """What the vault holds."""
    credentials: Credentials | None = None

    @property
    def endpoints(self) -> StorageEndpoints:
        return StorageEndpoints.of(self.settings)


@pytest.fixture
async def identities(entra_server: RunningEntra) -> AsyncIterator[EntraCredentials]:
    async with open_identities(entra_server) as opened:
        yield opened


@pytest.fixture
def access(request: pytest.FixtureRequest) -> Access:
    """By account key, unless the test asks for more (`BY_KEY_AND_BY_IDENTITY`)."""
    if getattr(request, "param", KEY) == KEY:
        azurite: AzuriteForTests = request.getfixturevalue("azurite")
        settings = AzureStorageSettings(endpoint_template=azurite.endpoint_template)
        return Access(KEY, settings, azurite.keys, dict(azurite.keys))
    over_tls: AzuriteWithOAuth = request.getfixturevalue("azurite_oauth")
    settings = AzureStorageSettings(
        endpoint_template=over_tls.endpoint_template,
        ca_file=over_tls.ca_file,
        accounts=tuple(StorageAccountSettings(name=name, identity="own") for name in (ACCOUNT, SOURCE_ACCOUNT)),
    )
    return Access(IDENTITY, settings, over_tls.keys, credentials=request.getfixturevalue("identities"))


@pytest.fixture
def endpoints(access: Access) -> StorageEndpoints:
    return access.endpoints


@pytest.fixture
def secrets(access: Access) -> dict[str, str]:
    """What the vault holds."""
    return access.secrets


@pytest.fixture
async def session(access: Access) -> AsyncIterator[StorageSession]:
    async with open_storage_session(tls=tls_of(access.settings.ca_file)) as session:
        yield session


def object_storage(endpoints: StorageEndpoints, secrets: dict[str, str], session: StorageSession) -> ObjectStorage:
    """With a vault that holds these account keys."""
    accesses = AccountAccesses(AccountKeys(InMemoryVault(secrets)))
    return ObjectStorage(endpoints=endpoints, accesses=accesses, clock=SystemClock(), session=session)


def storage_of(access: Access, session: StorageSession) -> ObjectStorage:
    """Opened in this way."""
    keys = AccountKeys(InMemoryVault(access.secrets))
    accesses = AccountAccesses(keys, access.settings, access.credentials)
    return ObjectStorage(endpoints=access.endpoints, accesses=accesses, clock=SystemClock(), session=session)


@pytest.fixture
def storage(access: Access, session: StorageSession) -> ObjectStorage:
    return storage_of(access, session)


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
