"""From settings to an open vault."""

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from connector_spi.errors import ConfigurationError, VaultForbiddenError
from entra_identity.credentials import EntraCredentials
from entra_identity.settings import ManagedIdentitySettings
from vault_adapters.azure_key_vault import AzureKeyVault
from vault_adapters.factory import create_vault, open_vault
from vault_adapters.hashicorp import HashiCorpVault
from vault_adapters.local import EncryptedLocalVault, VaultKey, create_key_file
from vault_adapters.memory import InMemoryVault
from vault_adapters.settings import LocalVaultSettings, VaultSettings


def parsed(**table: Any) -> VaultSettings:
    return TypeAdapter[VaultSettings](VaultSettings).validate_python(table)


HASHICORP = {
    "type": "hashicorp",
    "url": "https://vault.example.org:8200",
    "login": {"method": "token", "token_env": "VAULT_TOKEN"},
}
KEY_VAULT = {"type": "azure-key-vault", "url": "https://acme.vault.azure.net", "identity": "pod"}
BARE = {"cache_seconds": 0, "audit": False}


async def test_the_type_chooses_the_vault(tmp_path: Path) -> None:
    identities = EntraCredentials({"pod": ManagedIdentitySettings(type="managed-identity")}, environ={})
    environ = {"VAULT_TOKEN": "s.token"}
    for table, kind in (
        ({"type": "memory"}, InMemoryVault),
        ({"type": "local", "file": tmp_path / "vault", "key_file": tmp_path / "key"}, EncryptedLocalVault),
        (HASHICORP, HashiCorpVault),
        (KEY_VAULT, AzureKeyVault),
    ):
        settings = parsed(**(table | BARE))
        for vault in (create_vault(settings, environ, identities), open_vault(settings, environ, identities)):
            assert isinstance(vault, kind)
            await vault.aclose()
    await identities.aclose()


async def test_every_access_is_on_record_unless_that_is_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await open_vault(parsed(type="memory", audit=False), {}).store("unseen", "value")
        vault = open_vault(parsed(type="memory", cache_seconds=60), {}, actor="data plane of acme")
        await vault.store("seen", "planted-7f1e")
        await vault.resolve("seen")  # from memory
        await vault.aclose()
    records = [vars(record) for record in caplog.records]
    assert [(record["operation"], record["alias"]) for record in records] == [("store", "seen"), ("resolve", "seen")]
    assert {record["actor"] for record in records} == {"data plane of acme"}
    assert "planted" not in str(records)


@pytest.mark.parametrize(("seconds", "seen"), [(0, "new"), (60, "old")])
async def test_secrets_are_kept_in_memory_as_long_as_the_settings_say(
    tmp_path: Path, seconds: float, seen: str
) -> None:
    table = {"type": "local", "file": tmp_path / "vault", "key_file": tmp_path / "key"}
    vault, other = (create_vault(parsed(**table, cache_seconds=kept), {}) for kept in (seconds, 0))
    await other.store("alias", "old")
    assert await vault.resolve("alias") == "old"
    await other.store("alias", "new")
    assert await vault.resolve("alias") == seen
    await vault.aclose()


@pytest.mark.parametrize(
    ("table", "key"),
    [
        pytest.param(HASHICORP | {"url": "http://vault.example.org"}, "vault.url", id="secrets in the clear"),
        pytest.param(HASHICORP, "vault.login.token_env", id="no token"),
        pytest.param(KEY_VAULT, "vault.identity", id="no such identity"),
    ],
)
def test_a_vault_server_that_cannot_work_is_told_by_the_setting(table: dict[str, Any], key: str) -> None:
    identities = EntraCredentials({}, environ={})
    for known in (identities, None):
        with pytest.raises(ConfigurationError) as raised:
            open_vault(parsed(**table), {}, known)
        assert raised.value.key == key


@pytest.mark.parametrize(
    "table",
    [
        pytest.param({}, id="no type"),
        pytest.param({"type": "paper"}, id="unknown type"),
        pytest.param({"type": "local"}, id="no file"),
        pytest.param({"type": "local", "file": "vault"}, id="no key"),
        pytest.param({"type": "local", "file": "vault", "key_file": "k", "key_env": "K"}, id="two keys"),
        pytest.param({"type": "local", "file": "vault", "key_env": ""}, id="empty name"),
        pytest.param({"type": "local", "file": "vault", "key": "inline"}, id="key in the configuration"),
        pytest.param({"type": "memory", "file": "vault"}, id="setting of another vault"),
    ],
)
def test_settings_that_make_no_sense_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parsed(**table)


async def test_create_makes_key_and_vault_once_and_open_finds_them(tmp_path: Path) -> None:
    settings = parsed(type="local", file=tmp_path / "state" / "vault", key_file=tmp_path / "keys" / "key")
    await create_vault(settings, {}).store("alias", "value")
    assert await create_vault(settings, {}).resolve("alias") == "value"
    assert await open_vault(settings, {}).resolve("alias") == "value"


def test_create_uses_a_key_that_is_already_there(tmp_path: Path) -> None:
    key = create_key_file(tmp_path / "key")
    create_vault(parsed(type="local", file=tmp_path / "vault", key_file=tmp_path / "key"), {})
    EncryptedLocalVault.open(tmp_path / "vault", key)


def test_a_vault_whose_key_file_is_lost_gets_no_new_one(tmp_path: Path) -> None:
    settings = parsed(type="local", file=tmp_path / "vault", key_file=tmp_path / "key")
    create_vault(settings, {})
    (tmp_path / "key").unlink()
    with pytest.raises(ConfigurationError, match=r"vault\.key_file: .*does not exist"):
        create_vault(settings, {})
    assert not (tmp_path / "key").exists()


async def test_the_key_may_come_from_the_environment_that_is_passed_in(tmp_path: Path) -> None:
    settings = LocalVaultSettings(type="local", file=tmp_path / "vault", key_env="CONNECTOR_VAULT_KEY")
    environ = {"CONNECTOR_VAULT_KEY": VaultKey.generate().to_text()}
    await create_vault(settings, environ).store("alias", "value")
    assert await open_vault(settings, environ).resolve("alias") == "value"
    with pytest.raises(VaultForbiddenError, match="another key"):
        open_vault(settings, {"CONNECTOR_VAULT_KEY": VaultKey.generate().to_text()})


@pytest.mark.parametrize("environ", [{}, {"CONNECTOR_VAULT_KEY": ""}])
def test_a_key_variable_that_is_not_set_is_named(tmp_path: Path, environ: dict[str, str]) -> None:
    settings = LocalVaultSettings(type="local", file=tmp_path / "vault", key_env="CONNECTOR_VAULT_KEY")
    with pytest.raises(ConfigurationError, match=r"vault\.key_env: .*CONNECTOR_VAULT_KEY is not set"):
        create_vault(settings, environ)
