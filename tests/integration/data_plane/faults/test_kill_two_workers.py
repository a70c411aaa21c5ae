"""Two processes on one database: one that was paused beyond its lease publishes nothing twice, and nothing wrong."""

import asyncio
import signal
import sqlite3
from asyncio.subprocess import Process
from contextlib import closing
from pathlib import Path

import pytest

from data_plane.domain.object_copy import BLOCK_SIZES, CopyMode
from tests.eventually import eventually
from tests.fault_proxy import faults
from tests.integration.data_plane.data_plane_process import DataPlaneProcess, data_plane_process
from tests.integration.data_plane.faults.fault_stage import LARGE, FaultStage, is_commit
from tests.integration.data_plane.test_blob_transfer import content

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.slow]


async def state_of(process: DataPlaneProcess, flow_id: str) -> str:
    assert process.client
    return str((await process.client.get(f"/dataflows/{flow_id}/status")).json()["state"])


async def paused_between_transactions(process: Process, database: Path) -> None:
    """Stop the process where it holds no lock: in the middle of a write, SQLite would keep the other one out."""
    assert database.exists()
    while True:
        process.send_signal(signal.SIGSTOP)
        with closing(sqlite3.connect(database, timeout=0.2, isolation_level=None)) as probe:
            try:
                probe.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                await asyncio.sleep(0.05)
            else:
                probe.execute("ROLLBACK")
                return


@pytest.mark.parametrize("paused_at", ["Put Block", "commit"])
async def test_a_worker_that_was_paused_beyond_its_lease_changes_nothing(
    stage: FaultStage, tmp_path: Path, paused_at: str
) -> None:
    await stage.organisations.put(LARGE, content(4 * BLOCK_SIZES[CopyMode.STREAMED]))
    stage.configured(copy_mode="streamed")
    held = faults.Gate()
    if paused_at == "commit":
        stage.proxy.inject(held.before, where=is_commit)
    else:
        stage.proxy.inject(held.before, paused_at, blob=LARGE, skip=2)
    async with data_plane_process(tmp_path, stage.settings, stage.secrets) as paused:
        await stage.start(await paused.start())
        await held.arrived()
        assert paused.process
        await paused_between_transactions(paused.process, tmp_path / "flows.db")
        other = DataPlaneProcess(tmp_path, stage.settings, paused.token)
        try:
            await other.start()
            outcome = await stage.outcome()
            held.opened.set()
            paused.process.send_signal(signal.SIGCONT)

            async def has_noticed() -> bool:
                return await state_of(paused, stage.flow_id) == "COMPLETED"

            await eventually(has_noticed)
            await paused.stop()
        finally:
            paused.process.send_signal(signal.SIGCONT) if paused.process.returncode is None else None
            await other.stop()
    assert outcome.code == ""
    await stage.assert_all_arrived()
    commits = [record for record in stage.proxy.requests if is_commit(record.request)]
    assert [record.upstream_status for record in commits].count(201) == 1
    assert stage.control_plane.of(stage.flow_id, "errored") == []
    assert len({told["messageId"] for told in stage.control_plane.of(stage.flow_id, "completed")}) == 1
