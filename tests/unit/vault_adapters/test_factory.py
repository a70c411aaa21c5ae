"""From settings to an open vault."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from connector_spi.errors import ConfigurationError, VaultForbiddenError
from vault_adapters.factory import create_vault, open_vault
from vault_adapters.local import EncryptedLocalVault, VaultKey, create_key_file
from vault_adapters.memory import InMemoryVault
from vault_adapters.settings import LocalVaultSettings, VaultSettings


def parsed(**table: Any) -> VaultSettings:
    return TypeAdapter[VaultSettings](VaultSettings).validate_python(table)


def test_the_type_chooses_the_vault(tmp_path: Path) -> None:
    assert isinstance(open_vault(parsed(type="memory"), {}), InMemoryVault)
    local = parsed(type="local", file=tmp_path / "vault", key_file=tmp_path / "key")
    assert isinstance(create_vault(local, {}), EncryptedLocalVault)


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
