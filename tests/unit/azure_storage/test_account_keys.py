from datetime import UTC, datetime, timedelta

import pytest

from azure_storage.account_keys import KEPT_FOR, AccountKeys
from azure_storage.connection_string import ConnectionStringMalformedError
from azure_storage.errors import AccountKeyMalformedError
from azure_storage.settings import AzureStorageSettings, StorageAccountSettings
from connector_spi.errors import ConfigurationError, SecretNotFoundError
from vault_adapters.memory import InMemoryVault

KEY, OTHER_KEY = "a2V5LW9uZQ==", "a2V5LXR3bw=="


class TurnedClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class ForgettingVault(InMemoryVault):
    """Remembers what it was asked to forget, as a vault with a cache is."""

    def __init__(self, secrets: dict[str, str]) -> None:
        super().__init__(secrets)
        self.forgotten: list[str] = []

    def forget(self, alias: str) -> None:
        self.forgotten.append(alias)


def _keys(secrets: dict[str, str], clock: TurnedClock | None = None) -> AccountKeys:
    return AccountKeys(InMemoryVault(secrets), clock=clock or TurnedClock())


def _listed(secrets: dict[str, str], *, environ: dict[str, str] | None = None, **access: str) -> AccountKeys:
    """The keys of `acme1`, which the settings open so."""
    settings = AzureStorageSettings(accounts=(StorageAccountSettings.model_validate({"name": "acme1"} | access),))
    return AccountKeys(InMemoryVault(secrets), settings, environ=environ or {}, clock=TurnedClock())


@pytest.mark.parametrize("alias", ["acme1", "acme1-key1"])
async def test_the_key_is_found_under_the_accounts_name_and_under_edcs_older_alias(alias: str) -> None:
    assert await _keys({alias: KEY}).key_of("acme1") == KEY


async def test_the_accounts_name_comes_before_the_older_alias() -> None:
    assert await _keys({"acme1": KEY, "acme1-key1": OTHER_KEY}).key_of("acme1") == KEY


async def test_a_named_alias_is_the_only_one_tried() -> None:
    keys = _keys({"acme1": KEY, "named": OTHER_KEY})
    assert await keys.key_of("acme1", "named") == OTHER_KEY
    with pytest.raises(SecretNotFoundError, match="'missing'"):
        await keys.key_of("acme1", "missing")


async def test_a_missing_key_names_the_alias_to_fill() -> None:
    with pytest.raises(SecretNotFoundError, match="'acme1'"):
        await _keys({}).key_of("acme1")


async def test_white_space_around_a_pasted_key_does_no_harm() -> None:
    assert await _keys({"acme1": f"  {KEY}\r\n"}).key_of("acme1") == KEY


@pytest.mark.parametrize("secret", ["topsecret!", "topsecret", "  "])
async def test_a_malformed_key_names_its_alias_and_not_its_value(secret: str) -> None:
    with pytest.raises(AccountKeyMalformedError, match="'acme1'") as refused:
        await _keys({"acme1": secret}).key_of("acme1")
    assert "topsecret" not in str(refused.value)


async def test_a_rotated_key_is_picked_up_after_half_a_minute() -> None:
    secrets, clock = {"acme1": KEY}, TurnedClock()
    keys = _keys(secrets, clock)
    await keys.key_of("acme1")
    secrets["acme1"] = OTHER_KEY
    clock.time += KEPT_FOR - timedelta(seconds=1)
    assert await keys.key_of("acme1") == KEY
    clock.time += timedelta(seconds=1)
    assert await keys.key_of("acme1") == OTHER_KEY


async def test_a_forgotten_key_is_read_anew_at_once_and_others_stay() -> None:
    secrets = {"acme1": KEY, "named": KEY, "other": KEY}
    keys = _keys(secrets)
    for arguments in (("acme1",), ("acme1", "named"), ("other",)):
        await keys.key_of(*arguments)
    secrets.update(acme1=OTHER_KEY, named=OTHER_KEY, other=OTHER_KEY)
    keys.forget("acme1")
    assert await keys.key_of("acme1") == OTHER_KEY
    assert await keys.key_of("acme1", "named") == OTHER_KEY
    assert await keys.key_of("other") == KEY


async def test_a_listed_account_is_opened_as_the_settings_say_and_not_by_its_name() -> None:
    secrets = {"acme1": OTHER_KEY, "acme1-key1": OTHER_KEY, "main": KEY}
    assert await _listed(secrets, key_alias="main").key_of("acme1") == KEY
    with pytest.raises(SecretNotFoundError, match="'gone'"):
        await _listed(secrets, key_alias="gone").key_of("acme1")


async def test_accounts_that_are_not_listed_keep_their_usual_aliases() -> None:
    assert await _listed({"other": KEY, "main": OTHER_KEY}, key_alias="main").key_of("other") == KEY


async def test_an_alias_that_an_address_names_counts_before_the_listed_one() -> None:
    assert await _listed({"main": KEY, "named": OTHER_KEY}, key_alias="main").key_of("acme1", "named") == OTHER_KEY


async def test_a_connection_string_gives_the_key() -> None:
    text = f" AccountName=acme1;AccountKey={KEY};EndpointSuffix=core.windows.net \n"
    assert await _listed({"string": text}, connection_string_alias="string").key_of("acme1") == KEY
    from_environment = _listed({}, environ={"STRING": text}, connection_string_env="STRING")
    assert await from_environment.key_of("acme1") == KEY


async def test_a_connection_string_of_another_account_is_refused() -> None:
    keys = _listed({"string": f"AccountName=other;AccountKey={KEY}"}, connection_string_alias="string")
    with pytest.raises(ConnectionStringMalformedError, match="AccountName is other, and it is named for acme1"):
        await keys.key_of("acme1")


async def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigurationError, match="STRING, which is not set"):
        await _listed({}, connection_string_env="STRING").key_of("acme1")


async def test_an_account_of_an_identity_has_no_key_although_the_vault_holds_one() -> None:
    with pytest.raises(ConfigurationError, match="opened without a key"):
        await _listed({"acme1": KEY}, identity="own").key_of("acme1")


@pytest.mark.parametrize(
    ("access", "secrets", "alias"),
    [
        ({"key_alias": "main"}, {"main": KEY}, "main"),
        ({"connection_string_alias": "string"}, {"string": f"AccountName=acme1;AccountKey={KEY}"}, "string"),
        (None, {"acme1": KEY}, "acme1"),
        (None, {"acme1-key1": KEY}, "acme1-key1"),
    ],
)
async def test_what_a_vault_keeps_in_memory_is_forgotten_too(
    access: dict[str, str] | None, secrets: dict[str, str], alias: str
) -> None:
    listed = (StorageAccountSettings.model_validate({"name": "acme1"} | access),) if access else ()
    vault = ForgettingVault(secrets)
    keys = AccountKeys(vault, AzureStorageSettings(accounts=listed), environ={})
    keys.forget("acme1")
    assert vault.forgotten == []
    await keys.key_of("acme1")
    keys.forget("other")
    assert vault.forgotten == []
    keys.forget("acme1")
    assert vault.forgotten == [alias]


async def test_there_is_nothing_in_the_vault_to_forget_of_a_key_from_the_environment() -> None:
    vault, access = ForgettingVault({}), {"name": "acme1", "connection_string_env": "STRING"}
    settings = AzureStorageSettings(accounts=(StorageAccountSettings.model_validate(access),))
    keys = AccountKeys(vault, settings, environ={"STRING": f"AccountName=acme1;AccountKey={KEY}"})
    await keys.key_of("acme1")
    keys.forget("acme1")
    assert vault.forgotten == []
