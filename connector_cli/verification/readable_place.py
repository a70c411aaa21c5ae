"""ReadablePlace: where a transfer was delivered, contents included."""

from collections.abc import AsyncIterator
from typing import Protocol

from azure_storage.receipt_place import PlacedObject, ReceiptPlace


class ReadablePlace(ReceiptPlace, Protocol):
    """A place whose contents can be read."""

    def content(self, found: PlacedObject) -> AsyncIterator[bytes | bytearray]:
        """The content in chunks of a few MiB.

        Raises:
            TransientError, PermanentError: it cannot be read.
        """
        ...
