"""A sink of local files shows whole files alone, never over another one, and never outside its root."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azure_storage.markers import parse_complete_marker, parse_failed_marker
from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError
from data_plane.adapters.local_file_errors import (
    DiskFullError,
    LocalFileExistsError,
    LocalFileRefusedError,
    LocalFileSystemError,
    local_errors,
)
from data_plane.adapters.local_file_root import FileRoot, FileThreads
from data_plane.adapters.local_file_sink import LocalFileDataSink, LocalFileDataSinkFactory
from data_plane.domain.data_flow import DataFlowFailure
from data_plane.domain.errors import StagedBlocksLostError
from data_plane.domain.object_copy import ObjectCopy, SourceObject
from tests.unit.data_plane.fakes import a_data_flow

BLOCK = 4
DATA = b"0123456789"
FLOW = a_data_flow(destination=DataAddress("LocalFile", {"path": "out/here"}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[LocalFileDataSink]:
    """The sink of the flow; opened again it is that of another process."""
    threads = FileThreads()
    factory = LocalFileDataSinkFactory(FileRoot(root), threads, block_size=lambda _: BLOCK)
    try:
        async with factory.open(FLOW) as sink:
            yield sink
    finally:
        threads.close()


def a_copy(name: str = "a/b.bin", data: bytes = DATA, **changes: Any) -> ObjectCopy:
    copy = ObjectCopy("flow-1", 1, SourceObject(name, len(data), '"1"'), name, block_nonce="0" * 16, sha256="0" * 64)
    return replace(copy, block_count=-(-len(data) // BLOCK), **changes)


async def stage(sink: LocalFileDataSink, copy: ObjectCopy, data: bytes = DATA, *, leave: int = -1) -> None:
    for index, at in reversed(list(enumerate(range(0, len(data), BLOCK)))):
        if index != leave:
            await sink.stage_block(copy, index, data[at : at + BLOCK])


def shown(root: Path) -> dict[str, bytes]:
    """What a reader of the place sees."""
    here = root / "out/here"
    files = (file for file in here.rglob("*") if file.is_file())
    found = {str(file.relative_to(here)): file.read_bytes() for file in files}
    return {name: data for name, data in found.items() if not name.startswith(".staging-")}


async def published(*copies: ObjectCopy) -> AsyncIterator[ObjectCopy]:
    for copy in copies:
        yield copy


async def test_blocks_of_a_process_that_died_count_for_the_next_one(root: Path) -> None:
    async with opened(root) as sink:
        await stage(sink, a_copy(), leave=1)
    async with opened(root) as sink:
        await sink.stage_block(a_copy(), 1, DATA[BLOCK : 2 * BLOCK])
        assert shown(root) == {}
        await sink.commit(a_copy(), again=False)
    assert shown(root) == {"a/b.bin": DATA}


@pytest.mark.parametrize("left_out", [0, 1, 2])
async def test_no_file_is_shown_that_misses_a_block(root: Path, left_out: int) -> None:
    async with opened(root) as sink:
        await stage(sink, a_copy(), leave=left_out)
        with pytest.raises(StagedBlocksLostError):
            await sink.commit(a_copy(), again=False)
        with pytest.raises(StagedBlocksLostError):
            await sink.commit(a_copy(block_nonce="1" * 16), again=True)
    assert shown(root) == {}


@pytest.mark.parametrize("again", [False, True])
async def test_a_commit_whose_answer_was_lost_is_found_done_by_another_process(root: Path, *, again: bool) -> None:
    async with opened(root) as sink:
        await stage(sink, a_copy())
        await sink.commit(a_copy(), again=False)
    async with opened(root) as sink:
        await sink.commit(a_copy(), again=again)
        await sink.put_whole(a_copy("w", b"12", block_nonce=""), b"12", again=False)
        await sink.put_whole(a_copy("w", b"12", block_nonce=""), b"12", again=again)
    assert shown(root) == {"a/b.bin": DATA, "w": b"12"}


async def test_a_crash_between_cutting_the_marks_off_and_the_name_is_gone_on_from(root: Path) -> None:
    async with opened(root) as sink:
        await stage(sink, a_copy())
        sink._files.seal(a_copy())
    async with opened(root) as sink:
        await sink.commit(a_copy(), again=True)
    assert shown(root) == {"a/b.bin": DATA}


async def test_a_published_file_is_not_written_to_any_more(root: Path) -> None:
    async with opened(root) as sink:
        await stage(sink, a_copy())
        await sink.commit(a_copy(), again=False)
        with pytest.raises(StagedBlocksLostError):
            await sink.stage_block(a_copy(), 0, b"XXXX")
    assert shown(root) == {"a/b.bin": DATA}


async def test_a_foreign_file_is_never_replaced(root: Path) -> None:
    (root / "out/here/a").mkdir(parents=True)
    (root / "out/here/a/b.bin").write_bytes(b"theirs")
    async with opened(root) as sink:
        await stage(sink, a_copy())
        for again in (False, True):
            with pytest.raises(LocalFileExistsError):
                await sink.commit(a_copy(), again=again)
            with pytest.raises(LocalFileExistsError):
                await sink.put_whole(a_copy(data=b"1", block_nonce=""), b"1", again=again)
        with pytest.raises(LocalFileExistsError):
            await sink.check_free(a_copy())
        await sink.check_free(a_copy("free/x"))
    assert shown(root) == {"a/b.bin": b"theirs"}


@pytest.mark.parametrize("link", ["out", "out/here", "out/here/a", "out/here/a/b.bin"])
async def test_a_link_on_the_way_is_not_followed(root: Path, link: str) -> None:
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(elsewhere)
    async with opened(root) as sink:
        with pytest.raises((LocalFileRefusedError, LocalFileExistsError)):
            await sink.put_whole(a_copy(data=b"1"), b"1", again=False)
    assert list(elsewhere.iterdir()) == []


async def test_a_folder_that_becomes_a_link_in_mid_transfer_is_not_followed(root: Path) -> None:
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    async with opened(root) as sink:
        await stage(sink, a_copy())
        (root / "out/here/a").symlink_to(elsewhere)
        with pytest.raises(LocalFileRefusedError):
            await sink.commit(a_copy(), again=False)
        (root / "out/here").rename(root / "out/moved")
        (root / "out/here").symlink_to(elsewhere)
        with pytest.raises(LocalFileRefusedError):
            await stage(sink, a_copy(block_nonce="1" * 16))
    assert list(elsewhere.iterdir()) == []


async def test_the_end_of_the_flow_leaves_files_and_evidence_and_nothing_else(root: Path) -> None:
    async with opened(root) as sink:
        await stage(sink, a_copy(block_nonce="f" * 16), leave=0)  # an attempt that was given up
        await stage(sink, a_copy())
        await sink.commit(a_copy(), again=False)
        await sink.mark_complete(published(a_copy()), again=False)
        once = shown(root)
        await sink.mark_complete(published(a_copy()), again=True)
    assert shown(root) == once
    assert set(once) == {"a/b.bin", ".complete", ".manifest/00001.ndjson"}
    marker = parse_complete_marker(once[".complete"])
    assert (marker.nonce, marker.object_count, marker.bytes_total) == (FLOW.nonce, 1, len(DATA))
    assert list((root / "out/here").glob(".staging*")) == []


async def test_a_failed_flow_leaves_its_reason_and_nothing_staged(root: Path) -> None:
    async with opened(root) as sink:
        await stage(sink, a_copy())
        await sink.mark_failed(DataFlowFailure("Code", "why"))
    assert parse_failed_marker(shown(root)[".failed"]).code == "Code"
    assert [file.name for file in (root / "out/here").iterdir()] == [".failed"]


@pytest.mark.parametrize("name", [".staging-x/a", "x" * 256, "a/" + "ü" * 128, ".complete", "a/../b", "a\\b", "a\0"])
def test_a_name_that_cannot_be_written_is_refused_before_the_first_byte(root: Path, name: str) -> None:
    factory = LocalFileDataSinkFactory(FileRoot(root), FileThreads())
    with pytest.raises(InvalidInputError):
        factory.destination_name(FLOW, SourceObject(name, 1, '"1"'), single=False)


def test_the_wished_name_is_that_of_a_single_object_alone(root: Path) -> None:
    factory = LocalFileDataSinkFactory(FileRoot(root), FileThreads())
    sent = DataAddress("LocalFile", {"path": "out", "name": "mine", "token": "x"})
    flow = replace(FLOW, destination=factory.accepted(sent))
    assert dict(flow.destination.properties) == {"path": "out", "name": "mine"}
    found = SourceObject("theirs", 1, '"1"')
    assert [factory.destination_name(flow, found, single=single) for single in (True, False)] == ["mine", "theirs"]


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EACCES, LocalFileRefusedError),
        (errno.EXDEV, LocalFileSystemError),
        (errno.EIO, LocalFileSystemError),
    ],
)
def test_what_the_system_says_is_one_of_our_errors(number: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"a/b.*{errno.errorcode[number]}"), local_errors("a/b"):
        raise OSError(number, "/the/whole/path")


def test_a_full_disk_is_waited_for() -> None:
    with pytest.raises(DiskFullError), local_errors("a"), Path("/dev/full").open("wb", buffering=0) as device:
        device.write(b"x")
