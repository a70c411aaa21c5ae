from datetime import UTC, datetime, timedelta

import pytest

from azure_storage.account_keys import KEPT_FOR, AccountKeys
from azure_storage.errors import AccountKeyMalformedError
from connector_spi.errors import SecretNotFoundError
from vault_adapters.memory import InMemoryVault

KEY, OTHER_KEY = "a2V5LW9uZQ==", "a2V5LXR3bw=="


class TurnedClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


def _keys(secrets: dict[str, str], clock: TurnedClock | None = None) -> AccountKeys:
    return AccountKeys(InMemoryVault(secrets), clock=clock or TurnedClock())


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
