"""A source of local files lists what is below its path and nothing else, and never reads what it did not list."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import ConfigurationError, InvalidInputError
from data_plane.adapters.local_file_errors import LocalFileNotFoundError, LocalFileRefusedError
from data_plane.adapters.local_file_root import FileRoot, FileThreads
from data_plane.adapters.local_file_source import LocalFileDataSource, LocalFileDataSourceFactory
from data_plane.domain.errors import SourceObjectChangedError
from data_plane.domain.object_copy import SourceObject

Write = Callable[[str, bytes], Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_bytes(b"outside")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def write(root: Path) -> Write:
    def written(name: str, data: bytes) -> Path:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    return written


@asynccontextmanager
async def opened(root: Path, path: str, *, page_size: int = 2) -> AsyncIterator[LocalFileDataSource]:
    threads = FileThreads()
    factory = LocalFileDataSourceFactory(FileRoot(root), threads, page_size=page_size)
    try:
        async with factory.open(factory.accepted(DataAddress("LocalFile", {"path": path}))) as source:
            yield source
    finally:
        threads.close()


async def listed(source: LocalFileDataSource, after: str | None = None) -> list[SourceObject]:
    return [found async for page in source.objects(after) for found in page.objects]


async def test_a_folder_is_listed_with_its_folders_in_one_order_page_by_page(root: Path, write: Write) -> None:
    names = ["a", "a-b", "a.d/x", "b/c/1", "b/c/2", "b/d", "z ü.csv"]
    for name in names:
        write(f"in/{name}", name.encode())
    async with opened(root, "in/") as source:
        assert not source.is_single
        pages = [page async for page in source.objects()]
        found = [name.name for page in pages for name in page.objects]
        assert found == sorted(names, key=lambda name: name.split("/"))
        assert [page.position for page in pages] == [page.objects[-1].name for page in pages]
        for at, name in enumerate(found):
            assert [after.name for after in await listed(source, name)] == found[at + 1 :]
        assert await listed(source, "b/c/1x") == await listed(source, "b/c/1")


async def test_a_position_whose_file_is_gone_is_still_a_position(root: Path, write: Write) -> None:
    for name in ("a", "b/1", "c"):
        write(f"in/{name}", b"")
    async with opened(root, "in") as source:
        (root / "in/b/1").unlink()
        (root / "in/b").rmdir()
        assert [found.name for found in await listed(source, "b/1")] == ["c"]


async def test_one_file_is_a_single_object_under_its_own_name(root: Path, write: Write) -> None:
    write("in/report.csv", b"a,b")
    async with opened(root, "in/report.csv") as source:
        [found] = await listed(source)
        assert source.is_single
        assert (found.name, found.size, found.content_type) == ("report.csv", 3, "text/csv")
        assert await source.read(found, 1, 2) == b",b"
        assert await listed(source, "report.csv") == []


async def test_an_empty_folder_has_no_object_and_a_missing_one_is_an_error(root: Path) -> None:
    (root / "in").mkdir()
    async with opened(root, "in") as source:
        assert [page async for page in source.objects()] == []
    async with opened(root, "nowhere") as source:
        with pytest.raises(LocalFileNotFoundError, match="nowhere"):
            await listed(source)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "..", "../outside", "in/../../outside", "in//x", "./x", "a\0b"])
async def test_a_path_that_could_lead_out_is_refused_before_anything_is_opened(root: Path, path: str) -> None:
    with pytest.raises(InvalidInputError, match="path"):
        async with opened(root, path):
            pass


async def test_a_link_is_followed_nowhere(root: Path, write: Write) -> None:
    write("in/a", b"1")
    (root / "folder-link").symlink_to(root / "in")
    (root / "file-link").symlink_to(root.parent / "outside")
    for path in ("folder-link", "folder-link/a", "file-link"):
        async with opened(root, path) as source:
            with pytest.raises(LocalFileRefusedError):
                await listed(source)
    (root / "in/link").symlink_to(root.parent / "outside")
    async with opened(root, "in") as source:
        with pytest.raises(LocalFileRefusedError, match="link"):
            await listed(source)


async def test_a_pipe_is_no_file_and_nobody_waits_for_it(root: Path, write: Write) -> None:
    write("in/a", b"1")
    os.mkfifo(root / "in/pipe")
    for path in ("in", "in/pipe"):
        async with opened(root, path) as source:
            with pytest.raises(LocalFileRefusedError):
                await listed(source)


@pytest.mark.parametrize("swapped", ["in", "in/deep", "in/deep/file"])
async def test_what_becomes_a_link_after_the_listing_is_not_read(root: Path, write: Write, swapped: str) -> None:
    write("in/deep/file", b"inside")
    elsewhere = root.parent / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "file").write_bytes(b"secret")
    (elsewhere / "deep/file").write_bytes(b"secret")
    async with opened(root, "in") as source:
        [found] = await listed(source)
        (root / swapped).rename(root / "moved")
        (root / swapped).symlink_to({"in": elsewhere, "in/deep": elsewhere}.get(swapped, elsewhere / "file"))
        with pytest.raises(LocalFileRefusedError):
            await source.read(found, 0, 6)


async def test_a_file_that_changed_is_not_read(root: Path, write: Write) -> None:
    file = write("in/a", b"0123456789")
    async with opened(root, "in") as source:
        [found] = await listed(source)
        facts = file.stat()
        file.write_bytes(b"9876543210")
        os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
        with pytest.raises(SourceObjectChangedError):
            await source.read(found, 0, 10)
        assert await source.read(await source.current(found), 0, 10) == b"9876543210"
        replaced = root / "new"
        replaced.write_bytes(b"9876543210")
        found = await source.current(found)
        replaced.replace(file)
        with pytest.raises(SourceObjectChangedError):
            await source.read(found, 0, 10)
        file.unlink()
        with pytest.raises(LocalFileNotFoundError):
            await source.read(found, 0, 10)


async def test_a_name_that_is_no_text_ends_the_listing_by_name(root: Path) -> None:
    (root / "in").mkdir()
    os.close(os.open(os.fsencode(root / "in") + b"/bad\xff", os.O_CREAT | os.O_WRONLY))
    async with opened(root, "in") as source:
        with pytest.raises(InvalidInputError, match=r"bad\\\\udcff") as refused:
            await listed(source)
    str(refused.value).encode()


async def test_a_listing_that_nobody_reads_to_its_end_leaves_no_folder_open(root: Path, write: Write) -> None:
    for name in ("a", "b", "c", "d/e"):
        write(f"in/{name}", b"")
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as many as this process has open
    async with opened(root, "in", page_size=1) as source:
        pages = source.objects()
        await anext(pages)
        await pages.aclose()  # type: ignore[attr-defined]
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208 - as above


def test_the_root_has_to_be_a_folder(root: Path) -> None:
    with pytest.raises(ConfigurationError, match="local_file_root"):
        FileRoot(root / "nowhere")
