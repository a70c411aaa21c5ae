"""A data plane that is killed at every kind of point goes on, sends no journaled block again, and publishes once."""

import random
from pathlib import Path

import pytest

from data_plane.domain.object_copy import BLOCK_SIZES, CopyMode
from tests.fault_proxy import faults
from tests.integration.data_plane.data_plane_process import DataPlaneProcess, data_plane_process
from tests.integration.data_plane.faults.fault_stage import LARGE, FaultStage, is_commit
from tests.integration.data_plane.faults.killed_process import (
    BLOCK_CALLS,
    journaled,
    journaled_blocks,
    sent_since,
)
from tests.integration.data_plane.test_blob_transfer import content

pytestmark = [pytest.mark.azurite, pytest.mark.end_to_end, pytest.mark.slow]

IN_FLIGHT = 2


async def killed_once_held(process: DataPlaneProcess, gate: faults.Gate) -> None:
    """Kill the process while the proxy holds its request or the answer; the held request is then let go."""
    await gate.arrived()
    await process.kill()
    await process.start()
    gate.opened.set()


@pytest.mark.parametrize(("mode", "blocks"), [(CopyMode.STREAMED, 6), (CopyMode.SERVER_SIDE, 3)])
async def test_a_large_object_is_published_once_and_no_journaled_block_is_sent_again(
    stage: FaultStage, tmp_path: Path, mode: CopyMode, blocks: int
) -> None:
    size = (blocks - 1) * BLOCK_SIZES[mode] + 5
    await stage.organisations.put(LARGE, content(size))
    stage.configured(copy_mode=mode.value, max_blocks_in_parallel=IN_FLIGHT)
    proxy = stage.proxy
    kills: list[tuple[set[str], int]] = []
    for call in BLOCK_CALLS:
        proxy.inject(faults.delayed(0.1), call, times=None)
    committed, complete = faults.Gate(), faults.Gate()
    proxy.inject(committed.after, where=is_commit)
    held_complete = complete.before if mode is CopyMode.STREAMED else complete.after
    proxy.inject(held_complete, "Put Blob", blob=".complete")
    async with data_plane_process(tmp_path, stage.settings, stage.secrets) as process:
        await stage.start(await process.start())
        for enough in range(1, blocks - 1, 2):
            await journaled(tmp_path, at_least=enough)
            await process.kill()
            kills.append((journaled_blocks(tmp_path), len(proxy.requests)))
            await process.start()
        for gate in (committed, complete):
            await killed_once_held(process, gate)
        outcome = await stage.outcome()
    assert outcome.code == ""
    await stage.assert_all_arrived()
    assert all(known for known, _ in kills)
    assert not any(known & sent_since(proxy, requests) for known, requests in kills)
    sent = proxy.of(*BLOCK_CALLS, blob=LARGE)
    trial = 1 if mode is CopyMode.SERVER_SIDE else 0
    assert blocks <= len(sent) <= blocks + trial + len(kills) * IN_FLIGHT
    if mode is CopyMode.STREAMED:
        assert proxy.body_bytes("Put Block", blob=LARGE) <= size + len(kills) * IN_FLIGHT * BLOCK_SIZES[mode]


async def test_a_commit_that_arrives_after_the_restarted_process_has_committed_changes_nothing(
    stage: FaultStage, tmp_path: Path
) -> None:
    await stage.organisations.put(LARGE, content(3 * BLOCK_SIZES[CopyMode.STREAMED]))
    stage.configured(copy_mode="streamed")
    late = faults.Gate()
    stage.proxy.inject(late.before, where=is_commit)
    async with data_plane_process(tmp_path, stage.settings, stage.secrets) as process:
        await stage.start(await process.start())
        await late.arrived()
        await process.kill()
        await process.start()
        assert (await stage.outcome()).code == ""
        late.opened.set()
        [held] = [record for record in stage.proxy.requests if record.fault == "Gate"]
        await stage.proxy.until(lambda: held.upstream_status)
    assert held.upstream_status == 409
    await stage.assert_all_arrived()


async def test_many_objects_survive_kills_while_listing_and_copying(stage: FaultStage, tmp_path: Path) -> None:
    draw = random.Random(3)  # noqa: S311 - content, not a secret
    for number in range(60):
        await stage.organisations.put(f"x/{number:03d}", draw.randbytes(draw.randrange(5000)))
    size = sum([record.size_bytes async for record in stage.listed_sources()])
    proxy, parallel = stage.proxy, 4
    stage.configured(copy_mode="streamed", max_objects_in_parallel=parallel)
    listing, small = faults.Gate(), faults.Gate()
    proxy.inject(listing.after, "List Blobs")
    proxy.inject(small.after, "Put Blob", blob="x/040")
    proxy.inject(faults.delayed(0.02), "Put Blob", times=None)
    async with data_plane_process(tmp_path, stage.settings, stage.secrets) as process:
        await stage.start(await process.start())
        await killed_once_held(process, listing)
        await proxy.until(lambda: len(proxy.of("Put Blob")) >= 10)
        await process.kill()
        await process.start()
        await killed_once_held(process, small)
        outcome = await stage.outcome()
    assert outcome.code == ""
    await stage.assert_all_arrived()
    objects = [record for record in proxy.of("Put Blob") if not record.blob.startswith(".")]
    unrecorded = 2 * 4 * parallel  # at each of two kills: those under way, and those that wait for their record
    assert len(objects) <= 60 + unrecorded
    assert sum(record.body_bytes for record in objects) <= size + unrecorded * 5000
