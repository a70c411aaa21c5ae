"""DataSource: where the bytes of a flow come from."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from connector_spi.data_address import DataAddress
from data_plane.domain.object_copy import Block, SourceObject


@dataclass(frozen=True, slots=True)
class SourcePage:
    """Some of the objects that a source lists."""

    objects: Sequence[SourceObject]
    position: str | None = None
    """Where the listing goes on after this page, in the source's own words; None after the last one, and where a
    source cannot go on in the middle."""


@dataclass(frozen=True, slots=True)
class ReadGrant:
    """What another service needs to read one object by itself, for some minutes."""

    address_type: str
    """DataAddress type of the source."""
    url: str = field(repr=False)
    """Opens the object to whoever holds it: given to the destination's service alone, never stored or logged."""


class DataSource(Protocol):
    """The objects behind one address. Safe for concurrent reads."""

    @property
    def is_single(self) -> bool:
        """Whether the address names just one object."""
        ...

    def objects(self, after: str | None = None) -> AsyncIterator[SourcePage]:
        """Every object, page by page (at most 5,000 each), in a stable order; no page at all when there is none.

        `after`: the position of the page after which to go on.

        Raises:
            ListingPositionLostError: the listing cannot go on at this position (any more).
            PermanentError: the one object that the address names does not exist, or the source refused (credentials,
                container).
            TransientError: the source did not answer.
        """
        ...

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        """Exactly `length` bytes from `offset`, of exactly the listed version.

        Raises:
            SourceObjectChangedError: the object has another version now.
            PermanentError: it has vanished, or the source refused.
            TransientError: the source did not answer, or not with all the bytes.
        """
        ...

    async def current(self, source: SourceObject) -> SourceObject:
        """The object of this name as it is now, perhaps another version.

        Raises:
            PermanentError, TransientError: as for `read`.
        """
        ...

    async def grant(self, source: SourceObject, *, anew: bool = False) -> ReadGrant | None:
        """Read access to this object alone, for a storage service; None where the technology has no such thing.

        `anew`: an earlier grant was refused; our own credential may have been rotated since it was read.

        Raises:
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: the credential could not be read.
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
