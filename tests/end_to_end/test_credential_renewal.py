"""Transfers that outlive their signature, between two connectors with real processes."""

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

from connector_cli.demo.flow_watch import flow_status, provider_process
from tests.conftest import AzuriteForTests
from tests.end_to_end.stage import Stage, two_organisations
from tests.eventually import eventually

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.slow, pytest.mark.timeout(300)]

MEBIBYTE: Final = 1024 * 1024
LIFE: Final = 8
"""Seconds that a signature lives; the transfer takes twice as long."""
FILES: Final = {f"in/{number:02d}.bin": os.urandom(MEBIBYTE) for number in range(20)}
ENVIRONMENT: Final = {
    "consumer": {
        "CONNECTOR_STORAGE__SAS_SECONDS": str(LIFE),
        "CONNECTOR_TRANSFER__RENEWAL_INTERVAL_SECONDS": "1",
    },
    "data plane": {
        "CONNECTOR_DATA_PLANE__FLOW_BYTES_PER_SECOND": str(MEBIBYTE),
        "CONNECTOR_DATA_PLANE__MAX_OBJECTS_IN_PARALLEL": "2",
        "CONNECTOR_DATA_PLANE__RENEWAL_PATIENCE_SECONDS": "1",
        "CONNECTOR_DATA_PLANE__COPY_MODE": "streamed",
    },
}


async def _started(stage: Stage) -> str:
    for name, content in FILES.items():
        await stage.upload(name, content)
    await stage.offer("many", blobPrefix="in/")
    return await stage.start(await stage.agree("many"))


async def _arrived(stage: Stage, process: dict[str, Any]) -> dict[str, bytes]:
    async with stage.destination(process["dataDestination"]["container"]) as client:
        return {name: await (await client.download_blob(name)).readall() for name in FILES}


def _logged(file: Path, message: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]
    return [record for record in records if record.get("message") == message]


async def _no_secrets_left(stage: Stage) -> bool:
    left = []
    for vault in (stage.consumer.open_vault(), stage.provider.open_vault(), stage.provider.open_data_plane_vault()):
        left += [alias for alias in await vault.aliases() if "data-address" in alias or alias.startswith("data-flow")]
        await vault.aclose()
    return not left


@pytest.mark.parametrize("shares_vault", [True, False])
async def test_a_signature_is_renewed_three_times_while_data_moves(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str, shares_vault: bool
) -> None:
    async with two_organisations(azurite, tmp_path, container_name, ENVIRONMENT, shares_vault=shares_vault) as stage:
        process_id = await _started(stage)
        process = await stage.ended(process_id)
        assert process["state"] == "COMPLETED", process
        assert await _arrived(stage, process) == FILES
        renewed = _logged(stage.consumer.folder / "connector.log", "credential renewed")
        assert len(renewed) >= 3
        assert (await stage.ended_at_provider(process_id))["state"] == "COMPLETED"
        await eventually(lambda: _no_secrets_left(stage), seconds=30)


async def test_a_consumer_that_is_away_pauses_the_transfer_and_resumes_it(
    azurite: AzuriteForTests, tmp_path: Path, container_name: str
) -> None:
    async with two_organisations(azurite, tmp_path, container_name, ENVIRONMENT) as stage:
        process_id = await _started(stage)
        async with stage.consumer.client() as consumer:
            await _until(consumer, process_id, "STARTED")
        provider_side = (await provider_process(stage.provider, process_id))["@id"]
        await stage.processes["consumer"].kill()
        async with stage.provider.client() as provider:
            # It cannot tell the consumer yet.
            await _until(provider, provider_side, "SUSPENDING")
            assert "CredentialExpired" in (await provider.transfer(provider_side))["errorDetail"]
        await stage.processes["consumer"].start()

        async with stage.consumer.client() as consumer:
            await _until(consumer, process_id, "SUSPENDED")
            paused = await consumer.transfer(process_id)
            assert "CredentialExpired" in paused["errorDetail"]
            status = await flow_status(stage.provider, process_id)
            assert (status["state"], status["progress"]["bytesCopied"] < 20 * MEBIBYTE) == ("SUSPENDED", True)
            await consumer.call("POST", f"/v3/transferprocesses/{process_id}/resume")
        process = await stage.ended(process_id)
        assert process["state"] == "COMPLETED", process
        assert "errorDetail" not in process
        assert await _arrived(stage, process) == FILES


async def _until(client: Any, process_id: str, state: str) -> None:
    async def reached() -> bool:
        return bool(await client.transfer_state(process_id) == state)

    await eventually(reached, seconds=60)
