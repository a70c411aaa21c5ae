"""DataSink: where the bytes of a flow go to."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from connector_spi.data_address import DataAddress
from data_plane.domain.data_flow import DataFlow, DataFlowFailure
from data_plane.domain.object_copy import Block, ObjectCopy, SourceObject
from data_plane.ports.data_source import ReadGrant


class Staging(StrEnum):
    """What a sink does with the blocks of an object before its commit."""

    KEPT = "KEPT"
    """Blocks come in any order, several at a time, and outlive this process."""
    IN_ORDER = "IN_ORDER"
    """Blocks come one after another, from the first to the last; when this process ends they are gone."""


@dataclass(frozen=True, slots=True)
class SinkTraits:
    """What a sink can do."""

    staging: Staging = Staging.KEPT
    copies_from: frozenset[str] = frozenset()
    """DataAddress types of sources that its service reads by itself, given a `ReadGrant`."""


class DataSink(Protocol):
    """The place of one transfer at the destination. Safe for concurrent use.

    An object becomes visible by `commit` alone, whole or not at all. Blocks that are never committed need no clean-up:
    the technology drops them by itself.
    """

    @property
    def traits(self) -> SinkTraits:
        """What this sink can do; always the same."""
        ...

    async def check_free(self, copy: ObjectCopy) -> None:
        """Refuse a name that is taken before a large object is sent in vain; `commit` is what guarantees it.

        Raises:
            PermanentError: an object of this name is there, or the destination refused.
            TransientError: it did not answer.
        """
        ...

    async def put_whole(self, copy: ObjectCopy, data: Block, *, again: bool) -> None:
        """Publish an object of at most one block at once, never over an object that is not ours.

        `copy.sha256`, `copy.md5` and `copy.crc64` are those of `data`. `again` as for `commit`. Where one call leaves
        nothing to tell our object by, one that is there after a call of unknown outcome counts as ours: its digests
        are in the manifest, which the reader compares.

        Raises:
            PermanentError, TransientError: as for `commit`.
        """
        ...

    async def stage_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        """Send one block, under an id made of the copy's nonce and the index; sending it again replaces it.

        Raises:
            StagedBlocksLostError: the destination does not know the blocks before this one (any more).
            PermanentError: the destination refused.
            TransientError: it did not answer, or received other bytes than were sent.
        """
        ...

    async def copy_whole(self, copy: ObjectCopy, grant: ReadGrant, *, again: bool) -> int | None:
        """As `put_whole`; the destination's service fetches the bytes by itself, of the pinned version.

        No digest of the bytes is known. Returns the CRC64 that the service reports, where it reports one.

        Raises:
            CopyUnavailableError: the service cannot fetch from this source, or not in this way.
            SourceObjectChangedError: the object has another version now.
            PermanentError, TransientError: as for `commit`.
        """
        ...

    async def copy_block(self, copy: ObjectCopy, index: int, grant: ReadGrant, offset: int, length: int) -> int | None:
        """As `stage_block`; the destination's service fetches the bytes by itself, of the pinned version.

        Returns the CRC64 that the service reports, where it reports one.

        Raises:
            CopyUnavailableError, SourceObjectChangedError: as for `copy_whole`.
            PermanentError, TransientError: as for `stage_block`.
        """
        ...

    async def commit(self, copy: ObjectCopy, *, again: bool) -> None:
        """Publish the object from its `block_count` staged blocks, never over an object that is not ours.

        `again`: an earlier commit of this very copy may have succeeded without our knowing. It then counts as done.

        Raises:
            StagedBlocksLostError: the destination does not know the blocks (any more).
            PermanentError: somebody else's object has the name, or as for `stage_block`.
            TransientError: as for `stage_block`.
        """
        ...

    async def mark_complete(self, published: AsyncIterator[ObjectCopy], *, again: bool) -> None:
        """Leave the evidence that everything is there, with the list of objects; its last write is what readers await.

        Called once all objects are published; doing it again leaves the same evidence. `again`: it was begun before a
        crash, so the reader may have seen it and ended this flow's access; being shut out then counts as done. So it
        does after a call on this very sink whose last write was not answered. An expired credential never counts so.

        Raises:
            PermanentError, TransientError: as for `stage_block`.
        """
        ...

    async def mark_failed(self, failure: DataFlowFailure) -> None:
        """Leave the reason of a final error.

        Raises:
            PermanentError, TransientError: as for `stage_block`.
        """
        ...


class DataSinkFactory(Protocol):
    """Makes the sinks of one address type."""

    def accepted(self, address: DataAddress) -> DataAddress:
        """The address as it is kept: with those of its properties alone that this type understands.

        Nobody knows what the others hold; they may be secrets.

        Raises:
            InvalidInputError: names the property.
        """
        ...

    def destination_name(self, flow: DataFlow, source: SourceObject, *, single: bool) -> str:
        """The object's name relative to the transfer's place; `single`: the source address names just this object.

        Checks all that can be known of the object before its first byte.

        Raises:
            InvalidInputError: the destination, or the evidence protocol, does not allow the name or the metadata.
        """
        ...

    def open(self, flow: DataFlow) -> AbstractAsyncContextManager[DataSink]:
        """The sink of this flow, for as long as the context lasts; resolves its credential from the vault on entry.

        What it publishes names the flow's process and agreement, where the technology has room for it.

        Raises:
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: on entry.
        """
        ...
