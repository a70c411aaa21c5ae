"""What every DataSink promises: over memory, Azurite, an HTTP server, and a disk."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector_spi.errors import ConnectorError, InvalidInputError, PermanentError
from data_plane.domain.errors import CopyUnavailableError, StagedBlocksLostError
from data_plane.domain.object_copy import ObjectCopy, SourceObject
from data_plane.ports.data_source import ReadGrant
from tests.conformance.azure_places import AzureAccounts, azure_sink
from tests.conformance.data_places import BLOCK, SinkPlace, http_sink, local_sink, memory_sink
from tests.conftest import AzuriteForTests

SIZES = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK]
NAMES = ["a.txt", "in/a/folder.txt", "Übersicht 日本.txt", "50% off?#1+2&x=y;.txt", "e\u0301.txt", "...and more"]
HOSTILE = [
    "",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "/etc/passwd",
    "a//b",
    "a/",
    "dot.",
    "a./b",
    "back\\slash",
    "nul\0",
    "line\nbreak",
    "bell\x07",
    "half \ud800 pair",
    "x" * 1025,
    ".complete",
    ".failed",
    ".manifest/00001.ndjson",
]


REAL = [pytest.param("azure", marks=pytest.mark.azurite), "local", "http"]


@pytest.fixture(params=["memory", *REAL])
def technology(request: pytest.FixtureRequest) -> str | AzuriteForTests:
    """Its name, or Azurite. Not async: an async fixture cannot ask for another one while it runs."""
    return request.getfixturevalue("azurite") if request.param == "azure" else str(request.param)


@pytest.fixture
async def place(technology: str | AzuriteForTests, container_name: str, tmp_path: Path) -> AsyncIterator[SinkPlace]:
    async with AsyncExitStack() as stack:
        if isinstance(technology, AzuriteForTests):
            yield await azure_sink(await AzureAccounts.opened(technology, container_name, stack), stack)
        elif technology == "memory":
            yield await memory_sink()
        elif technology == "http":
            yield await http_sink(stack)
        else:
            yield await local_sink(stack, tmp_path)


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def a_copy(data: bytes, name: str = "a.bin", **changes: Any) -> ObjectCopy:
    source = SourceObject(name, len(data), '"1"', "text/x-test", metadata={"own": "1"})
    facts = {
        "block_nonce": "0123456789abcdef",
        "block_count": -(-len(data) // BLOCK),
        "sha256": hashlib.sha256(data).hexdigest(),
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }
    return replace(ObjectCopy("flow-1", 1, source, name), **{**facts, **changes})


async def stage(place: SinkPlace, copy: ObjectCopy, data: bytes, *, until: int | None = None) -> None:
    for index, at in enumerate(range(0, len(data), BLOCK)):
        if until is None or index < until:
            await place.sink.stage_block(copy, index, data[at : at + BLOCK])


@pytest.mark.parametrize("size", SIZES)
async def test_an_object_is_shown_by_its_commit_alone_and_whole(place: SinkPlace, size: int) -> None:
    copy = a_copy(content(size))
    await place.sink.check_free(copy)
    await stage(place, copy, content(size))
    assert await place.delivered() == {}
    await place.sink.commit(copy, again=False)
    assert await place.delivered() == {"a.bin": content(size)}


@pytest.mark.parametrize("size", [0, 1, BLOCK])
async def test_a_small_object_is_published_in_one_call(place: SinkPlace, size: int) -> None:
    copy = a_copy(content(size), block_nonce="", block_count=0)
    await place.sink.put_whole(copy, content(size), again=False)
    await place.sink.put_whole(copy, content(size), again=True)
    assert await place.delivered() == {"a.bin": content(size)}


@pytest.mark.parametrize("size", SIZES)
async def test_a_commit_whose_answer_was_lost_may_be_repeated(place: SinkPlace, size: int) -> None:
    copy = a_copy(content(size))
    await stage(place, copy, content(size))
    await place.sink.commit(copy, again=False)
    if place.keeps_blocks or size == 0:
        await place.sink.commit(copy, again=True)
    else:
        # Its blocks are gone with the request: the object is sent again, and found to be there.
        with pytest.raises(StagedBlocksLostError):
            await place.sink.commit(copy, again=True)
    assert await place.delivered() == {"a.bin": content(size)}


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("size", [1, 3 * BLOCK])
async def test_somebody_elses_object_is_never_replaced(place: SinkPlace, size: int, *, again: bool) -> None:
    copy = a_copy(content(size))
    await stage(place, copy, content(size))
    await place.put_foreign("a.bin", b"theirs")
    if again and not place.keeps_blocks:
        # All that such a sink can ask for is that nothing is replaced; then, what is there may be its own.
        await place.sink.commit(copy, again=again)
    else:
        with pytest.raises(ConnectorError):
            await place.sink.commit(copy, again=again)
    assert await place.delivered() == {"a.bin": b"theirs"}


async def test_somebody_elses_object_is_not_replaced_in_one_call_either(place: SinkPlace) -> None:
    await place.put_foreign("a.bin", b"theirs")
    copy = a_copy(b"ours", block_nonce="", block_count=0)
    for refused in (place.sink.put_whole(copy, b"ours", again=False), place.sink.check_free(copy)):
        with pytest.raises(PermanentError):
            await refused
    assert await place.delivered() == {"a.bin": b"theirs"}


@pytest.mark.parametrize("missing", [1, 2])
async def test_an_object_that_misses_a_block_is_not_shown(place: SinkPlace, missing: int) -> None:
    copy = a_copy(content(3 * BLOCK))
    await stage(place, copy, content(3 * BLOCK), until=missing)
    with pytest.raises(StagedBlocksLostError):
        await place.sink.commit(copy, again=False)
    assert await place.delivered() == {}


async def test_the_blocks_of_two_attempts_never_mix(place: SinkPlace) -> None:
    first = a_copy(b"first attempt!", block_nonce="a" * 16)
    second = a_copy(b"SECOND ATTEMPT", block_nonce="b" * 16)
    await stage(place, first, b"first attempt!")
    await stage(place, second, b"SECOND ATTEMPT")
    await place.sink.commit(second, again=False)
    with pytest.raises(ConnectorError):
        await place.sink.commit(first, again=False)
    assert await place.delivered() == {"a.bin": b"SECOND ATTEMPT"}


async def test_a_first_block_that_is_sent_again_counts_once(place: SinkPlace) -> None:
    copy = a_copy(b"right")
    await place.sink.stage_block(copy, 0, b"wrong")
    await place.sink.stage_block(copy, 0, b"right")
    await place.sink.commit(copy, again=False)
    assert await place.delivered() == {"a.bin": b"right"}


async def test_blocks_go_in_any_order_where_they_are_kept(place: SinkPlace) -> None:
    data = content(3 * BLOCK)
    copy = a_copy(data)
    blocks = [(index, data[index * BLOCK : (index + 1) * BLOCK]) for index in (2, 0, 1)]
    if not place.keeps_blocks:
        with pytest.raises(StagedBlocksLostError):
            await place.sink.stage_block(copy, *blocks[0])
        return
    await asyncio.gather(*(place.sink.stage_block(copy, *block) for block in blocks))
    await place.sink.commit(copy, again=False)
    assert await place.delivered() == {"a.bin": data}


async def test_blocks_that_are_kept_are_there_for_another_process(place: SinkPlace) -> None:
    data = content(2 * BLOCK)
    copy = a_copy(data)
    await place.sink.stage_block(copy, 0, data[:BLOCK])
    async with place.factory.open(place.flow) as restarted:
        if not place.keeps_blocks:
            with pytest.raises(StagedBlocksLostError):
                await restarted.stage_block(copy, 1, data[BLOCK:])
            return
        await restarted.stage_block(copy, 1, data[BLOCK:])
        await restarted.commit(copy, again=False)
    assert await place.delivered() == {"a.bin": data}


async def test_objects_side_by_side_do_not_disturb_each_other(place: SinkPlace) -> None:
    async def published(number: int) -> None:
        data = bytes([number]) * (2 * BLOCK)
        copy = a_copy(data, f"in/{number}", sequence=number, block_nonce=f"{number:016}")
        await stage(place, copy, data)
        await place.sink.commit(copy, again=False)

    await asyncio.gather(*(published(number) for number in range(1, 9)))
    assert await place.delivered() == {f"in/{number}": bytes([number]) * (2 * BLOCK) for number in range(1, 9)}


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_arrives_as_it_is(place: SinkPlace, name: str) -> None:
    copy = a_copy(b"named", name)
    if not name.endswith("."):
        named = place.factory.destination_name(place.flow, copy.source, single=False)
        assert named == name
    await place.sink.put_whole(copy, b"named", again=False)
    assert await place.delivered() == {name: b"named"}


@pytest.mark.parametrize("technology", REAL, indirect=True)
@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_refused_before_the_first_byte(place: SinkPlace, name: str) -> None:
    with pytest.raises(InvalidInputError):
        place.factory.destination_name(place.flow, SourceObject(name, 1, '"1"'), single=False)


@pytest.mark.parametrize("technology", ["local", "http"], indirect=True)
async def test_no_service_fetches_from_a_source_that_it_does_not_know(place: SinkPlace) -> None:
    grant, copy = ReadGrant("Unknown", "https://nowhere.invalid/"), a_copy(b"1")
    assert place.sink.traits.copies_from == frozenset()
    with pytest.raises(CopyUnavailableError):
        await place.sink.copy_whole(copy, grant, again=False)
    with pytest.raises(CopyUnavailableError):
        await place.sink.copy_block(copy, 0, grant, 0, 1)


async def test_the_evidence_may_be_left_twice(place: SinkPlace) -> None:
    copy = a_copy(b"data")
    await stage(place, copy, b"data")
    await place.sink.commit(copy, again=False)

    async def published() -> AsyncIterator[ObjectCopy]:
        yield copy

    await place.sink.mark_complete(published(), again=False)
    once = await place.delivered()
    await place.sink.mark_complete(published(), again=True)
    assert await place.delivered() == once
    markers = {".complete", ".manifest/00001.ndjson"} if place.leaves_evidence else set()
    assert set(once) == {"a.bin", *markers}
