"""Where a receipt stands and what it speaks of: a container, a folder in one, or anything else that lists objects."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from azure_storage.containers import ObjectStorage
from azure_storage.listed_object import ListedObject
from azure_storage.markers import is_marker
from azure_storage.placement_record import mark_of


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
    placed_by: str = ""
    """Mark of the transfer that moved it here, where it was moved (`azure_storage.placement_record`)."""
    written_at: datetime | None = None
    """By the clock of the place, where it tells."""

    @classmethod
    def of(cls, listed: ListedObject, name: str) -> Self:
        """A listed blob, under its name relative to the place."""
        mark = mark_of(listed.metadata, name)
        return cls(name, listed.size_bytes, listed.etag, listed.content_md5, mark, listed.last_modified)


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
                yield PlacedObject.of(found, name)
