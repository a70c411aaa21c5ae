"""Fixtures that every test may use."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from connector_cli.azurite import is_installed, new_account_key, running_azurite
from emulators.certificates import write_self_signed
from tests.emulated import (
    RunningEntra,
    RunningKeyVault,
    RunningVault,
    running_entra,
    running_key_vault,
    running_vault,
)

pytest_plugins = ["tests.no_skips_in_ci"]


@dataclass(frozen=True, slots=True)
class AzuriteForTests:
    """A running Azurite with two accounts, `providerorg` and `consumerorg`; `keys` by account name."""

    endpoint_template: str
    keys: dict[str, str]


@dataclass(frozen=True, slots=True)
class AzuriteWithOAuth(AzuriteForTests):
    """The same over TLS; it takes the tokens of `entra` besides account keys. `ca_file`: PEM for its clients."""

    ca_file: Path
    entra: RunningEntra


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def azurite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AzuriteForTests]:
    """One real Azurite for the whole run; tests keep apart by container names."""
    keys = _accounts_of_azurite()
    folder = tmp_path_factory.mktemp("azurite")
    async with running_azurite(accounts=keys, data_folder=folder, in_memory=True) as running:
        yield AzuriteForTests(running.endpoint_template, keys)


def _accounts_of_azurite() -> dict[str, str]:
    if not is_installed():
        pytest.skip("Azurite is not installed: run `make setup`.")
    return {account: new_account_key() for account in ("providerorg", "consumerorg")}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def entra_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningEntra]:
    """One emulated Entra ID for the whole run: who rotates, breaks or kills takes a `running_entra` of their own."""
    async with running_entra(tmp_path_factory.mktemp("entra")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def key_vault_server(
    tmp_path_factory: pytest.TempPathFactory, entra_server: RunningEntra
) -> AsyncIterator[RunningKeyVault]:
    """One emulated Key Vault for the whole run; tests keep apart by names."""
    async with running_key_vault(tmp_path_factory.mktemp("key-vault"), entra_server) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vault_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningVault]:
    """One emulated Vault for the whole run; tests keep apart by folders."""
    async with running_vault(tmp_path_factory.mktemp("vault")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def azurite_oauth(
    tmp_path_factory: pytest.TempPathFactory, entra_server: RunningEntra
) -> AsyncIterator[AzuriteWithOAuth]:
    """One real Azurite with TLS and OAuth for the whole run; tests keep apart by container names."""
    keys, folder = _accounts_of_azurite(), tmp_path_factory.mktemp("azurite-oauth")
    certificates = write_self_signed(folder)
    async with running_azurite(
        accounts=keys, data_folder=folder, in_memory=True, certificates=certificates, oauth=True
    ) as running:
        yield AzuriteWithOAuth(running.endpoint_template, keys, certificates.ca_file, entra_server)


@pytest.fixture
def container_name() -> str:
    """A container name that no other test uses."""
    return f"test-{uuid.uuid4().hex}"
