"""DataSource: where the bytes of a flow come from."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from connector_spi.data_address import DataAddress
from data_plane.domain.object_copy import Block, SourceObject


class DataSource(Protocol):
    """The objects behind one address. Safe for concurrent reads."""

    @property
    def is_single(self) -> bool:
        """Whether the address names just one object."""
        ...

    def objects(self) -> AsyncIterator[Sequence[SourceObject]]:
        """Every object, page by page (at most 5,000 each), in a stable order; no page at all when there is none.

        Raises:
            PermanentError: the one object that the address names does not exist, or the source refused (credentials,
                container).
            TransientError: the source did not answer.
        """
        ...

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        """Exactly `length` bytes from `offset`, of exactly the listed version.

        Raises:
            PermanentError: the object has another version now, has vanished, or the source refused.
            TransientError: the source did not answer, or not with all the bytes.
        """
        ...


class DataSourceFactory(Protocol):
    """Makes the sources of one address type."""

    def accepted(self, address: DataAddress) -> DataAddress:
        """The address as it is kept: with those of its properties alone that this type understands.

        Nobody knows what the others hold; they may be secrets.

        Raises:
            InvalidInputError: names the property.
        """
        ...

    def open(self, address: DataAddress) -> AbstractAsyncContextManager[DataSource]:
        """The source, for as long as the context lasts; resolves its credential from the vault on entry.

        Raises:
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: on entry.
        """
        ...
