"""The vaults that the demo brings: each organisation has one of its own, and what opens it is in its folder alone."""

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from connector_cli.azurite import new_account_key
from connector_cli.configuration import load_settings
from connector_cli.demo.account_keys import note_absence
from connector_cli.demo.checklist import Checklist
from connector_cli.demo.emulator import running_emulator
from connector_cli.demo.narrator import Narrator
from connector_cli.demo.organisation import API_KEY, Organisation
from connector_cli.demo.parts import Stage
from connector_cli.demo.run import FURNISHINGS
from connector_cli.demo.vaults.furniture import Furniture
from connector_cli.demo.vaults.hashicorp import hashicorp_vaults
from connector_cli.demo.vaults.kind import VaultKind
from connector_cli.opened_vault import opened_vault
from connector_spi.errors import ConfigurationError, SecretNotFoundError, VaultForbiddenError
from connector_spi.vault import Vault
from tests.emulated import running_vault
from vault_adapters.settings import AzureKeyVaultSettings, HashiCorpVaultSettings

NAMES: Final = ("provider", "consumer")


@asynccontextmanager
async def furnished(kind: VaultKind, folder: Path) -> AsyncIterator[tuple[Furniture, list[Organisation]]]:
    """Both organisations with their vaults filled and their configuration written."""
    folders = {name: folder / name for name in NAMES}
    for place in folders.values():
        place.mkdir()
    async with FURNISHINGS[kind](folders) as furniture:
        template = "https://127.0.0.1:1/{account}"
        sides = [
            Organisation(
                name,
                f"{name}org",
                new_account_key(),
                folders[name],
                template,
                name == "provider",
                furniture.vaults[name],
            )
            for name in NAMES
        ]
        for side in sides:
            await side.furnish()
        for side, other in (sides, reversed(sides)):
            side.write_configuration(other)
        yield furniture, sides


async def entries(vault: Vault) -> dict[str, str]:
    """Everything in it; it is closed."""
    try:
        return {alias: await vault.resolve(alias) for alias in await vault.aliases()}
    finally:
        await vault.aclose()


@pytest.mark.parametrize("kind", VaultKind)
async def test_the_configuration_opens_what_the_operator_has_filled(kind: VaultKind, tmp_path: Path) -> None:
    async with furnished(kind, tmp_path) as (_, sides):
        for side in sides:
            for file in side.folder.glob("*.toml"):
                settings = load_settings(file)
                assert settings.vault.type == kind
                async with opened_vault(settings, {}) as opened:
                    assert await opened.vault.resolve(API_KEY) == side.api_key


@pytest.mark.parametrize("kind", VaultKind)
async def test_account_keys_rest_in_the_vault_unless_an_identity_opens_storage(kind: VaultKind, tmp_path: Path) -> None:
    async with furnished(kind, tmp_path) as (furniture, sides):
        for side in sides:
            kept = await entries(side.open_vault())
            accounts = load_settings(side.folder / "connector.toml").storage.accounts
            if kind is VaultKind.AZURE_KEY_VAULT:
                assert side.account_key not in kept.values()
                assert [(account.name, account.identity) for account in accounts] == [
                    (side.account, side.vault.identity)
                ]
            else:
                assert kept[side.account] == side.account_key
                assert accounts == ()
        assert (furniture.certificates is not None) is (kind is VaultKind.AZURE_KEY_VAULT)


@pytest.mark.parametrize("kind", VaultKind)
async def test_nobody_else_may_read_what_opens_a_vault(kind: VaultKind, tmp_path: Path) -> None:
    async with furnished(kind, tmp_path):
        opening = [file for file in tmp_path.rglob("*") if file.suffix == ".key" or "credential" in file.name]
        opening += tmp_path.rglob("*-secret")
        assert len(opening) >= len(NAMES)
        assert {stat.S_IMODE(file.stat().st_mode) for file in opening} == {0o600}


@pytest.mark.parametrize("kind", [VaultKind.HASHICORP, VaultKind.AZURE_KEY_VAULT])
async def test_no_organisation_gets_into_the_vault_of_the_other(kind: VaultKind, tmp_path: Path) -> None:
    async with furnished(kind, tmp_path) as (_, [provider, consumer]):
        text = (consumer.folder / "connector.toml").read_text()
        theirs, own = (load_settings(side.folder / "connector.toml").vault for side in (provider, consumer))
        assert isinstance(theirs, AzureKeyVaultSettings | HashiCorpVaultSettings)
        assert isinstance(own, AzureKeyVaultSettings | HashiCorpVaultSettings)
        intruding = consumer.folder / "intruding.toml"
        intruding.write_text(text.replace(own.url, theirs.url).replace('folder = "consumer"', 'folder = "provider"'))
        async with opened_vault(load_settings(intruding), {}) as opened:
            with pytest.raises(VaultForbiddenError):
                await opened.vault.resolve(API_KEY)


async def test_a_role_may_use_its_own_folder_alone(tmp_path: Path) -> None:
    async with furnished(VaultKind.HASHICORP, tmp_path) as (_, [provider, _consumer]):
        text = (provider.folder / "connector.toml").read_text()
        straying = provider.folder / "straying.toml"
        straying.write_text(text.replace('folder = "provider"', 'folder = "elsewhere"'))
        async with opened_vault(load_settings(straying), {}) as opened:
            with pytest.raises(VaultForbiddenError):
                await opened.vault.store("a", "b")


async def test_a_server_of_the_environment_is_used_and_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_vault(tmp_path / "server") as server:
        monkeypatch.setenv("VAULT_ADDR", server.url)
        monkeypatch.setenv("VAULT_TOKEN", server.root_token)
        folders = {name: tmp_path / name for name in NAMES}
        for place in folders.values():
            place.mkdir()
        async with hashicorp_vaults(folders) as furniture:
            assert server.url in furniture.told
            vaults = [furniture.vaults[name].open() for name in NAMES]
            await vaults[0].store("mine", "a secret")
            with pytest.raises(SecretNotFoundError):
                await vaults[1].resolve("mine")
            assert "a secret" in (tmp_path / "server" / "vault.json").read_text()
            for vault in vaults:
                await vault.aclose()
        assert "a secret" not in (tmp_path / "server" / "vault.json").read_text()


async def test_an_emulator_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"not part of the installed package.*clone"):
        async with running_emulator("vault_server", log_file=tmp_path / "log", root=tmp_path):
            pass


@pytest.mark.parametrize("place", ["vault", "file"])
async def test_an_account_key_is_found_wherever_it_is(tmp_path: Path, place: str) -> None:
    async with furnished(VaultKind.AZURE_KEY_VAULT, tmp_path) as (_, [provider, consumer]):
        console = Console(quiet=True)
        stage = Stage(
            console, Checklist(console), Narrator(console, {}), provider, consumer, provider.data_plane(), agreements={}
        )
        await note_absence(stage)
        assert stage.checklist.all_held
        if place == "vault":
            vault = consumer.open_vault()
            await vault.store("forgotten", f"AccountKey={consumer.account_key}")
            await vault.aclose()
        else:
            (provider.folder / "connector.log").write_text(f"opened with {provider.account_key}\n")
        await note_absence(stage)
        assert not stage.checklist.all_held
