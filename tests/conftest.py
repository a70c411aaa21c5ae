"""Fixtures that every test may use."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from connector_cli.azurite import is_installed, new_account_key, running_azurite

pytest_plugins = ["tests.no_skips_in_ci"]


@dataclass(frozen=True, slots=True)
class AzuriteForTests:
    """A running Azurite with two accounts, `providerorg` and `consumerorg`; `keys` by account name."""

    endpoint_template: str
    keys: dict[str, str]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def azurite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AzuriteForTests]:
    """One real Azurite for the whole run; tests keep apart by container names."""
    if not is_installed():
        pytest.skip("Azurite is not installed: run `make setup`.")
    keys = {account: new_account_key() for account in ("providerorg", "consumerorg")}
    folder = tmp_path_factory.mktemp("azurite")
    async with running_azurite(accounts=keys, data_folder=folder, in_memory=True) as running:
        yield AzuriteForTests(running.endpoint_template, keys)


@pytest.fixture
def container_name() -> str:
    """A container name that no other test uses."""
    return f"test-{uuid.uuid4().hex}"
