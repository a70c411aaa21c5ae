"""Accounts opened by connection strings: at the address that the string names, and with the key that it has now."""

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from azure_storage.account_keys import LEGACY_SUFFIX
from azure_storage.block_client import BlockBlobClient
from azure_storage.errors import AccountKeyAwaitedError
from azure_storage.opening import OpenedStorage, open_storage
from azure_storage.settings import AzureStorageSettings, StorageAccountSettings
from connector_cli.azurite import new_account_key, running_azurite
from connector_spi.clock import SystemClock
from tests.conftest import AzuriteForTests
from tests.integration.azure_storage.conftest import ACCOUNT, PROCESS
from vault_adapters.cached import CachedVault
from vault_adapters.memory import InMemoryVault

pytestmark = pytest.mark.azurite

BY_STRING = AzureStorageSettings(
    endpoint_template="https://{account}.nowhere.invalid",
    accounts=(StorageAccountSettings(name=ACCOUNT, connection_string_alias="string"),),
)


def connection_string(template: str, key: str) -> str:
    """As it may have been pasted."""
    return f'"AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={template.format(account=ACCOUNT)};"\r\n'


async def _arrives(storage: OpenedStorage, container: str, content: bytes) -> None:
    """What is written with a signature of the account can be listed and read."""
    token = await storage.objects.mint_write_sas(ACCOUNT, container, policy_id="t", lifetime_seconds=600)
    url = token.applied_to(storage.endpoints.blob_url(ACCOUNT, container, "a"))
    await BlockBlobClient(storage.session).put_blob(url, content, overwrite=True)
    assert [listed.name async for listed in storage.objects.list_objects(ACCOUNT, container)] == ["a"]
    assert await storage.objects.read_small_blob(ACCOUNT, container, "a", max_bytes=99) == content


async def test_the_address_of_the_string_counts_before_the_template(
    azurite: AzuriteForTests, container_name: str
) -> None:
    vault = InMemoryVault({"string": connection_string(azurite.endpoint_template, azurite.keys[ACCOUNT])})
    async with open_storage(BY_STRING, vault, SystemClock()) as storage:
        await storage.objects.create_container(ACCOUNT, container_name, process_id=PROCESS)
        await _arrives(storage, container_name, b"by connection string")


@pytest.mark.parametrize("access", ["connection string", "key alias", "account name", "EDC's older alias"])
@pytest.mark.usefixtures("azurite")
async def test_a_rotated_key_counts_without_a_restart(tmp_path: Path, access: str) -> None:
    """Although the vault is cached for longer than the test runs."""
    keys, secrets = {ACCOUNT: new_account_key()}, dict[str, str]()
    vault = CachedVault(InMemoryVault(secrets), kept_for=timedelta(hours=1), clock=SystemClock())
    alias = {"connection string": "string", "key alias": "main", "account name": ACCOUNT}.get(
        access, ACCOUNT + LEGACY_SUFFIX
    )

    def secret(template: str) -> str:
        return connection_string(template, keys[ACCOUNT]) if alias == "string" else f" {keys[ACCOUNT]}\n"

    async with AsyncExitStack() as stack:
        async with running_azurite(accounts=keys, data_folder=tmp_path) as before:
            template = before.endpoint_template
            secrets[alias] = secret(template)
            storage = await stack.enter_async_context(open_storage(_settings(alias, template), vault, SystemClock()))
            await storage.objects.create_container(ACCOUNT, "rotated", process_id=PROCESS)
            await _arrives(storage, "rotated", b"before")
        keys[ACCOUNT] = new_account_key()
        async with running_azurite(accounts=keys, data_folder=tmp_path, port=_port(template)):
            with pytest.raises(AccountKeyAwaitedError):
                await _arrives(storage, "rotated", b"the vault holds the old key")
            secrets[alias] = secret(template)
            await _arrives(storage, "rotated", b"after")


def _settings(alias: str, template: str) -> AzureStorageSettings:
    if alias == "string":
        return BY_STRING
    listed = (StorageAccountSettings(name=ACCOUNT, key_alias=alias),) if alias == "main" else ()
    return AzureStorageSettings(endpoint_template=template, accounts=listed)


def _port(template: str) -> int:
    return int(template.split(":")[2].split("/", maxsplit=1)[0])
