"""The demo's part about a container that the consumer's client has already: `managedResources=false`."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import Any, Final

from azure.storage.blob.aio import ContainerClient

from connector_cli.demo import parts
from connector_cli.demo.processes import environment_without_settings
from connector_cli.demo.sample_files import FILES, MONTHS_FOLDER, SampleFile, digest_of

_PART: Final = "existing"
_CONTAINER: Final = "archive"
_FOLDER: Final = "arrived"
_ARRIVES_AT: Final = f"{_FOLDER}/{parts.SOURCE_PREFIX}"
_MONTHS: Final = tuple(file for file in FILES if file.name.startswith(MONTHS_FOLDER))
_CLASHING: Final = next(file for file in _MONTHS if file.name.endswith("november.json"))
_OWN: Final = {
    f"elsewhere/{parts.SOURCE_PREFIX}{_CLASHING.name}": b"The client's, under the same name in another folder.",
    f"{_ARRIVES_AT}{_CLASHING.name}": b"The client's, under a name that the transfer would take.",
}
_CLEAN_UP_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


async def existing_container(stage: parts.Stage) -> None:
    """Two files arrive among blobs of the client's own, one of which has the name of an arriving one."""
    async with stage.consumer.client() as consumer, stage.consumer.container(_CONTAINER) as container:
        own = await _own_blobs(stage, container)
        place = {"type": "AzureStorage", "account": stage.consumer.account, "container": _CONTAINER}
        wish = {**place, "folderName": _FOLDER, "ifExists": "rename"}
        process_id = await parts.start(
            stage, consumer, parts.MONTHS, "demo-existing", managedResources=False, dataDestination=wish
        )
        process = await parts.watch(stage, consumer, process_id, _MONTHS)
        stage.checklist.note(_PART, "state COMPLETED", held=process["state"] == "COMPLETED", seen=process["state"])
        await _look_into(stage, container, own)
        await _verified(stage, process_id)
        await consumer.deprovision(process_id, wait_seconds=_CLEAN_UP_SECONDS)
        left = await _other_containers(stage)
        stage.checklist.note(_PART, "the staging container is gone", held=not left, seen=", ".join(left))
        kept = own.items() <= (await _etags(container)).items() and await _has(container, _ARRIVES_AT, _MONTHS[0])
        stage.checklist.note(_PART, "cleaned up, and what the client has stays", held=kept)
        await parts.no_signature_is_left(stage, _PART)


async def _own_blobs(stage: parts.Stage, container: ContainerClient) -> dict[str, str]:
    """The client's container with blobs of its own; returns their ETags."""
    await container.create_container()
    for name, content in _OWN.items():
        await container.upload_blob(name, content)
        stage.console.print(f"  the client has {_CONTAINER}/{name}", highlight=False)
    return await _etags(container)


async def _look_into(stage: parts.Stage, container: ContainerClient, own: dict[str, str]) -> None:
    etags = await _etags(container)
    untouched = own.items() <= etags.items()
    stage.checklist.note(_PART, "the client's own blobs are untouched (ETags)", held=untouched, seen=f"{len(own)}")
    arrived = [name for name in etags if name not in own and name.startswith(_ARRIVES_AT)]
    digests = {await digest_of(container, name): name for name in arrived}
    for file in _MONTHS:
        name = digests.get(file.sha256(), "")
        if file is _CLASHING:
            promise, held = f"{file.name} is there under another name", name not in {"", f"{_ARRIVES_AT}{file.name}"}
        else:
            promise, held = f"{file.name} is there", name == f"{_ARRIVES_AT}{file.name}"
        stage.checklist.note(_PART, promise, held=held, seen=name or "missing")


async def _verified(stage: parts.Stage, process_id: str) -> None:
    """What `connector verify` finds, with nothing but the consumer's own configuration."""
    consumer = stage.consumer
    told = ("--url", consumer.management_url, "--config", "connector.toml", "--json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connector_cli", "verify", "--process", process_id, *told),
        cwd=consumer.folder,
        env={**environment_without_settings(), "CONNECTOR_API_KEY": consumer.api_key},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await process.communicate()
    report: dict[str, Any] = json.loads(output) if output else {"outcome": errors.decode(errors="replace")[-500:]}
    named = [each["finding"] for each in report.get("findings", [])]
    held = process.returncode == 0 and named == ["renamed"]
    seen = f"{report['outcome']}, {', '.join(named)}"
    stage.checklist.note(_PART, "`connector verify` is content, and names the other name", held=held, seen=seen)


async def _other_containers(stage: parts.Stage) -> list[str]:
    """What is still beside the client's container after a while."""
    left: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLEAN_UP_SECONDS):
            while True:
                left = [name for name in await stage.consumer.containers() if name != _CONTAINER]
                if not left:
                    break
                await asyncio.sleep(_POLL_SECONDS)
    return left


async def _etags(container: ContainerClient) -> dict[str, str]:
    return {blob.name: str(blob.etag) async for blob in container.list_blobs()}


async def _has(container: ContainerClient, folder: str, file: SampleFile) -> bool:
    return await digest_of(container, folder + file.name) == file.sha256()
