"""Transfers into a container that the client has already (`managedResources=false`), between real processes."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from azure_storage.markers import COMPLETE
from connector_cli.main import app
from tests.conftest import AzuriteForTests
from tests.end_to_end.existing_containers import ClientsContainer, clients_container, is_staged
from tests.end_to_end.stage import Stage, two_organisations
from tests.end_to_end.test_receipts import verified
from tests.eventually import eventually
from tests.fault_proxy import fault_proxy, faults

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]

FILES = {"a.csv": b"a" * 1000, "empty": b"", "sub/\u00dcbersicht.bin": bytes(range(256)) * 4096}


async def offered(stage: Stage, files: dict[str, bytes]) -> str:
    """An agreement on these files."""
    asset = f"existing-{uuid4().hex}"
    for name, content in files.items():
        await stage.upload(f"{asset}/{name}", content)
    await stage.offer(asset, blobPrefix=f"{asset}/")
    return await stage.agree(asset)


async def placed(mine: ClientsContainer, folder: str) -> dict[str, bytes]:
    """Everything in the folder but receipts, by the last parts of the names."""
    root = f"{folder}/"
    names = [name for name in await mine.etags() if name.startswith(root)]
    data = [name for name in names if not name.removeprefix(root).startswith(".")]
    return {name.removeprefix(root).partition("/")[2]: await mine.read(name) for name in data}


async def is_tidy(stage: Stage, process: dict[str, Any], mine: ClientsContainer) -> None:
    """Nothing of the client's has changed, and nothing of the connector's is left, without being asked."""

    async def no_staging() -> bool:
        return not await is_staged(stage, process["@id"])

    await eventually(no_staging)
    assert await mine.is_untouched(), process
    acl = await mine.client.get_container_access_policy()
    assert (acl["public_access"], acl["signed_identifiers"]) == ("blob", [])
    assert not [alias for alias in await stage.consumer.open_vault().aliases() if process["@id"] in alias]


async def test_the_data_arrives_in_a_folder_of_its_own_and_everything_else_is_as_it_was(stage: Stage) -> None:
    agreement = await offered(stage, FILES)
    async with clients_container(stage) as mine:
        process = await stage.ended(await stage.start(agreement, **mine.destination(stage)))
        assert process["state"] == "COMPLETED", process
        shown = process["dataDestination"]
        assert (shown["container"], shown["folderName"]) == (mine.name, process["@id"])
        assert await placed(mine, process["@id"]) == FILES
        assert process["placement"]["objectsPlaced"] == len(FILES)
        await is_tidy(stage, process, mine)
        code, report = await verified(stage, process["@id"])
        assert (code, report["objects"]["ok"]) == (0, len(FILES)), report

        await stage.deprovision(process["@id"])
        assert await placed(mine, process["@id"]) == FILES, "what was delivered is the client's"
        assert f"{process['@id']}/{COMPLETE}" in await mine.etags()
        assert (await stage.ended_at_provider(process["@id"]))["state"] == "COMPLETED"


async def test_the_paths_of_2022_know_existing_containers_too(stage: Stage) -> None:
    agreement, process_id = await offered(stage, FILES), f"t-{uuid4().hex}"
    async with clients_container(stage) as mine, stage.consumer.client() as consumer:
        wish = mine.destination(stage, folderName="in", ifExists="refuse")
        body = {
            "id": process_id,
            "connectorId": "provider",
            "connectorAddress": stage.provider.protocol_url,
            "contractId": agreement,
            "dataDestination": {"properties": wish["dataDestination"]},
            "managedResources": False,
        }
        assert await consumer.call("POST", "/transferprocess", body) == {"id": process_id}
        process = await stage.ended(process_id)
        assert process["state"] == "COMPLETED", process
        assert await consumer.call("POST", "/transferprocess", body) == {"id": process_id}
        assert FILES.items() <= (await placed(mine, "in")).items()
        await is_tidy(stage, process, mine)
        code, report = await verified(stage, process_id)
        assert code == 0, report


@pytest.mark.parametrize("rule", ["refuse", "skip", "rename"])
async def test_a_name_that_is_taken_is_handled_as_the_client_wished(stage: Stage, rule: str) -> None:
    agreement = await offered(stage, FILES)
    async with clients_container(stage) as mine:
        first = await stage.ended(await stage.start(agreement, **mine.destination(stage, folderName="first")))
        names = [name.removeprefix("first/") for name in await mine.etags() if name.endswith("/a.csv")]
        await mine.client.upload_blob(f"second/{names[0]}", b"the client's")
        mine.before = await mine.etags()
        wish = mine.destination(stage, folderName="second", ifExists=rule)
        process = await stage.ended(await stage.start(agreement, **wish))
        await is_tidy(stage, process, mine)
        await is_tidy(stage, first, mine)
        contents = await placed(mine, "second")
        assert contents.pop("a.csv") == b"the client's"
        if rule == "refuse":
            assert (process["state"], process["errorCode"]) == ("TERMINATED", "DestinationObjectsExist")
            assert names[0] in process["errorDetail"]
            assert contents == {}
            return
        assert process["state"] == "COMPLETED", process
        assert sorted(contents.values()) == sorted(v for n, v in FILES.items() if n != "a.csv" or rule == "rename")
        code, report = await verified(stage, process["@id"])
        assert (code, report["outcome"]) == (0, "ok"), report
        [named] = report["findings"]
        assert (named["name"], named["finding"]) == (names[0], "skipped" if rule == "skip" else "renamed")


async def test_a_folder_in_which_a_transfer_has_been_is_refused_before_anything_is_asked(stage: Stage) -> None:
    agreement = await offered(stage, FILES)
    async with clients_container(stage) as mine:
        wish = mine.destination(stage, folderName="used")
        assert (await stage.ended(await stage.start(agreement, **wish)))["state"] == "COMPLETED"
        mine.before = await mine.etags()
        process = await stage.ended(await stage.start(agreement, **wish))
        assert (process["state"], process["errorCode"]) == ("TERMINATED", "DestinationFolderTaken")
        assert process.get("correlationId") is None, "the provider has not heard of it"
        await is_tidy(stage, process, mine)


async def test_a_container_that_is_not_there_is_a_reason(stage: Stage) -> None:
    agreement = await offered(stage, {"a.csv": b"1"})
    place = {"type": "AzureStorage", "account": stage.consumer.account, "container": "not-there"}
    process = await stage.ended(await stage.start(agreement, managedResources=False, dataDestination=place))
    assert (process["state"], process["errorCode"]) == ("TERMINATED", "ContainerNotFound")
    assert "not-there" in process["errorDetail"]


async def test_a_client_may_let_the_provider_in(stage: Stage) -> None:
    agreement = await offered(stage, FILES)
    async with clients_container(stage) as mine:
        process = await stage.ended(await stage.start(agreement, **mine.destination(stage, access="container")))
        assert process["state"] == "COMPLETED", process
        assert await placed(mine, process["@id"]) == FILES
        await is_tidy(stage, process, mine)
        assert (await verified(stage, process["@id"]))[0] == 0
        await stage.deprovision(process["@id"])
        assert await placed(mine, process["@id"]) == FILES


async def test_the_command_line_does_the_same(stage: Stage) -> None:
    agreement, consumer = await offered(stage, FILES), stage.consumer
    async with clients_container(stage) as mine:
        arguments = [
            *("transfer", stage.provider.protocol_url, agreement, "--account", consumer.account, "--into", mine.name),
            *("--folder", "by-command", "--url", consumer.management_url, "--api-key", consumer.api_key, "--json"),
        ]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert result.exit_code == 0, result.output
        process = json.loads(result.stdout)
        assert (process["state"], process["dataDestination"]["folderName"]) == ("COMPLETED", "by-command")
        assert await placed(mine, "by-command") == FILES
        await is_tidy(stage, process, mine)


MANY = {f"{number:03d}.txt": f"number {number}".encode() for number in range(150)} | {"large.bin": bytes(9_000_000)}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("killed_at", "before"),
    [("000.txt", False), ("120.txt", True), ("large.bin", False), ("00001.ndjson", True), (COMPLETE, False)],
)
async def test_a_connector_that_is_killed_at_a_commit_of_the_placement_goes_on_when_it_is_back(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str, killed_at: str, before: bool
) -> None:
    """`before`: the commit has not reached the service; else it has, and the connector never hears of it."""
    async with fault_proxy(azurite.endpoint_template) as proxy:
        settings = {
            "CONNECTOR_STORAGE__ENDPOINT_TEMPLATE": proxy.endpoint_template,
            "CONNECTOR_TRANSFER__LEASE_SECONDS": "5",
        }
        async with two_organisations(azurite, tmp_path, container_name, {"consumer": settings}) as stage:
            agreement = await offered(stage, MANY)
            async with clients_container(stage) as mine:
                gate = faults.Gate()
                proxy.inject(
                    gate.before if before else gate.after,
                    "Put Block List",
                    blob=killed_at,
                    where=lambda request: request.container == mine.name,
                )
                process_id = await stage.start(agreement, **mine.destination(stage))
                await gate.arrived(seconds=60)
                assert await is_staged(stage, process_id)
                assert f"{process_id}/{COMPLETE}" not in await mine.etags() or killed_at == COMPLETE
                await stage.processes["consumer"].kill()
                gate.opened.set()
                await stage.processes["consumer"].start()

                process = await stage.ended(process_id)
                assert process["state"] == "COMPLETED", process
                assert await placed(mine, process_id) == MANY
                assert process["placement"]["objectsPlaced"] == len(MANY)
                await is_tidy(stage, process, mine)
                code, report = await verified(stage, process_id)
                assert (code, report["objects"]["ok"]) == (0, len(MANY)), report


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_client_that_ends_the_transfer_while_it_is_placed_gets_its_container_back(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    async with fault_proxy(azurite.endpoint_template) as proxy:
        settings = {
            "CONNECTOR_STORAGE__ENDPOINT_TEMPLATE": proxy.endpoint_template,
            "CONNECTOR_TRANSFER__LEASE_SECONDS": "5",
        }
        async with two_organisations(azurite, tmp_path, container_name, {"consumer": settings}) as stage:
            agreement = await offered(stage, MANY)
            async with clients_container(stage) as mine:
                gate = faults.Gate()
                proxy.inject(gate.before, "Put Block List", blob="120.txt", where=lambda r: r.container == mine.name)
                process_id = await stage.start(agreement, **mine.destination(stage))
                await gate.arrived(seconds=60)
                assert len(await mine.etags()) > len(mine.before)
                async with stage.consumer.client() as consumer:
                    path = f"/v3/transferprocesses/{process_id}/terminate"
                    await consumer.call("POST", path, {"reason": "Enough."})
                # The gate stays closed: the slice must end, and not by having placed everything meanwhile.
                process = await stage.ended(process_id)
                assert process["state"] == "TERMINATED", process
                await is_tidy(stage, process, mine)
                assert await mine.etags() == mine.before
