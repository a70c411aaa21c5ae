"""Addresses that connection strings name become those of their accounts."""

import pytest

from azure_storage.connection_settings import with_endpoints
from azure_storage.connection_string import ConnectionStringMalformedError
from azure_storage.settings import AzureStorageSettings, StorageAccountSettings
from connector_spi.errors import SecretNotFoundError
from control_plane.settings import StorageSettings
from vault_adapters.memory import InMemoryVault

KEY = "a2V5LW9uZQ=="
AT_HOME = f"AccountName=acme1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/acme1"


async def endpoint_of(secrets: dict[str, str], environ: dict[str, str] | None = None, **account: str) -> str | None:
    settings = AzureStorageSettings(accounts=(StorageAccountSettings.model_validate({"name": "acme1"} | account),))
    return (await with_endpoints(settings, InMemoryVault(secrets), environ or {})).accounts[0].endpoint


async def test_from_the_vault_and_from_the_environment() -> None:
    assert await endpoint_of({"string": AT_HOME}, connection_string_alias="string") == "http://127.0.0.1:10000/acme1"
    found = await endpoint_of({}, {"STRING": AT_HOME}, connection_string_env="STRING")
    assert found == "http://127.0.0.1:10000/acme1"


async def test_an_address_in_the_settings_counts_before_that_of_the_string() -> None:
    own = "https://acme.example"
    assert await endpoint_of({"string": AT_HOME}, connection_string_alias="string", endpoint=own) == own


async def test_a_string_without_an_address_leaves_it_to_the_template() -> None:
    text = f"AccountName=acme1;AccountKey={KEY}"
    assert await endpoint_of({"string": text}, connection_string_alias="string") is None


async def test_other_accounts_are_not_looked_up() -> None:
    assert await endpoint_of({}, key_alias="not-there") is None
    assert await endpoint_of({}, identity="own") is None


async def test_what_cannot_be_read_is_told() -> None:
    with pytest.raises(SecretNotFoundError, match="'string'"):
        await endpoint_of({}, connection_string_alias="string")
    with pytest.raises(ConnectionStringMalformedError, match="the secret 'string'"):
        await endpoint_of({"string": "none"}, connection_string_alias="string")


async def test_settings_stay_of_their_kind() -> None:
    settings = StorageSettings(sas_seconds=7)
    assert await with_endpoints(settings, InMemoryVault(), {}) == settings
