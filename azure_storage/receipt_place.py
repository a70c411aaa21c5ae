"""Where a receipt stands and what it speaks of: a container, a folder in one, or anything else that lists objects."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from azure_storage.containers import ObjectStorage
from azure_storage.markers import is_marker


@dataclass(frozen=True, slots=True)
class PlacedObject:
    """An object as its place lists it."""

    name: str
    """Relative to the place."""
    size_bytes: int
    etag: str = ""
    """Its version, where the place knows such a thing."""
    content_md5: bytes | None = None
    """What the place says of its content, where it says anything."""


class ReceiptPlace(Protocol):
    """The transfer's own place, as its owner reads it."""

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """A marker or manifest page, or None when there is none of this name.

        Raises:
            BlobTooLargeError: it is larger than `max_bytes`; no more than that is read.
            TransientError, PermanentError: the place cannot be read.
        """
        ...

    def objects(self) -> AsyncIterator[PlacedObject]:
        """Every object but markers and manifest pages, in any order; never all in memory.

        Raises:
            TransientError, PermanentError: the place cannot be listed.
        """
        ...


class StoragePlace:
    """A container or folder, read with the account's own key."""

    def __init__(
        self, storage: ObjectStorage, account: str, container: str, *, folder: str = "", key_name: str | None = None
    ) -> None:
        self._storage = storage
        self._place = account, container
        self._root = f"{folder}/" if folder else ""
        self._key_name = key_name

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """See `ReceiptPlace.read`."""
        return await self._storage.read_small_blob(
            *self._place, self._root + name, max_bytes=max_bytes, key_name=self._key_name
        )

    async def objects(self) -> AsyncIterator[PlacedObject]:
        """See `ReceiptPlace.objects`."""
        async for found in self._storage.list_objects(*self._place, prefix=self._root, key_name=self._key_name):
            name = found.name.removeprefix(self._root)
            if not is_marker(name):
                yield PlacedObject(name, found.size_bytes, found.etag, found.content_md5)
