"""However a transfer ends, and whoever is killed meanwhile: no secret of it is left at the vault's server."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import AzuriteForTests
from tests.drills.drill import Drill
from tests.drills.hashicorp_drill import hashicorp_drill
from tests.drills.transfers import Transfer

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.slow, pytest.mark.timeout(600)]


async def test_no_ending_leaves_a_secret(azurite: AzuriteForTests, tmp_path: Path, container_name: str) -> None:
    async with hashicorp_drill(azurite, tmp_path, cache_seconds=10, outbox=container_name) as place:
        drill, stage = place.drill, place.drill.stage
        completed = await drill.begun("completed", objects=8)
        ended = await drill.begun("ended-by-its-client")
        crashed = await drill.begun("crashed")
        failed = await _failing(drill)
        await completed.completed()
        assert (await _ended_by_its_client(ended))["state"] == "TERMINATED"
        assert (await stage.ended(failed))["state"] == "TERMINATED"

        for name in ("data plane", "provider", "consumer"):
            await stage.processes[name].kill()
            await stage.processes[name].start()
            await crashed.more_arrive()
        await crashed.completed()

        await stage.deprovision(failed)
        await drill.is_clean_after(completed, ended, crashed)


async def _failing(drill: Drill) -> str:
    await drill.stage.offer("lost", blobName="no-such-blob")
    return await drill.stage.start(await drill.stage.agree("lost"))


async def _ended_by_its_client(transfer: Transfer) -> dict[str, Any]:
    async with transfer.stage.consumer.client() as consumer:
        body = {"@type": "TerminateTransfer", "reason": "no longer needed"}
        await consumer.call("POST", f"/v3/transferprocesses/{transfer.process_id}/terminate", body)
    transfer.turnstile.open()
    return await transfer.stage.ended(transfer.process_id)
