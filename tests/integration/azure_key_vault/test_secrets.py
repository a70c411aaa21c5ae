"""Secrets in Key Vault as operators and connectors see them, and many at once."""

import asyncio
from pathlib import Path

import pytest

from connector_spi.errors import SecretNotFoundError
from tests.emulated import RunningEntra, RunningKeyVault, running_entra, running_key_vault
from tests.integration.azure_key_vault.opened_vaults import opened, operator_at
from vault_adapters.azure_key_vault.vault import ALIAS_TAG


@pytest.mark.parametrize("name", ["account-key", "MySecret", "1st", "a--b"])
async def test_a_secret_that_an_operator_set_is_resolved_and_not_listed(
    tmp_path: Path, entra_server: RunningEntra, name: str
) -> None:
    async with (
        running_key_vault(tmp_path, entra_server) as key_vault,
        operator_at(key_vault) as operator,
        opened(key_vault) as vault,
    ):
        await operator.set_secret(name, "set by hand")
        assert await vault.resolve(name) == "set by hand"
        assert await vault.aliases() == []
        await vault.store(name, "stored")
        assert await vault.resolve(name) == "stored"
        await vault.delete(name)
        with pytest.raises(SecretNotFoundError):
            await vault.resolve(name)


async def test_an_operator_can_set_any_alias_by_its_escaped_name(key_vault_server: RunningKeyVault) -> None:
    async with operator_at(key_vault_server) as operator, opened(key_vault_server) as vault:
        await operator.set_secret("partners--sacme--dkey", "set by hand")
        assert await vault.resolve("partners/acme.key") == "set by hand"


async def test_a_stored_secret_reads_plainly_and_carries_its_alias(key_vault_server: RunningKeyVault) -> None:
    alias = "transfers/" + "x" * 190
    async with operator_at(key_vault_server) as operator, opened(key_vault_server) as vault:
        await vault.store("readable", "sv=2025&sig=a%2B")
        await vault.store(alias, "long")
        assert (await operator.get_secret("readable")).value == "sv=2025&sig=a%2B"
        assert alias in await vault.aliases("transfers/")
        assert await vault.resolve(alias) == "long"


async def test_a_secret_of_one_alias_is_not_given_to_another(key_vault_server: RunningKeyVault) -> None:
    async with opened(key_vault_server) as vault:
        await vault.store("samename", "of the small one")
        with pytest.raises(SecretNotFoundError):
            await vault.resolve("SameName")
        await vault.delete("SameName")
        assert await vault.resolve("samename") == "of the small one"


async def test_a_copy_under_another_name_is_not_listed(key_vault_server: RunningKeyVault) -> None:
    async with operator_at(key_vault_server) as operator, opened(key_vault_server) as vault:
        await operator.set_secret("a-copy", "value", tags={ALIAS_TAG: "the/original"})
        assert "the/original" not in await vault.aliases()
        with pytest.raises(SecretNotFoundError):
            await vault.resolve("a-copy")


async def test_more_secrets_than_a_page_holds_are_listed(tmp_path: Path, entra_server: RunningEntra) -> None:
    aliases = [f"paged/{number:02}" for number in range(60)]
    async with running_key_vault(tmp_path, entra_server) as key_vault, opened(key_vault) as vault:
        for alias in aliases:
            await vault.store(alias, "value")
        await key_vault.fail(1, status=500)
        assert await vault.aliases() == aliases
        assert await vault.aliases("paged/0") == aliases[:10]


async def test_two_hundred_readers_at_once_need_one_token(tmp_path: Path) -> None:
    async with running_entra(tmp_path / "entra") as entra, running_key_vault(tmp_path, entra) as key_vault:
        async with opened(key_vault) as writer:
            await writer.store("shared", "value")
        async with opened(key_vault) as vault:
            assert set(await asyncio.gather(*(vault.resolve("shared") for _ in range(200)))) == {"value"}
        tokens = [asked for asked in await entra.requests() if asked["path"].endswith("/token")]
    assert len(tokens) == 2
