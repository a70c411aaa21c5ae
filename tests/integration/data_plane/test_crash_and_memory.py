"""A data plane process that is killed in the middle of a large blob, and how much memory it takes."""

import logging
import os
import sqlite3
from pathlib import Path

import psutil
import pytest

from data_plane.settings import DataPlaneSettings
from tests.integration.data_plane.conftest import Organisations
from tests.integration.data_plane.data_plane_process import data_plane_process
from tests.integration.data_plane.recording_control_plane import RecordingControlPlane
from tests.integration.data_plane.test_blob_transfer import MEBIBYTE, content, moving, started

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end]

_log = logging.getLogger(__name__)

PEAK_ABOVE_IDLE = 64 * MEBIBYTE


async def test_a_flow_whose_process_was_killed_completes_after_a_restart_with_equal_digests(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
    tmp_path: Path,
) -> None:
    await organisations.put("x/a-first", content(3000))
    await organisations.put("x/empty", b"")
    await organisations.put("x/large.bin", content(64 * MEBIBYTE))
    slow = settings.model_copy(update={"byte_budget_bytes": 8 * MEBIBYTE, "max_objects_in_parallel": 1})
    async with data_plane_process(tmp_path, slow, secrets_at_rest) as process:
        client = await process.start()
        await started(client, organisations.start_message({"blobPrefix": "x/"}))
        await moving(client, organisations.process_id, at_least=16 * MEBIBYTE)
        await process.kill()
        assert control_plane.of(organisations.process_id, "completed") == []
        assert objects_by_status(tmp_path) == {"PUBLISHED": 2, "PLANNED": 1}
        await process.start()
        await control_plane.told(organisations.process_id, "completed")
    delivered = await organisations.delivered()
    assert {name: delivered[name] for name in organisations.contents} == organisations.contents
    _, entries = await organisations.manifest()
    assert {entry.name: entry.sha256 for entry in entries} == organisations.contents


def objects_by_status(folder: Path) -> dict[str, int]:
    connection = sqlite3.connect(folder / "flows.db")
    rows = connection.execute("SELECT status, count(*) FROM data_flow_object GROUP BY status").fetchall()
    connection.close()
    return dict(rows)


@pytest.mark.slow
async def test_memory_stays_flat_with_the_byte_budget_saturated(
    organisations: Organisations,
    settings: DataPlaneSettings,
    secrets_at_rest: dict[str, str],
    control_plane: RecordingControlPlane,
    tmp_path: Path,
) -> None:
    size = int(os.environ.get("MEMORY_TEST_MEBIBYTES", "256")) * MEBIBYTE
    piece = content(16 * MEBIBYTE)
    await organisations.put("large.bin", piece * (size // len(piece)))
    default_budget = settings.model_copy(
        update={"byte_budget_bytes": DataPlaneSettings().byte_budget_bytes, "lease_seconds": 10}
    )
    async with data_plane_process(tmp_path, default_budget, secrets_at_rest) as process:
        client = await process.start()
        idle = psutil.Process(process.pid).memory_info().rss
        await started(client, organisations.start_message({"blobName": "large.bin"}))
        await control_plane.told(organisations.process_id, "completed", seconds=280)
        peak = peak_rss(process.pid)
    _log.info("idle %.1f MiB, peak %.1f MiB", idle / MEBIBYTE, peak / MEBIBYTE)
    assert peak - idle <= PEAK_ABOVE_IDLE


def peak_rss(pid: int) -> int:
    """The largest resident size so far, as the kernel kept it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
