"""FolderPlace: a directory of this machine into which a transfer was made."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from azure_storage.errors import BlobTooLargeError
from azure_storage.markers import is_marker
from azure_storage.receipt_place import PlacedObject
from connector_spi.errors import PermanentError

_CHUNK_BYTES: Final = 4 * 1024 * 1024
_BATCH: Final = 1000


class FolderUnreadableError(PermanentError):
    """A file or directory that should be checked cannot be read."""

    code = "FolderUnreadable"
    cause = "a file or folder that should be checked cannot be read"
    remedy = "Check its path, and that this user may read it and everything below it."


class FolderPlace:
    """Implements `ReceiptPlace`, and reads contents. Links are never followed: they are not what was delivered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """See `ReceiptPlace.read`."""
        return await asyncio.to_thread(self._small, name, max_bytes)

    async def objects(self) -> AsyncIterator[PlacedObject]:
        """See `ReceiptPlace.objects`."""
        found = self._files(self._folder, "")
        while batch := await asyncio.to_thread(lambda: list(islice(found, _BATCH))):
            for placed in batch:
                yield placed

    async def content(self, found: PlacedObject) -> AsyncIterator[bytes | bytearray]:
        """The content, chunk by chunk.

        Raises:
            FolderUnreadableError: it cannot be read, or is no regular file.
        """
        descriptor = await asyncio.to_thread(self._opened, found.name)
        try:
            while chunk := await asyncio.to_thread(os.read, descriptor, _CHUNK_BYTES):
                yield chunk
        except OSError as error:
            raise _unreadable(found.name, error) from error
        finally:
            os.close(descriptor)

    def _small(self, name: str, max_bytes: int) -> bytes | None:
        if not (self._folder / name).exists():
            return None
        with os.fdopen(self._opened(name), "rb") as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise BlobTooLargeError(resource=name, max_bytes=max_bytes)
        return content

    def _opened(self, name: str) -> int:
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise _unreadable(name, error) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FolderUnreadableError(f"{name!r} is no regular file.")
        return descriptor

    def _files(self, folder: Path, prefix: str) -> Iterator[PlacedObject]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise _unreadable(prefix or str(folder), error) from error
        for entry in entries:
            name = prefix + entry.name
            if is_marker(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._files(Path(entry.path), f"{name}/")
            else:
                yield PlacedObject(name, entry.stat(follow_symlinks=False).st_size)


def _unreadable(name: str, error: OSError) -> FolderUnreadableError:
    return FolderUnreadableError(f"{name!r} cannot be read ({error.strerror}).")
