"""FileRoot: files below one configured folder, and nothing else.

Each path is opened component by component from the root, and no component may be a link: what somebody swaps for a
link in the middle of a transfer is refused, not followed. Everything here blocks: it runs in `FileThreads`.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from connector_spi.data_address import DataAddress
from connector_spi.errors import ConfigurationError, InvalidInputError

LOCAL_FILE: Final = "LocalFile"
PATH: Final = "path"

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_THREADS: Final = 8

T = TypeVar("T")
Parts = Sequence[str]
"""The components of a path below the root."""


def path_parts(address: DataAddress) -> tuple[str, ...]:
    """The components of the address's `path`, relative to the root.

    Raises:
        InvalidInputError: it is missing or absolute, or has a component that is empty, `.` or `..`, or a NUL.
    """
    path = address.get(PATH)
    parts = tuple(path.removesuffix("/").split("/"))
    if not path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise InvalidInputError(
            field=PATH,
            value=path,
            problem="is not the path of a file or folder below the configured root",
            remedy="Use a relative path without '.' and '..'.",
        )
    return parts


class FileRoot:
    """The configured folder."""

    def __init__(self, root: Path) -> None:
        """Take the folder.

        Raises:
            ConfigurationError: it is not there, or not a folder.
        """
        self._root = root.resolve()
        if not self._root.is_dir():
            raise ConfigurationError(key="local_file_root", problem="is not a folder")

    @contextmanager
    def folder(self, parts: Parts, *, create: bool = False) -> Iterator[int]:
        """The folder's descriptor; with `create`, folders that are missing are made, durably.

        Raises:
            OSError: it is missing, or a component is no folder.
        """
        here = os.open(self._root, _FOLDER)
        try:
            for part in parts:
                below = _opened_folder(here, part, create=create)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)

    @contextmanager
    def file(self, parts: Parts, flags: int = os.O_RDONLY) -> Iterator[int]:
        """The descriptor of a regular file.

        Raises:
            OSError: it is missing, or not a regular file.
        """
        with self.folder(parts[:-1]) as folder, opened_file(folder, parts[-1], flags) as file:
            yield file


@contextmanager
def opened_folder(folder: int, name: str) -> Iterator[int]:
    """The descriptor of a folder in the folder.

    Raises:
        OSError: it cannot be opened, or is not a folder.
    """
    below = os.open(name, _FOLDER, dir_fd=folder)
    try:
        yield below
    finally:
        os.close(below)


@contextmanager
def opened_file(folder: int, name: str, flags: int, *, mode: int = 0o666) -> Iterator[int]:
    """The descriptor of a regular file in the folder.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
    """
    file = os.open(name, flags | _FILE, mode, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise IsADirectoryError(21, "not a regular file")
        yield file
    finally:
        os.close(file)


def _opened_folder(here: int, part: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=here)
            os.fsync(here)
    return os.open(part, _FOLDER, dir_fd=here)


class FileThreads:
    """The threads that wait for the disk; few, for a disk does not get faster by more of them."""

    def __init__(self, threads: int = _THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="local-file")

    async def __call__(self, work: Callable[[], T]) -> T:
        """The result of the work. When the caller is cancelled, work that has begun ends by itself."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def later(self, work: Callable[[], None]) -> None:
        """Do the work, and let nobody wait for it."""
        self._pool.submit(work)

    def close(self) -> None:
        """Wait for what has begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)
