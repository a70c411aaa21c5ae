"""A disk with no room for the journal: nothing is lost, and the flow goes on when there is room again."""

from pathlib import Path

import psutil
import pytest

from data_plane.domain.object_copy import BLOCK_SIZES, CopyMode
from tests.eventually import eventually
from tests.fault_proxy import faults
from tests.integration.data_plane.data_plane_process import data_plane_process
from tests.integration.data_plane.faults.fault_stage import LARGE, FaultStage
from tests.integration.data_plane.faults.killed_process import acknowledged_blocks, journaled_blocks
from tests.integration.data_plane.test_blob_transfer import content

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.slow]

IN_FLIGHT = 2
FULL_AT_BYTES = 4096
"""No file may grow beyond this, which is what a full disk does to a database."""


async def test_a_flow_waits_while_its_journal_cannot_be_written_and_then_completes(
    stage: FaultStage, tmp_path: Path
) -> None:
    size = 5 * BLOCK_SIZES[CopyMode.STREAMED]
    await stage.organisations.put(LARGE, content(size))
    stage.configured(copy_mode="streamed", max_blocks_in_parallel=IN_FLIGHT)
    stage.proxy.inject(faults.delayed(0.1), "Put Block", times=None)
    async with data_plane_process(tmp_path, stage.settings, stage.secrets) as process:
        await stage.start(await process.start())
        await stage.proxy.until(lambda: acknowledged_blocks(stage.proxy) >= 1)
        disk = psutil.Process(process.pid)
        room = disk.rlimit(psutil.RLIMIT_FSIZE)
        disk.rlimit(psutil.RLIMIT_FSIZE, (FULL_AT_BYTES, room[1]))

        async def nothing_is_recorded() -> bool:
            return acknowledged_blocks(stage.proxy) >= len(journaled_blocks(tmp_path)) + IN_FLIGHT

        await eventually(nothing_is_recorded)
        assert stage.control_plane.of(stage.flow_id, "errored") == []
        disk.rlimit(psutil.RLIMIT_FSIZE, room)
        outcome = await stage.outcome()
    assert outcome.code == ""
    await stage.assert_all_arrived()
    assert stage.proxy.body_bytes("Put Block", blob=LARGE) <= size + IN_FLIGHT * BLOCK_SIZES[CopyMode.STREAMED]
