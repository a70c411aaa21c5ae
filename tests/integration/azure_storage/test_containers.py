import asyncio

import pytest
from azure.storage.blob.aio import ContainerClient

from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AccountKeyMalformedError,
    AuthorizationFailureError,
    ContainerExistsError,
    ContainerNotFoundError,
    ContainerNotOursError,
    ResourceNotFoundError,
    StorageUnavailableError,
)
from azure_storage.session import STORAGE_API_VERSION, StorageSession
from connector_cli.azurite import new_account_key
from connector_spi.errors import InvalidInputError, SecretNotFoundError
from tests.integration.azure_storage.conftest import (
    ACCOUNT,
    BY_KEY_AND_BY_IDENTITY,
    PROCESS,
    Access,
    Place,
    object_storage,
)

pytestmark = pytest.mark.azurite


@pytest.fixture
def sdk_container(access: Access, container_name: str) -> ContainerClient:
    """The same container through the plain SDK, to do what this package does not."""
    return ContainerClient(
        access.endpoints.account_url(ACCOUNT),
        container_name,
        credential={"account_name": ACCOUNT, "account_key": access.keys[ACCOUNT]},
        api_version=STORAGE_API_VERSION,
        connection_verify=access.settings.ca_file or True,
    )


async def _exists(storage: ObjectStorage, container: str) -> bool:
    try:
        await storage.read_small_blob(ACCOUNT, container, "any", max_bytes=1)
    except ContainerNotFoundError:
        return False
    return True


@BY_KEY_AND_BY_IDENTITY
async def test_creating_again_for_the_same_process_does_nothing(storage: ObjectStorage, container_name: str) -> None:
    for _ in range(2):
        await storage.create_container(ACCOUNT, container_name, process_id="prozess ü/1 50%")
    assert await _exists(storage, container_name)


@BY_KEY_AND_BY_IDENTITY
async def test_two_creations_at_once_for_one_process_both_succeed(storage: ObjectStorage, container_name: str) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(storage.create_container(ACCOUNT, container_name, process_id=PROCESS))
    assert await _exists(storage, container_name)


@BY_KEY_AND_BY_IDENTITY
async def test_a_container_of_another_process_is_refused(storage: ObjectStorage, place: Place) -> None:
    with pytest.raises(ContainerExistsError):
        await storage.create_container(ACCOUNT, place.container, process_id="process-2")


@BY_KEY_AND_BY_IDENTITY
async def test_a_container_that_somebody_else_made_is_refused_and_never_deleted(
    storage: ObjectStorage, sdk_container: ContainerClient, container_name: str
) -> None:
    async with sdk_container:
        await sdk_container.create_container()
    with pytest.raises(ContainerExistsError):
        await storage.create_container(ACCOUNT, container_name, process_id=PROCESS)
    with pytest.raises(ContainerNotOursError):
        await storage.delete_container(ACCOUNT, container_name, process_id=PROCESS)
    assert await _exists(storage, container_name)


@pytest.mark.parametrize("name", ["$root", "$web", "Upper", "a..b", "ab"])
async def test_a_name_against_the_rules_is_refused_before_any_call(storage: ObjectStorage, name: str) -> None:
    with pytest.raises(InvalidInputError, match="container"):
        await storage.create_container(ACCOUNT, name, process_id=PROCESS)


@BY_KEY_AND_BY_IDENTITY
async def test_deleting_takes_the_blobs_along_and_may_be_repeated(
    storage: ObjectStorage, blocks: BlockBlobClient, place: Place
) -> None:
    await blocks.put_blob(place.to_write("a"), b"a")
    for _ in range(2):
        await storage.delete_container(ACCOUNT, place.container, process_id=PROCESS)
    assert not await _exists(storage, place.container)


@BY_KEY_AND_BY_IDENTITY
async def test_a_container_of_another_process_is_not_deleted(storage: ObjectStorage, place: Place) -> None:
    with pytest.raises(ContainerNotOursError):
        await storage.delete_container(ACCOUNT, place.container, process_id="process-2")
    assert await _exists(storage, place.container)


@BY_KEY_AND_BY_IDENTITY
async def test_leases_do_not_keep_a_container_alive(
    storage: ObjectStorage, blocks: BlockBlobClient, sdk_container: ContainerClient, place: Place
) -> None:
    await blocks.put_blob(place.to_write("a"), b"a")
    async with sdk_container:
        await sdk_container.get_blob_client("a").acquire_lease()
        await sdk_container.acquire_lease()
        await storage.delete_container(ACCOUNT, place.container, process_id=PROCESS)
    assert not await _exists(storage, place.container)


async def test_a_missing_key_names_the_alias(storage: ObjectStorage, container_name: str) -> None:
    with pytest.raises(SecretNotFoundError, match="'nosuchaccount'"):
        await storage.create_container("nosuchaccount", container_name, process_id=PROCESS)


async def test_a_malformed_key_names_the_alias(
    storage: ObjectStorage, secrets: dict[str, str], container_name: str
) -> None:
    secrets[ACCOUNT] = "not base64!"
    with pytest.raises(AccountKeyMalformedError, match=ACCOUNT):
        await storage.create_container(ACCOUNT, container_name, process_id=PROCESS)


async def test_a_wrong_key_is_refused_for_good(
    storage: ObjectStorage, secrets: dict[str, str], container_name: str
) -> None:
    secrets[ACCOUNT] = new_account_key()
    with pytest.raises(AuthorizationFailureError) as refused:
        await storage.create_container(ACCOUNT, container_name, process_id=PROCESS)
    assert secrets[ACCOUNT] not in str(refused.value)


async def test_a_rotated_key_is_picked_up_within_the_call_that_it_breaks(
    storage: ObjectStorage, secrets: dict[str, str], access: Access, container_name: str
) -> None:
    secrets[ACCOUNT] = new_account_key()
    with pytest.raises(AuthorizationFailureError):
        await storage.create_container(ACCOUNT, container_name, process_id=PROCESS)
    secrets[ACCOUNT] = access.keys[ACCOUNT]
    await storage.create_container(ACCOUNT, container_name, process_id=PROCESS)
    assert await _exists(storage, container_name)


async def test_the_key_of_a_named_alias_is_used(
    storage: ObjectStorage, secrets: dict[str, str], container_name: str
) -> None:
    secrets["named"] = secrets.pop(ACCOUNT)
    await storage.create_container(ACCOUNT, container_name, process_id=PROCESS, key_name="named")
    found = await storage.read_small_blob(ACCOUNT, container_name, "none", max_bytes=1, key_name="named")
    assert found is None


async def test_an_account_that_does_not_exist_is_refused(
    storage: ObjectStorage, secrets: dict[str, str], container_name: str
) -> None:
    secrets["stranger"] = new_account_key()
    with pytest.raises(ResourceNotFoundError, match="account"):
        await storage.create_container("stranger", container_name, process_id=PROCESS)


async def test_a_service_that_is_down_is_transient(
    session: StorageSession, storage: ObjectStorage, secrets: dict[str, str], container_name: str
) -> None:
    down = object_storage(StorageEndpoints("http://127.0.0.1:1/{account}"), secrets, session)
    with pytest.raises(StorageUnavailableError, match=container_name):
        await down.create_container(ACCOUNT, container_name, process_id=PROCESS)
    assert not await _exists(storage, container_name)
