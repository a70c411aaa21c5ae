"""Somebody else writes to the same name: nothing of theirs is overwritten, nothing is mixed, and the reason says so."""

import asyncio
import hashlib

import pytest

from data_plane.domain.object_copy import CopyMode
from tests.fault_proxy import faults
from tests.fault_proxy.exchange import Exchange
from tests.integration.data_plane.faults.fault_stage import LARGE, SMALL, FaultStage, is_commit
from tests.integration.data_plane.test_blob_transfer import MEBIBYTE, content

pytestmark = [pytest.mark.azurite, pytest.mark.usefixtures("small_blocks")]

THEIRS = b"theirs"
DIGEST_OF_THEIRS = hashlib.sha256(THEIRS).hexdigest()


@pytest.mark.parametrize("mode", CopyMode)
@pytest.mark.parametrize("name", [LARGE, SMALL, "x/empty"])
async def test_a_name_that_is_taken_before_is_refused_before_its_blocks_are_sent(
    stage: FaultStage, name: str, mode: CopyMode
) -> None:
    await stage.put_some()
    stage.configured(copy_mode=mode.value)
    await stage.put_at_destination(name, THEIRS)
    outcome = await stage.run()
    assert (outcome.code, outcome.object_name) == ("BlobAlreadyExists", name)
    assert (await stage.organisations.delivered())[name] == DIGEST_OF_THEIRS
    tried = 1 if mode is CopyMode.SERVER_SIDE else 0
    assert name != LARGE or len(stage.proxy.of("Put Block", "Put Block From URL", blob=LARGE)) <= tried


@pytest.mark.parametrize("mode", CopyMode)
async def test_a_foreign_commit_between_our_blocks_and_our_commit_stays(stage: FaultStage, mode: CopyMode) -> None:
    await stage.put_some()
    stage.configured(copy_mode=mode.value)
    gate = faults.Gate()
    stage.proxy.inject(gate.before, blob=LARGE, where=is_commit)
    async with stage.data_plane():
        await gate.arrived()
        await stage.put_at_destination(LARGE, THEIRS)
        gate.opened.set()
        outcome = await stage.outcome()
    assert (outcome.code, outcome.object_name) == ("BlobAlreadyExists", LARGE)
    assert (await stage.organisations.delivered())[LARGE] == DIGEST_OF_THEIRS


async def test_a_foreign_commit_is_told_from_ours_after_a_commit_whose_answer_was_lost(stage: FaultStage) -> None:
    await stage.put_some()
    gate = faults.Gate()
    stage.proxy.inject(faults.reset_before, blob=LARGE, where=is_commit)
    stage.proxy.inject(gate.before, blob=LARGE, where=is_commit)
    async with stage.data_plane():
        await gate.arrived()
        await stage.put_at_destination(LARGE, THEIRS)
        gate.opened.set()
        outcome = await stage.outcome()
    assert (outcome.code, outcome.object_name) == ("BlobAlreadyExists", LARGE)
    assert (await stage.organisations.delivered())[LARGE] == DIGEST_OF_THEIRS


async def test_a_small_object_that_somebody_else_wrote_after_a_lost_answer_is_not_overwritten(
    stage: FaultStage,
) -> None:
    await stage.put_some()
    stage.configured(copy_mode="streamed")
    gate = faults.Gate()
    stage.proxy.inject(faults.reset_before, "Put Blob", blob=SMALL)
    stage.proxy.inject(gate.before, "Put Blob", blob=SMALL)
    async with stage.data_plane():
        await gate.arrived()
        await stage.put_at_destination(SMALL, THEIRS)
        gate.opened.set()
        await stage.outcome()
    assert (await stage.organisations.delivered())[SMALL] == DIGEST_OF_THEIRS
    root = await stage.organisations.marker(".complete")
    if root is not None:
        _, entries = await stage.organisations.manifest()
        [entry] = [entry for entry in entries if entry.name == SMALL]
        assert entry.sha256 == stage.organisations.contents[SMALL] != DIGEST_OF_THEIRS


async def test_of_two_transfers_to_the_same_name_one_is_there_and_the_other_says_that_it_is_taken(
    stage: FaultStage,
) -> None:
    await stage.organisations.put(LARGE, content(3 * MEBIBYTE + 5))
    other = stage.next_transfer()
    both = asyncio.Barrier(2)

    async def together(exchange: Exchange) -> None:
        body = await exchange.received()
        await both.wait()
        await exchange.answered(await exchange.forwarded(body))

    stage.proxy.inject(together, blob=LARGE, where=is_commit, times=2)
    async with stage.data_plane() as client:
        await other.start(client)
        outcomes = [await stage.outcome(), await other.outcome()]
    assert max(outcome.code for outcome in outcomes) == "BlobAlreadyExists"
    await stage.assert_only_whole_objects()


async def test_blocks_that_another_writer_drops_are_sent_again(stage: FaultStage) -> None:
    await stage.put_some()
    gate = faults.Gate()
    stage.proxy.inject(gate.before, blob=LARGE, where=is_commit)
    async with stage.data_plane():
        await gate.arrived()
        await stage.put_at_destination(LARGE, THEIRS)
        await stage.delete_at_destination(LARGE)
        gate.opened.set()
        outcome = await stage.outcome()
    assert outcome.code == ""
    await stage.assert_all_arrived()
