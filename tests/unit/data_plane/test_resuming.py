"""Going on after a crash: what is journaled is not sent again, and the result is the same."""

import hashlib

import pytest
from awscrt import checksums

from connector_spi.errors import LeaseLostError
from data_plane.domain.errors import (
    CopySourceSilentError,
    CopyUnavailableError,
    FlowFailedError,
    StagedBlocksLostError,
)
from data_plane.domain.object_copy import MEBIBYTE, Assurance, CopyMode, CopyStatus
from data_plane.ports.data_sink import Staging
from data_plane.services.copy_engine import CopyRules
from tests.unit.data_plane.engine import EngineInMemory
from tests.unit.data_plane.fakes import MemorySink, MemorySource, OutageError

BLOCK = 8 * MEBIBYTE
LARGE = b"".join(bytes([index]) * BLOCK for index in range(1, 8)) + b"end"
WIDE = bytes(range(256)) * (80 * MEBIBYTE // 256)
"""Three blocks when a service copies it."""


async def crashed(run: EngineInMemory) -> None:
    with pytest.raises(LeaseLostError):
        await run.run()
    run.sink.before_stage = lambda _name, _index: None
    run.sink.before_fetch = lambda _name, _offset: None
    run.sink.after_commit = lambda _name: None
    run.source.before_page = lambda _first: None


@pytest.mark.parametrize("crash_at", range(8))
async def test_a_journaled_block_is_not_sent_again(crash_at: int) -> None:
    run = EngineInMemory()
    run.source.contents = {"large": LARGE}

    def crash(_name: str, index: int) -> None:
        if index == crash_at:
            raise LeaseLostError("crash")

    run.sink.before_stage = crash
    await crashed(run)
    staged_before = sum(size for _, size in run.sink.sent)
    meter = await run.run()
    assert run.sink.objects == {"large": LARGE}
    sent = sum(size for _, size in run.sink.sent)
    in_flight = 4 * BLOCK
    assert sent <= len(LARGE) + in_flight
    assert staged_before == 0 or sent < len(LARGE) + staged_before
    [record] = run.sink.complete or []
    assert record.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert record.crc64 == checksums.crc64nvme(LARGE)
    assert record.assurance is Assurance.COMPUTED
    assert meter.counters().bytes_copied == len(LARGE)


async def test_every_block_but_the_last_is_staged_and_only_that_one_is_sent() -> None:
    run = EngineInMemory(rules=CopyRules(max_objects=1, max_blocks=1))
    run.source.contents = {"large": LARGE}

    def crash(_name: str, index: int) -> None:
        if index == 7:
            raise LeaseLostError("crash")

    run.sink.before_stage = crash
    await crashed(run)
    run.sink.sent.clear()
    await run.run()
    assert run.sink.sent == [("large", 3)]
    assert run.sink.objects == {"large": LARGE}


async def test_a_source_that_lies_about_its_version_is_found_out() -> None:
    run = EngineInMemory(rules=CopyRules(max_objects=1, max_blocks=1))
    run.source.contents = {"large": LARGE}

    def crash(_name: str, index: int) -> None:
        if index == 7:
            raise LeaseLostError("crash")

    run.sink.before_stage = crash
    await crashed(run)
    read = run.source.read

    async def read_something_else(source, offset, length):  # type: ignore[no-untyped-def]
        return bytes(len(await read(source, offset, length)))

    run.source.read = read_something_else  # type: ignore[method-assign]
    with pytest.raises(FlowFailedError) as caught:
        await run.run()
    assert caught.value.failure.code == "SourceDigestMismatch"
    assert run.sink.objects == {}


async def test_the_listing_goes_on_where_it_stopped() -> None:
    run = EngineInMemory()
    run.source.contents = {f"{number:02d}": b"x" for number in range(7)}

    def crash(first: str) -> None:
        if first == "04":
            raise LeaseLostError("crash")

    run.source.before_page = crash
    await crashed(run)
    run.source.contents["00a"] = b"added before the position"
    meter = await run.run()
    assert run.source.listings == [None, "03"]
    assert sorted(run.sink.objects) == [f"{number:02d}" for number in range(7)]
    assert meter.counters().objects_total == 7


async def test_small_objects_that_may_have_been_sent_are_not_taken_for_somebody_elses() -> None:
    run = EngineInMemory()
    run.source.contents = {"a": b"1", "b": b"2"}

    def crash(_name: str) -> None:
        raise LeaseLostError("crash")

    run.sink.after_commit = crash
    await crashed(run)
    assert run.sink.objects
    await run.run()
    assert run.sink.objects == {"a": b"1", "b": b"2"}


def server_side(**rules: object) -> EngineInMemory:
    source = MemorySource({"empty": b"", "small": b"small", "wide": WIDE}, grants=True)
    facts = {"max_objects": 4, "max_blocks": 4, **rules}
    return EngineInMemory(source, MemorySink(fetches=source), rules=CopyRules(**facts))  # type: ignore[arg-type]


async def test_bytes_between_services_do_not_pass_through_here() -> None:
    run = server_side()
    meter = await run.run()
    assert run.sink.objects == run.source.contents
    assert [name for name, _ in run.source.reads] == ["empty"]
    assert meter.counters().copy_mode is CopyMode.SERVER_SIDE
    records = {record.source.name: record for record in run.sink.complete or []}
    assert records["wide"].crc64 == checksums.crc64nvme(WIDE)
    assert records["wide"].sha256 == ""
    assert records["wide"].assurance is Assurance.SERVICE_REPORTED


async def test_a_service_that_cannot_reach_the_source_makes_the_flow_streamed() -> None:
    run = server_side()
    tries: list[str] = []

    def unreachable(name: str, _offset: int) -> None:
        tries.append(name)
        raise CopyUnavailableError("no way")

    run.sink.before_fetch = unreachable
    meter = await run.run()
    assert run.sink.objects == run.source.contents
    assert len(set(tries)) == 1, "decided once for the flow, with the first object"
    assert run.source.granted_anew, "the key of the source may have been rotated"
    assert meter.counters().copy_mode is CopyMode.STREAMED


async def test_a_grant_that_was_made_with_a_rotated_key_is_made_anew() -> None:
    run = server_side()

    def refuse_the_first(_name: str, _offset: int) -> None:
        if not run.source.granted_anew:
            raise CopyUnavailableError("the source refused")

    run.sink.before_fetch = refuse_the_first
    meter = await run.run()
    assert meter.counters().copy_mode is CopyMode.SERVER_SIDE
    assert run.sink.objects == run.source.contents


async def test_a_forced_mode_is_kept_or_fails() -> None:
    streamed = server_side(mode=CopyMode.STREAMED)
    await streamed.run()
    assert {name for name, _ in streamed.source.reads} == {"empty", "small", "wide"}
    run = server_side(mode=CopyMode.SERVER_SIDE)
    run.source.grants = False
    with pytest.raises(FlowFailedError) as caught:
        await run.run()
    assert caught.value.failure.code == CopyUnavailableError.code


async def test_the_mode_that_was_decided_outlives_a_crash_and_so_do_its_blocks() -> None:
    run = server_side(max_blocks=1)

    def crash(name: str, offset: int) -> None:
        if name == "wide" and offset >= 64 * MEBIBYTE:
            raise LeaseLostError("crash")

    run.sink.before_fetch = crash
    await crashed(run)
    run.sink.sent.clear()
    await run.run()
    assert run.sink.objects == run.source.contents
    assert [size for name, size in run.sink.sent if name == "wide"] == [16 * MEBIBYTE]
    [wide] = [record for record in run.sink.complete or [] if record.source.name == "wide"]
    assert wide.crc64 == checksums.crc64nvme(WIDE)


async def test_a_changed_object_is_copied_in_its_new_version_where_that_is_wanted() -> None:
    run = EngineInMemory(rules=CopyRules(max_objects=1, max_blocks=1, on_source_change="restart"))
    run.source.contents = {"large": LARGE}
    changed = LARGE[::-1] + b"longer"

    def change(_name: str, offset: int) -> None:
        if offset:
            run.source.contents["large"] = changed

    run.source.before_read = change
    meter = await run.run()
    assert run.sink.objects == {"large": changed}
    counters = meter.counters()
    assert counters.bytes_copied == counters.bytes_total == len(changed)
    [record] = await run.journal.page("flow-1", statuses=frozenset(CopyStatus))
    assert record.source.size == len(changed)


async def test_a_new_version_that_was_sent_before_a_crash_is_known_as_ours_after_it() -> None:
    run = EngineInMemory(rules=CopyRules(max_objects=1, max_blocks=1, on_source_change="restart"))
    run.source.contents = {"small": b"first"}

    def change(_name: str, _offset: int) -> None:
        run.source.before_read = lambda _name, _offset: None
        run.source.contents["small"] = b"second"

    def crash(_name: str) -> None:
        raise LeaseLostError("crash")

    run.source.before_read, run.sink.after_commit = change, crash
    await crashed(run)
    await run.run()
    assert run.sink.objects == {"small": b"second"}
    assert len(run.sink.sent) == 1


async def test_a_sink_that_takes_blocks_in_order_gets_them_so_and_begins_again_after_a_failure() -> None:
    run = EngineInMemory(sink=MemorySink(staging=Staging.IN_ORDER))
    run.source.contents = {"large": LARGE}
    order: list[int] = []
    failures = [StagedBlocksLostError("the connection broke")]

    def note(_name: str, index: int) -> None:
        order.append(index)
        if index == 3 and failures:
            run.sink.blocks.clear()
            raise failures.pop()

    run.sink.before_stage = note
    meter = await run.run()
    assert order == [0, 1, 2, 3, *range(8)]
    assert run.sink.objects == {"large": LARGE}
    assert meter.counters().bytes_copied == len(LARGE)


async def test_bytes_that_are_not_those_of_the_sources_own_digest_are_not_published() -> None:
    run = EngineInMemory()
    run.source.contents = {"a": b"bytes"}
    run.source.md5 = b"0" * 16
    with pytest.raises(FlowFailedError) as caught:
        await run.run()
    assert caught.value.failure.code == "SourceDigestMismatch"
    assert run.sink.objects == {}


async def test_an_outage_while_the_mode_is_decided_does_not_decide_it() -> None:
    run = server_side()
    outages = 5

    def down(_name: str, _offset: int) -> None:
        nonlocal outages
        if outages:
            outages -= 1
            raise OutageError("down")

    run.sink.before_fetch = down
    meter = await run.run()
    assert meter.counters().copy_mode is CopyMode.SERVER_SIDE


async def test_a_source_that_the_service_never_reaches_is_not_waited_for() -> None:
    run = server_side()
    silent = 0

    def silence(_name: str, _offset: int) -> None:
        nonlocal silent
        silent += 1
        raise CopySourceSilentError("no answer")

    run.sink.before_fetch = silence
    meter = await run.run()
    assert silent == 3
    assert meter.counters().copy_mode is CopyMode.STREAMED
    assert run.sink.objects == run.source.contents
