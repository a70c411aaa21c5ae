"""What is copied, what is never published, and what happens after a crash."""

import asyncio
import hashlib
from dataclasses import replace

import pytest

from connector_spi.errors import LeaseLostError
from data_plane.domain.errors import BlocksLostRepeatedlyError, FlowFailedError, SourceEmptyError
from data_plane.domain.object_copy import MEBIBYTE, Block, CopyStatus, ObjectCopy
from tests.unit.data_plane.engine import EngineInMemory
from tests.unit.data_plane.fakes import OutageError

LARGE = bytes(range(256)) * (20 * MEBIBYTE // 256) + b"end"
CONTENTS = {"a": b"first", "empty": b"", "large": LARGE, "z/ä": b"last"}
ALL = frozenset(CopyStatus)


async def test_every_object_arrives_whole_and_the_evidence_lists_it() -> None:
    run = EngineInMemory()
    run.source.contents = dict(CONTENTS)
    meter = await run.run()
    assert run.sink.objects == CONTENTS
    assert run.sink.complete is not None
    assert {copy.destination_name: copy.sha256 for copy in run.sink.complete} == {
        name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()
    }
    counters = meter.counters()
    assert counters.bytes_copied == counters.bytes_total == sum(map(len, CONTENTS.values()))
    assert (counters.objects_copied, counters.objects_total, counters.listing_complete) == (4, 4, True)
    assert run.budget.free_bytes == 32 * MEBIBYTE


async def test_a_source_without_objects_is_refused() -> None:
    with pytest.raises(SourceEmptyError):
        await EngineInMemory().run()


async def test_transient_errors_on_either_side_cost_time_and_nothing_else() -> None:
    run = EngineInMemory()
    run.source.contents = dict(CONTENTS)
    outages = {"read": 3, "stage": 3}

    def fails(kind: str) -> None:
        if outages[kind]:
            outages[kind] -= 1
            raise OutageError(kind)

    run.source.before_read = lambda _name, _offset: fails("read")
    run.sink.before_stage = lambda _name, _index: fails("stage")
    meter = await run.run()
    assert run.sink.objects == CONTENTS
    assert meter.counters().bytes_copied == sum(map(len, CONTENTS.values()))


@pytest.mark.parametrize("change", ["changed", "vanished"])
async def test_an_object_that_changes_or_vanishes_is_not_published_and_is_named(change: str) -> None:
    run = EngineInMemory()
    run.source.contents = {"large": LARGE}

    def meddle(_name: str, offset: int) -> None:
        if offset:
            run.source.contents = {"large": b"another"} if change == "changed" else {}

    run.source.before_read = meddle
    with pytest.raises(FlowFailedError) as caught:
        await run.run()
    assert caught.value.failure.object_name == "large"
    assert run.sink.objects == {}
    assert run.sink.complete is None
    assert run.budget.free_bytes == 32 * MEBIBYTE


@pytest.mark.parametrize("content", [b"ours", b"", LARGE])
async def test_an_object_that_is_there_already_is_not_overwritten(content: bytes) -> None:
    run = EngineInMemory()
    run.source.contents = {"a": content}
    run.sink.objects = {"a": b"theirs"}
    with pytest.raises(FlowFailedError, match="there already"):
        await run.run()
    assert run.sink.objects == {"a": b"theirs"}
    assert len(run.source.reads) <= 1, "a large object is not read in vain"


@pytest.mark.parametrize("content", [b"some bytes", b""])
async def test_a_commit_whose_answer_was_lost_counts_as_done(content: bytes) -> None:
    run = EngineInMemory()
    run.source.contents = {"a": content}
    answers = [OutageError("the answer was lost")]

    def lose_the_answer(_name: str) -> None:
        if answers:
            raise answers.pop()

    run.sink.after_commit = lose_the_answer
    await run.run()
    assert run.sink.objects == {"a": content}


async def test_after_a_crash_only_what_is_not_published_is_read_again() -> None:
    run = EngineInMemory()
    run.source.contents = dict(CONTENTS)

    def crash(name: str, index: int) -> None:
        if name == "large" and index == 2:
            raise LeaseLostError("crash")

    run.sink.before_stage = crash
    with pytest.raises(LeaseLostError):
        await run.run()
    published = set(run.sink.objects)
    run.sink.before_stage = lambda _name, _index: None
    run.source.reads.clear()
    meter = await run.run()
    assert run.sink.objects == CONTENTS
    assert published.isdisjoint(name for name, _ in run.source.reads)
    assert meter.counters().bytes_copied == sum(map(len, CONTENTS.values()))


async def test_after_a_crash_between_commit_and_record_nothing_is_sent_again() -> None:
    run = EngineInMemory()
    run.source.contents = {"large": LARGE}

    def crash(_name: str) -> None:
        raise LeaseLostError("crash")

    run.sink.after_commit = crash
    with pytest.raises(LeaseLostError):
        await run.run()
    [record] = await run.journal.page("flow-1", statuses=ALL)
    assert record.status is CopyStatus.COMMITTING
    run.source.reads.clear()
    meter = await run.run()
    assert run.source.reads == []
    assert run.sink.complete == [replace(record, status=CopyStatus.PUBLISHED)]
    assert meter.counters().bytes_copied == len(LARGE)


@pytest.mark.parametrize("losses", [1, 1000])
async def test_staged_blocks_that_were_lost_are_sent_again_but_not_without_end(losses: int) -> None:
    run = EngineInMemory()
    run.source.contents = {"a": LARGE}
    stage = run.sink.stage_block

    async def stage_and_lose(copy: ObjectCopy, index: int, data: Block) -> None:
        nonlocal losses
        await stage(copy, index, data)
        if index == 2 and losses:
            losses -= 1
            run.sink.blocks.clear()

    run.sink.stage_block = stage_and_lose  # type: ignore[method-assign]
    if losses == 1:
        meter = await run.run()
        assert run.sink.objects == {"a": LARGE}
        assert meter.counters().bytes_copied == len(LARGE)
        return
    with pytest.raises(FlowFailedError) as caught:
        await run.run()
    assert caught.value.failure.code == BlocksLostRepeatedlyError.code
    assert run.sink.objects == {}


async def test_the_plan_outlives_a_crash_so_that_what_is_added_later_is_not_copied() -> None:
    run = EngineInMemory()
    run.source.contents = {"a": b"1"}

    def crash(_name: str) -> None:
        raise LeaseLostError("crash")

    run.sink.after_commit = crash
    with pytest.raises(LeaseLostError):
        await run.run()
    run.source.contents["b"] = b"2"
    leased = await run.leased()
    assert leased.flow.counters.listing_complete
    await run.run(leased)
    assert set(run.sink.objects) == {"a"}


async def test_a_crash_in_the_evidence_is_known_afterwards() -> None:
    run = EngineInMemory()
    run.source.contents = {"a": b"1"}
    first = await run.leased()
    await run.run(first)
    assert run.sink.marked_again is False
    second = await run.leased()
    assert second.flow.counters.evidence_begun
    await run.run(second)
    assert run.sink.marked_again is True


async def test_a_cancelled_copy_gives_all_its_bytes_back() -> None:
    run = EngineInMemory()
    run.source.contents = {"large": LARGE, "larger": LARGE + LARGE}
    reading = asyncio.Event()
    run.source.before_read = lambda _name, _offset: reading.set()
    task = asyncio.create_task(run.run())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.budget.free_bytes == 32 * MEBIBYTE
