"""Processes that find their storage accounts in AZURE_STORAGE_* variables, and whose vaults hold no account key."""

from pathlib import Path

import pytest

from connector_cli.demo.organisation import Organisation
from tests.conftest import AzuriteForTests
from tests.end_to_end.stage import Stage, two_organisations

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]

NOWHERE = "http://127.0.0.1:9/{account}"


def connection_string(azurite: AzuriteForTests, account: str) -> str:
    endpoint = azurite.endpoint_template.format(account=account)
    return f"AccountName={account};AccountKey={azurite.keys[account]};BlobEndpoint={endpoint}\n"


async def _without_account_keys(stage: Stage) -> None:
    for side in (stage.provider, stage.consumer):
        vault = side.open_vault()
        await vault.delete(side.account)
        await vault.aclose()


def _log(side: Organisation, name: str) -> str:
    return (side.folder / name).read_text(encoding="utf-8")


async def test_a_transfer_between_accounts_of_the_environment(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    provider, consumer = (connection_string(azurite, name) for name in ("providerorg", "consumerorg"))
    environment = {
        "data plane": {
            "AZURE_STORAGE_CONNECTION_STRING": provider,
            "AZURE_STORAGE_CONTAINER": container_name,
            "CONNECTOR_STORAGE__DEVELOPMENT": "false",
        },
        # The address of the account is in its connection string alone.
        "consumer": {
            "AZURE_STORAGE_CONNECTION_STRING": consumer,
            "CONNECTOR_STORAGE__ENDPOINT_TEMPLATE": NOWHERE,
        },
    }
    async with two_organisations(
        azurite, tmp_path, container_name, environment, before_start=_without_account_keys
    ) as stage:
        await stage.upload("folder/a.txt", b"environment")
        await stage.offer("a", blobPrefix="folder/", container="")
        process = await stage.ended(await stage.start(await stage.agree("a")))
        assert process["state"] == "COMPLETED", process
        await stage.deprovision(process["@id"])
        data_plane, receiving = _log(stage.provider, "data-plane.log"), _log(stage.consumer, "connector.log")
    place = azurite.endpoint_template.format(account="providerorg")
    assert f"AZURE_STORAGE_CONNECTION_STRING opens the storage account providerorg at {place}" in data_plane
    assert f"sources in providerorg that name no container are in '{container_name}'" in data_plane
    assert "opened by an account key or connection string: providerorg." in data_plane
    assert "opened by an account key" not in receiving, "development = true says that keys are all right"
    for log in (data_plane, receiving):
        assert not [key for key in azurite.keys.values() if key in log]
