"""The default container of an account is that of sources in this account that name none, and of nothing else."""

import pytest

from azure_storage.block_client import BlockBlobClient
from azure_storage.opening import open_storage
from azure_storage.settings import AzureStorageSettings
from connector_spi.clock import SystemClock
from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError
from data_plane.adapters.azure_source import AzureStorageSourceFactory
from vault_adapters.memory import InMemoryVault


async def accepted(**properties: str) -> DataAddress:
    clock = SystemClock()
    async with open_storage(AzureStorageSettings(), InMemoryVault(), clock) as storage:
        factory = AzureStorageSourceFactory(
            storage=storage.objects,
            blobs=BlockBlobClient(storage.session, clock=clock),
            endpoints=storage.endpoints,
            clock=clock,
            default_containers={"acme1": "logs"},
        )
        return factory.accepted(DataAddress("AzureStorage", {"blobName": "a", **properties}))


async def test_a_source_without_a_container_gets_it() -> None:
    assert (await accepted(account="acme1")).get("container") == "logs"
    assert (await accepted(account="acme1", container="")).get("container") == "logs"


async def test_a_source_that_names_one_keeps_it() -> None:
    assert (await accepted(account="acme1", container="own")).get("container") == "own"


async def test_other_accounts_have_none() -> None:
    with pytest.raises(InvalidInputError, match="container"):
        await accepted(account="acme2")
