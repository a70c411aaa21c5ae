"""Soft delete: what was deleted is gone for us at once, and its name can be used again, purge protection or not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError

from connector_spi.errors import SecretNotFoundError, VaultUnavailableError
from tests.emulated import RunningEntra, RunningKeyVault, running_key_vault
from tests.integration.azure_key_vault.opened_vaults import opened, operator_at

ALIAS = "transfers/42/sas"
NAME = "transfers--s42--ssas"


@pytest.fixture(params=["at once", "slow", "purge protected"])
async def key_vault(
    request: pytest.FixtureRequest, tmp_path: Path, entra_server: RunningEntra
) -> AsyncIterator[RunningKeyVault]:
    async with running_key_vault(
        tmp_path,
        entra_server,
        deletion_seconds=0.7 if request.param == "slow" else 0,
        purge_protection=request.param == "purge protected",
    ) as running:
        yield running


async def test_a_deleted_alias_is_written_again_and_again(key_vault: RunningKeyVault) -> None:
    async with opened(key_vault) as vault:
        for value in ("first", "second", "third"):
            await vault.store(ALIAS, value)
            assert await vault.resolve(ALIAS) == value
            await vault.delete(ALIAS)
            with pytest.raises(SecretNotFoundError):
                await vault.resolve(ALIAS)
            assert await vault.aliases() == []
        await vault.store(ALIAS, "last")
        assert await vault.resolve(ALIAS) == "last"
        assert await vault.aliases() == [ALIAS]


async def test_deleting_twice_is_no_error(key_vault: RunningKeyVault) -> None:
    async with opened(key_vault) as vault:
        await vault.store(ALIAS, "value")
        await vault.delete(ALIAS)
        await vault.delete(ALIAS)
        with pytest.raises(SecretNotFoundError):
            await vault.resolve(ALIAS)


async def test_what_an_operator_deleted_can_be_written_again(key_vault: RunningKeyVault) -> None:
    async with operator_at(key_vault) as operator, opened(key_vault) as vault:
        await operator.set_secret("account-key", "old")
        await operator.delete_secret("account-key")
        await vault.store("account-key", "new")
        assert await vault.resolve("account-key") == "new"


async def test_a_name_that_is_being_purged_is_waited_for(tmp_path: Path, entra_server: RunningEntra) -> None:
    async with (
        running_key_vault(tmp_path, entra_server, deletion_seconds=2.5) as key_vault,
        operator_at(key_vault) as operator,
        opened(key_vault) as vault,
    ):
        await operator.set_secret(NAME, "old")
        await operator.delete_secret(NAME)
        await operator.purge_deleted_secret(NAME)
        await vault.store(ALIAS, "new")
        assert await vault.resolve(ALIAS) == "new"


async def test_purging_removes_the_history(tmp_path: Path, entra_server: RunningEntra) -> None:
    async with (
        running_key_vault(tmp_path, entra_server) as key_vault,
        operator_at(key_vault) as operator,
        opened(key_vault) as vault,
    ):
        await vault.store(ALIAS, "value")
        await vault.delete(ALIAS)
        with pytest.raises(ResourceNotFoundError):
            await operator.get_deleted_secret(NAME)


async def test_a_deletion_that_was_cut_short_is_purged_the_next_time(
    tmp_path: Path, entra_server: RunningEntra
) -> None:
    async with (
        running_key_vault(tmp_path, entra_server) as key_vault,
        operator_at(key_vault) as operator,
        opened(key_vault) as vault,
    ):
        await vault.store(ALIAS, "value")
        await operator.delete_secret(NAME)
        await vault.delete(ALIAS)
        with pytest.raises(ResourceNotFoundError):
            await operator.get_deleted_secret(NAME)


async def test_what_an_operator_deleted_is_not_purged(tmp_path: Path, entra_server: RunningEntra) -> None:
    async with (
        running_key_vault(tmp_path, entra_server) as key_vault,
        operator_at(key_vault) as operator,
        opened(key_vault) as vault,
    ):
        await operator.set_secret("account-key", "of the operator")
        await operator.delete_secret("account-key")
        await vault.delete("account-key")
        assert (await operator.get_deleted_secret("account-key")).name == "account-key"


async def test_a_name_that_stays_busy_is_tried_again_later(tmp_path: Path, entra_server: RunningEntra) -> None:
    async with (
        running_key_vault(tmp_path, entra_server, deletion_seconds=600) as key_vault,
        operator_at(key_vault) as operator,
        opened(key_vault, call_seconds=1) as vault,
    ):
        await operator.set_secret(NAME, "old")
        with pytest.raises(VaultUnavailableError, match="within 1 s"):
            await vault.delete(ALIAS)  # deleted, and not yet where it can be purged
        with pytest.raises(SecretNotFoundError):
            await vault.resolve(ALIAS)
        with pytest.raises(VaultUnavailableError, match="'transfers/42/sas' within 1 s"):
            await vault.store(ALIAS, "new")
