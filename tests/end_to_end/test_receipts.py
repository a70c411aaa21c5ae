"""The signed receipt over both organisations, and the command that checks what was received."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from azure_storage.markers import COMPLETE
from connector_cli.main import app
from tests.conftest import AzuriteForTests
from tests.end_to_end.stage import Stage, two_organisations

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]

FILES = {"receipt/a.txt": b"a" * 1000, "receipt/empty": b"", "receipt/Übersicht 日本.bin": bytes(9 * 1024 * 1024)}


async def verified(stage: Stage, process_id: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report, with nothing but the consumer's own configuration."""
    consumer = stage.consumer
    arguments = ("verify", "--process", process_id, "--config", str(consumer.folder / "connector.toml"), "--json")
    calling = ("--url", consumer.management_url, "--api-key", consumer.api_key)
    result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *calling])
    return result.exit_code, json.loads(result.stdout)


async def test_what_was_received_is_verified_against_the_providers_signature(stage: Stage) -> None:
    for name, content in FILES.items():
        await stage.upload(name, content)
    await stage.offer("receipt", blobPrefix="receipt/")
    process = await stage.ended(await stage.start(await stage.agree("receipt")))
    assert process["state"] == "COMPLETED", process

    code, report = await verified(stage, process["@id"])
    assert (code, report["outcome"]) == (0, "ok"), report
    assert report["signature"] == f"valid, of {stage.provider.name}"
    assert report["objects"]["ok"] == len(FILES)
    assert report["bytesRead"] == sum(map(len, FILES.values()))

    async with stage.destination(process["dataDestination"]["container"]) as container:
        await container.upload_blob("receipt/a.txt", b"b" * 1000, overwrite=True)
    code, report = await verified(stage, process["@id"])
    assert code == 1
    assert [(each["name"], each["finding"]) for each in report["findings"]] == [("receipt/a.txt", "digest differs")]
    await stage.deprovision(process["@id"])


async def test_an_unsigned_receipt_is_not_taken_although_the_data_is_there(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    environment = {"data plane": {"CONNECTOR_DATA_PLANE__RECEIPT_SIGNING_KEY_ALIAS": ""}}
    async with two_organisations(azurite, tmp_path, container_name, environment) as stage:
        await stage.upload("a.txt", b"unsigned")
        await stage.offer("a", blobName="a.txt")
        process = await stage.ended(await stage.start(await stage.agree("a")))
        assert (process["state"], process["errorCode"]) == ("TERMINATED", "ReceiptUnsigned"), process
        async with stage.destination(process["dataDestination"]["container"]) as container:
            names = {name async for name in container.list_blob_names()}
        assert {"a.txt", COMPLETE} <= names
