"""A `prepare` that was answered with 202 is owed: it comes to its end in another process, after a power cut."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from azure_storage.settings import AzureStorageSettings
from data_plane.settings import DataPlaneSettings
from tests.conftest import AzuriteForTests
from tests.integration.data_plane.conftest import CONSUMER, TOKEN, Organisations
from tests.integration.data_plane.data_plane_process import data_plane_process
from tests.integration.data_plane.recording_control_plane import RecordingControlPlane


@pytest.mark.azurite
async def test_a_prepare_survives_the_death_of_its_process(
    settings: DataPlaneSettings,
    organisations: Organisations,
    control_plane: RecordingControlPlane,
    azurite: AzuriteForTests,
    tmp_path: Path,
) -> None:
    nowhere = "http://127.0.0.1:9/{account}"
    away = settings.model_copy(update={"storage": AzureStorageSettings(endpoint_template=nowhere)})
    secrets = {CONSUMER: azurite.keys[CONSUMER], "token-alias": TOKEN}
    process_id, container = f"late-{uuid4()}", f"late-{uuid4().hex[:20]}"
    wish: dict[str, Any] = {"type": "AzureStorage", "properties": {"account": CONSUMER, "container": container}}
    message = {
        **organisations.start_message({}),
        "processId": process_id,
        "metadata": {"destination": wish},
        "dataAddress": None,
    }
    async with data_plane_process(tmp_path, away, secrets) as process:
        client = await process.start()
        answer = await client.post("/dataflows/prepare", json=message)
        assert (answer.status_code, answer.json()["state"]) == (202, "PREPARING"), answer.text
        await process.kill()
        process.settings = settings
        client = await process.start()
        told = await control_plane.told(process_id, "prepared")
        status = await client.get(f"/dataflows/{process_id}/status")
    assert (told["state"], status.json()["state"]) == ("PREPARED", "PREPARED")
    properties = {one["name"].rpartition("/")[2]: one["value"] for one in told["dataAddress"]["endpointProperties"]}
    assert properties["container"] == container
    await organisations.put("written", b"1", container=container, account=CONSUMER)
