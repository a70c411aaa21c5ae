"""What opens an account is what the settings say, and nothing else."""

from pathlib import Path

import pytest

from azure_storage.account_access import AccountAccesses, EntraAccess, SharedKey
from azure_storage.account_keys import AccountKeys
from azure_storage.errors import AccountKeyAwaitedError, AuthenticationFailedError, Refusal
from azure_storage.opening import tls_of
from azure_storage.settings import AzureStorageSettings, StorageAccountSettings
from connector_spi.errors import ConfigurationError, InvalidInputError, SecretNotFoundError
from tests.identities import PlainCredential, PlainCredentials
from vault_adapters.memory import InMemoryVault

KEY = "a2V5LW9uZQ=="
CREDENTIAL = PlainCredential()
SETTINGS = AzureStorageSettings(accounts=(StorageAccountSettings(name="acme1", identity="own"),))


def _accesses(secrets: dict[str, str], settings: AzureStorageSettings | None = SETTINGS) -> AccountAccesses:
    return AccountAccesses(AccountKeys(InMemoryVault(secrets)), settings, PlainCredentials({"own": CREDENTIAL}))


async def test_an_account_with_an_identity_is_opened_by_it_also_where_the_vault_holds_a_key() -> None:
    assert await _accesses({"acme1": KEY}).of("acme1") == EntraAccess("own", CREDENTIAL)


async def test_other_accounts_are_opened_by_their_key_and_never_by_the_identity() -> None:
    assert await _accesses({"other1": KEY}).of("other1") == SharedKey(KEY)
    with pytest.raises(SecretNotFoundError, match="'other2'"):
        await _accesses({}).of("other2")


async def test_without_settings_every_account_is_opened_by_its_key() -> None:
    accesses = _accesses({"acme1": KEY, "named": "bmFtZWQ="}, None)
    assert await accesses.of("acme1") == SharedKey(KEY)
    assert await accesses.of("acme1", "named") == SharedKey("bmFtZWQ=")


async def test_an_address_that_names_a_key_for_an_account_of_an_identity_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"keyName.*acme1 is opened by an identity.*'named'"):
        await _accesses({"named": KEY}).of("acme1", "named")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (SETTINGS.model_copy(update={"endpoint_template": "http://127.0.0.1/{account}"}), "clear text"),
        (SETTINGS, "no identities are configured"),
    ],
)
def test_an_identity_that_cannot_be_used_is_refused_at_the_start(settings: AzureStorageSettings, problem: str) -> None:
    credentials = None if settings is SETTINGS else PlainCredentials({"own": CREDENTIAL})
    with pytest.raises(ConfigurationError, match=rf"storage\.accounts\.acme1\.identity.*{problem}"):
        AccountAccesses(AccountKeys(InMemoryVault({})), settings, credentials)


REFUSED = AuthenticationFailedError(Refusal("List Blobs", "other1/outbox", 403))


def test_a_key_that_has_worked_is_waited_for_and_another_one_is_not() -> None:
    accesses = _accesses({})
    assert accesses.refused("other1", None, REFUSED) is REFUSED
    accesses.note_opened("other1", None)
    awaited = accesses.refused("other1", None, REFUSED)
    assert isinstance(awaited, AccountKeyAwaitedError)
    assert "other1/outbox" in awaited.message
    assert accesses.refused("other1", "named", REFUSED) is REFUSED
    assert accesses.refused("other2", None, REFUSED) is REFUSED


def test_an_identity_is_not_waited_for() -> None:
    accesses = _accesses({})
    accesses.note_opened("acme1", None)
    assert accesses.refused("acme1", None, REFUSED) is REFUSED


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(SharedKey(KEY))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_told(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"storage\.ca_file.*ca\.pem"):
        tls_of(file)
