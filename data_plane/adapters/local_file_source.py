"""LocalFileDataSource: one file, or every file in a folder and its folders, below the configured root.

A file's version is its inode, size and time of change, looked at after each read. A link or a device in the folder
ends the listing by name: a transfer that leaves something out without a word is worse than one that fails.
"""

import mimetypes
import os
import stat
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from itertools import islice
from threading import Lock
from typing import Final

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError, TransientError
from data_plane.adapters.local_file_errors import LocalFileRefusedError, local_errors
from data_plane.adapters.local_file_root import PATH, FileRoot, FileThreads, opened_folder, path_parts
from data_plane.domain.errors import SourceObjectChangedError
from data_plane.domain.object_copy import Block, SourceObject
from data_plane.ports.data_source import ReadGrant, SourcePage

PAGE_SIZE: Final = 5000

Path = tuple[str, ...]


class LocalFileReadError(TransientError):
    """The file system gave fewer bytes than the file has."""

    code = "LocalFileRead"
    cause = "the file system gave fewer bytes than the file has: it is being cut short, or the disk fails"
    remedy = "It is tried again. See who writes the file while it is offered, and the disk's health."


class LocalFileDataSource:
    """Implements `data_plane.ports.data_source.DataSource`. Memory holds the names of one folder at each depth."""

    def __init__(self, root: FileRoot, threads: FileThreads, path: Path, *, is_folder: bool, page_size: int) -> None:
        self._root = root
        self._threads = threads
        self._path = path
        self._is_folder = is_folder
        self._page_size = page_size

    @property
    def is_single(self) -> bool:
        """Whether the address names a file."""
        return not self._is_folder

    async def objects(self, after: str | None = None) -> AsyncIterator[SourcePage]:
        """The files by path; a page's position is its last name."""
        if not self._is_folder:
            if after is None:
                yield SourcePage([await self._threads(self._single)])
            return
        walk = _Walk(self._root, self._path, tuple(after.split("/")) if after is not None else ())
        try:
            while page := await self._threads(lambda: walk.page(self._page_size)):
                yield SourcePage(page, page[-1].name)
        finally:
            self._threads.later(walk.close)

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        """The bytes, of the version that was listed."""
        return await self._threads(lambda: self._read(source, offset, length))

    async def current(self, source: SourceObject) -> SourceObject:
        """The file as it is now."""
        return await self._threads(lambda: self._now(source))

    async def grant(self, source: SourceObject, *, anew: bool = False) -> ReadGrant | None:
        """None: no other service reads this disk."""
        return None

    def _now(self, source: SourceObject) -> SourceObject:
        with local_errors(source.name), self._root.file(self._path_of(source)) as file:
            return _source_object(tuple(source.name.split("/")), os.fstat(file))

    def _path_of(self, source: SourceObject) -> Path:
        return (*self._path, *source.name.split("/")) if self._is_folder else self._path

    def _single(self) -> SourceObject:
        with local_errors("/".join(self._path)), self._root.file(self._path) as file:
            return _source_object(self._path[-1:], os.fstat(file))

    def _read(self, source: SourceObject, offset: int, length: int) -> bytearray:
        buffer, filled = bytearray(length), 0
        with local_errors(source.name), self._root.file(self._path_of(source)) as file:
            _check_version(source, os.fstat(file))
            with memoryview(buffer) as view:
                while filled < length:
                    count = os.preadv(file, [view[filled:]], offset + filled)
                    if count == 0:
                        break
                    filled += count
            _check_version(source, os.fstat(file))
        if filled != length:
            raise LocalFileReadError(f"{source.name}: {filled} of {length} bytes came from the disk.")
        return buffer


class LocalFileDataSourceFactory:
    """Implements `data_plane.ports.data_source.DataSourceFactory` for LocalFile."""

    def __init__(self, root: FileRoot, threads: FileThreads, *, page_size: int = PAGE_SIZE) -> None:
        self._root = root
        self._threads = threads
        self._page_size = page_size

    def accepted(self, address: DataAddress) -> DataAddress:
        """The address with its path alone."""
        path_parts(address)
        return DataAddress(address.type, {PATH: address.get(PATH)})

    @asynccontextmanager
    async def open(self, address: DataAddress) -> AsyncIterator[LocalFileDataSource]:
        """The source; looks whether the path names a folder. That it is not there is said by the listing."""
        path = path_parts(address)
        is_folder = await self._threads(lambda: self._is_folder(path))
        yield LocalFileDataSource(self._root, self._threads, path, is_folder=is_folder, page_size=self._page_size)

    def _is_folder(self, path: Path) -> bool:
        try:
            with self._root.folder(path):
                return True
        except OSError:
            return False


class _Walk:
    """The files below a folder, in the order of their paths; folders stay open from page to page."""

    def __init__(self, root: FileRoot, path: Path, after: Path) -> None:
        self._files = _files_below(root, path, after)
        self._at_work = Lock()  # a listing that is cancelled is closed while a page may still be under way

    def page(self, size: int) -> list[SourceObject]:
        """The next files; none at the end."""
        with self._at_work:
            return list(islice(self._files, size))

    def close(self) -> None:
        """Close the folders."""
        with self._at_work:
            self._files.close()


def _files_below(root: FileRoot, path: Path, after: Path) -> Generator[SourceObject, None, None]:
    with local_errors("/".join(path)), root.folder(path) as folder:
        yield from _files_in(folder, (), after)


def _files_in(folder: int, prefix: Path, after: Path) -> Generator[SourceObject, None, None]:
    for name in sorted(os.listdir(folder)):
        path = (*prefix, name)
        if path < after[: len(path)]:
            continue
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            with opened_folder(folder, name) as below:
                yield from _files_in(below, path, after)
        elif path > after:
            yield _source_object(path, facts)


def _source_object(path: Path, facts: os.stat_result) -> SourceObject:
    name = "/".join(path)
    if not name.isprintable() and any("\ud800" <= character <= "\udfff" for character in name):
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise InvalidInputError(field=PATH, value=shown, problem="is not Unicode text", remedy="Rename the file.")
    if not stat.S_ISREG(facts.st_mode):
        raise LocalFileRefusedError(f"{name}: it is a link or no regular file. Remove it, or name another folder.")
    guessed, encoding = mimetypes.guess_type(name)
    content_type = guessed if guessed and not encoding else "application/octet-stream"
    return SourceObject(name, facts.st_size, _etag(facts), content_type)


def _etag(facts: os.stat_result) -> str:
    return f'"{facts.st_ino:x}-{facts.st_size:x}-{facts.st_mtime_ns:x}"'


def _check_version(source: SourceObject, facts: os.stat_result) -> None:
    if _etag(facts) != source.etag:
        raise SourceObjectChangedError(f"{source.name}: the file has changed since it was listed.")
