"""The transfers of the demo: a good one, one whose data plane is killed, and one that fails."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from connector_cli.demo.checklist import Checklist
from connector_cli.demo.flow_watch import wait_for_bytes
from connector_cli.demo.narrator import Narrator
from connector_cli.demo.organisation import Organisation
from connector_cli.demo.processes import ConnectorProcess
from connector_cli.demo.sample_files import (
    FILES,
    LARGE,
    MONTHS_FOLDER,
    SampleFile,
    digest_of,
    names_in,
)
from connector_cli.management_client import ENDED, ManagementClient, offers_of

TRANSFER_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.1
_CLEAN_UP_SECONDS: Final = 30.0
ALL_FILES: Final = "november-data"
LARGE_FILE: Final = "large-measurement"
MONTHS: Final = "measurements-2026"
MISSING_FILE: Final = "lost-file"
SOURCE_PREFIX: Final = "outbox/"


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that a part plays on."""

    console: Console
    checklist: Checklist
    narrator: Narrator
    provider: Organisation
    consumer: Organisation
    data_plane: ConnectorProcess
    agreements: dict[str, str]


async def offer_assets(stage: Stage) -> None:
    """The provider offers its files under a contract that permits use."""
    assets = {
        ALL_FILES: {"blobPrefix": SOURCE_PREFIX},
        LARGE_FILE: {"blobName": SOURCE_PREFIX + LARGE},
        MONTHS: {"blobPrefix": f"{SOURCE_PREFIX}{MONTHS_FOLDER}"},
        MISSING_FILE: {"blobName": SOURCE_PREFIX + "no-such-file.bin"},
    }
    account = {"type": "AzureStorage", "account": stage.provider.account, "container": "outbox"}
    async with stage.provider.client() as provider:
        for asset_id, place in assets.items():
            body = {"@id": asset_id, "properties": {"name": asset_id}, "dataAddress": {**account, **place}}
            await provider.create("assets", body)
        use = {"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", "permission": [{"action": "use"}]}
        await provider.create("policydefinitions", {"@id": "use", "policy": use})
        body = {"@id": "offer-all", "accessPolicyId": "use", "contractPolicyId": "use"}
        only_these = [{"operandLeft": "id", "operator": "in", "operandRight": list(assets)}]
        await provider.create("contractdefinitions", {**body, "assetsSelector": only_these})


async def negotiate(stage: Stage) -> None:
    """The consumer reads the catalog and negotiates a contract for each asset."""
    address, provider_id = stage.provider.protocol_url, stage.provider.name
    async with stage.consumer.client() as consumer:
        offers = offers_of(await consumer.catalog(address, provider_id))
        stage.console.print(f"  catalog of {provider_id}: {', '.join(sorted(offers))}", highlight=False)
        for asset_id, offer in offers.items():
            agreement = await consumer.negotiate(address, provider_id, asset_id, offer, wait_seconds=60)
            stage.agreements[asset_id] = agreement
            stage.console.print(f"  agreement on {asset_id}: {agreement}", highlight=False)


async def good_transfer(stage: Stage) -> None:
    """All files, polled to the end, verified, deprovisioned."""
    async with stage.consumer.client() as consumer:
        process_id = await start(stage, consumer, ALL_FILES, "demo-all-files")
        process = await watch(stage, consumer, process_id, FILES)
        stage.checklist.note("transfer", "state COMPLETED", held=process["state"] == "COMPLETED", seen=process["state"])
        stage.narrator.step("14", "client has polled the state endpoint until it said COMPLETED")
        await verify(stage, "transfer", process, FILES)
        await deprovision(stage, "transfer", consumer, process)
        stage.narrator.tell()
        wanted = {"2", "3", "4", "5", "6", "7", "8-9", "10-11", "12", "13", "16", "17-18"}
        missing = wanted - stage.narrator.steps_told
        held = not missing
        stage.checklist.note("transfer", "every step was seen", held=held, seen=", ".join(sorted(missing)) or "all 18")


async def killed_transfer(stage: Stage) -> None:
    """The large file, with the data plane killed in its middle and started again."""
    large = next(file for file in FILES if file.name == LARGE)
    async with stage.consumer.client() as consumer:
        process_id = await start(stage, consumer, LARGE_FILE, "demo-killed")
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(_kill_in_the_middle(stage, process_id, large.size_bytes))
            watching = group.create_task(watch(stage, consumer, process_id, (large,)))
        share, process = killing.result(), watching.result()
        stage.checklist.note("kill -9", "data plane killed in the middle", held=0 < share < 1, seen=f"at {share:.0%}")
        stage.checklist.note("kill -9", "state COMPLETED", held=process["state"] == "COMPLETED", seen=process["state"])
        await verify(stage, "kill -9", process, (large,))
        await deprovision(stage, "kill -9", consumer, process)


async def _kill_in_the_middle(stage: Stage, process_id: str, size_bytes: int) -> float:
    """Kill the data plane once a fifth is copied, start it again; returns the share that was copied by then."""
    share = await wait_for_bytes(stage.provider, process_id, size_bytes // 5) / size_bytes
    pid = stage.data_plane.pid
    await stage.data_plane.kill()
    stage.narrator.step("!", f"data plane (process {pid}) killed with SIGKILL at {share:.0%} of the large blob")
    await stage.data_plane.start()
    stage.narrator.step("!", f"data plane started again (process {stage.data_plane.pid})")
    return share


async def failing_transfer(stage: Stage) -> None:
    """A source blob that does not exist: the consumer's client learns the reason."""
    async with stage.consumer.client() as consumer:
        process_id = await start(stage, consumer, MISSING_FILE, "demo-failing")
        process = await watch(stage, consumer, process_id, ())
        state, reason = process["state"], str(process.get("errorDetail") or "")
        stage.console.print(f"  consumer's client reads: [red]{state}[/]: {reason}", highlight=False)
        stage.checklist.note("failure", "state TERMINATED", held=state == "TERMINATED", seen=state)
        named = "no-such-file.bin" in reason
        stage.checklist.note("failure", "the reason names the missing blob", held=named, seen=reason)
        await deprovision(stage, "failure", consumer, process)


async def start(stage: Stage, consumer: ManagementClient, asset_id: str, process_id: str, **members: object) -> str:
    """Ask for the asset under its agreement, as a push into a new container unless `members` say otherwise."""
    body = {
        "@type": "TransferRequest",
        "@id": process_id,
        "contractId": stage.agreements[asset_id],
        "counterPartyAddress": stage.provider.protocol_url,
        "protocol": "dataspace-protocol-http:2025-1",
        "transferType": "AzureStorage-PUSH",
        "managedResources": True,
        "dataDestination": {"type": "AzureStorage", "account": stage.consumer.account},
        **members,
    }
    stage.narrator.begin()
    managed = str(body["managedResources"]).lower()
    stage.narrator.step("1", f"client asks for {asset_id} with managedResources={managed}")
    return await consumer.create("transferprocesses", body)


async def watch(
    stage: Stage,
    consumer: ManagementClient,
    process_id: str,
    files: tuple[SampleFile, ...],
) -> dict[str, Any]:
    """Poll the state to the end, with a bar of bytes."""
    total = sum(file.size_bytes for file in files)
    columns = (TextColumn("        bytes"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stage.console, transient=not stage.console.is_terminal) as bar:
        task = bar.add_task("bytes", total=total or None, visible=bool(files))
        async with asyncio.timeout(TRANSFER_SECONDS):
            while await consumer.transfer_state(process_id) not in ENDED:
                stage.narrator.tell()
                copied = int((await consumer.transfer(process_id)).get("progress", {}).get("bytesCopied", 0))
                bar.update(task, completed=copied)
                await asyncio.sleep(_POLL_SECONDS)
        process = await consumer.transfer(process_id)
        bar.update(task, completed=total if process["state"] == "COMPLETED" else None)
    stage.narrator.tell()
    return process


async def verify(stage: Stage, part: str, process: dict[str, Any], files: tuple[SampleFile, ...]) -> None:
    """Read every blob back and compare its digest with the source's."""
    destination = process["dataDestination"]
    stage.narrator.step("15", f"client reads the container {destination['container']}")
    async with stage.consumer.container(destination["container"]) as container:
        names = set(await names_in(container))
        for file in files:
            name = SOURCE_PREFIX + file.name
            digest = await digest_of(container, name) if name in names else "missing"
            held = digest == file.sha256()
            stage.checklist.note(part, f"digest of {file.name} ({file.size_bytes} bytes)", held=held, seen=digest[:16])
        stage.checklist.note(part, ".complete is there", held=".complete" in names)


async def deprovision(stage: Stage, part: str, consumer: ManagementClient, process: dict[str, Any]) -> None:
    """Deprovision and prove that the container and both copies of the SAS are gone.

    The demo's transfers run one after the other in an account of their own: what is in it is this transfer's.
    """
    made = await stage.consumer.containers()
    await consumer.deprovision(process["@id"], wait_seconds=60)
    stage.narrator.tell()
    left = await stage.consumer.containers()
    if made:
        stage.checklist.note(part, "the container is gone", held=not left, seen=", ".join(left or made))
    else:
        stage.checklist.note(part, "no container was made, and none is there", held=not left, seen=", ".join(left))
    await no_signature_is_left(stage, part)


async def no_signature_is_left(stage: Stage, part: str) -> None:
    """In neither vault."""
    for side in (stage.consumer, stage.provider):
        secrets = await _secrets_left(side)
        promise = f"no SAS is left in the {side.name}'s vault"
        stage.checklist.note(part, promise, held=not secrets, seen=", ".join(secrets))


async def _secrets_left(organisation: Organisation) -> list[str]:
    """The transfer's secrets that are still there after a while: the provider cleans up in its own time."""
    secrets: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLEAN_UP_SECONDS):
            while True:
                secrets = await _transfer_secrets(organisation)
                if not secrets:
                    break
                await asyncio.sleep(_POLL_SECONDS)
    return secrets


async def _transfer_secrets(organisation: Organisation) -> list[str]:
    vault = organisation.open_vault()
    try:
        return [*await vault.aliases("transfer-process-"), *await vault.aliases("data-flow-")]
    finally:
        await vault.aclose()
