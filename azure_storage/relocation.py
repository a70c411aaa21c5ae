"""Relocation: the service itself moves one object to another name in the same account; no byte passes through here.

What is small goes in one call where the service has it (Put Blob From URL), everything else as blocks, several at
once. Blocks have names that the caller's nonce fixes, so that a repetition finds those that are there and stages the
others only. Nothing is overwritten.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final

from azure_storage.block_client import BlockBlobClient
from azure_storage.copy_client import BlobCopyClient
from azure_storage.copy_errors import CopyNotSupportedError
from azure_storage.errors import InvalidBlockListError
from azure_storage.listed_object import ListedObject
from azure_storage.sas import SignedUrl
from azure_storage.session import StorageSession
from connector_spi.clock import Clock

MEBIBYTE: Final = 1024 * 1024
BLOCK_BYTES: Final = 64 * MEBIBYTE
MAX_BLOCKS: Final = 50_000

StagedBlocks = Callable[[], Awaitable[Mapping[str, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One object on its way.

    Attributes:
        source: the object as it was listed; its ETag is a condition.
        source_url, target_url: signed, with minutes to live.
        metadata: what the new blob gets beside the source's own.
        nonce: the same for every repetition of this move, and for no other one; at most 48 characters.
        staged: asks which blocks wait at the target.
        may_go_on: asked before each block.
    """

    source: ListedObject
    source_url: SignedUrl
    target_url: SignedUrl
    metadata: Mapping[str, str]
    nonce: str
    staged: StagedBlocks
    may_go_on: Callable[[], bool]


@dataclass(slots=True)
class Relocator:
    """Moves objects; `parallel` requests at once, over all moves.

    `block_bytes`: size of a block, and up to which an object goes in one call.
    """

    session: StorageSession
    clock: Clock
    call_seconds: float
    parallel: int = 16
    block_bytes: int = BLOCK_BYTES
    _copies: BlobCopyClient = field(init=False)
    _blobs: BlockBlobClient = field(init=False)
    _slots: asyncio.Semaphore = field(init=False)
    _has_whole_copy: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        self._copies = BlobCopyClient(self.session, clock=self.clock, call_seconds=self.call_seconds)
        self._blobs = BlockBlobClient(self.session, clock=self.clock, call_seconds=self.call_seconds)
        self._slots = asyncio.Semaphore(self.parallel)

    def is_long(self, source: ListedObject) -> bool:
        """Whether it takes several blocks: better to know before that the name is free."""
        return source.size_bytes > self.block_bytes

    async def relocate(self, move: Move) -> int | None:
        """Move the object: None once it is there; else how many bytes of it are, when it may not go on.

        Raises:
            BlobAlreadyExistsError: a blob of this name is there, perhaps by an earlier attempt of this very move.
            CopySourceChangedError: the source is no longer the object that was listed.
            InvalidInputError: the metadata has no room for more.
            TransientError, PermanentError: as for `BlobCopyClient` and `BlockBlobClient`.
        """
        if move.source.size_bytes == 0:
            async with self._slots:
                await self._blobs.put_blob(move.target_url, b"", **_properties(move))
            return None
        if self.is_long(move.source) or not self._has_whole_copy:
            return await self._in_blocks(move)
        return await self._whole(move)

    async def put_own(self, url: SignedUrl, content: bytes, *, overwrite: bool, metadata: Mapping[str, str]) -> None:
        """Write a small blob of this side's own.

        Raises:
            BlobAlreadyExistsError: one is there, and `overwrite` is False.
        """
        async with self._slots:
            await self._blobs.put_blob(
                url, content, content_type="application/json", overwrite=overwrite, metadata=metadata
            )

    async def _whole(self, move: Move) -> int | None:
        properties = _properties(move)
        md5 = properties.pop("content_md5")
        async with self._slots:
            if not move.may_go_on():
                return 0
            if self._has_whole_copy:  # the move before may have found out
                try:
                    await self._copies.put_blob_from_url(
                        move.target_url,
                        move.source_url,
                        source_if_match=move.source.etag,
                        source_content_md5=md5,
                        **properties,
                    )
                except CopyNotSupportedError:
                    # Put Block From URL is older: where that is missing, too, its own refusal ends the move.
                    self._has_whole_copy = False
                else:
                    return None
        return await self._in_blocks(move)

    async def _in_blocks(self, move: Move) -> int | None:
        size = block_size(move.source.size_bytes, self.block_bytes)
        count = -(-move.source.size_bytes // size)
        lengths = {f"{move.nonce}-{i:06d}": min(size, move.source.size_bytes - i * size) for i in range(count)}
        # One block is sent at once: asking whether it is there already costs as much.
        staged = await move.staged() if count > 1 else {}
        missing = {
            block_id: index
            for index, (block_id, length) in enumerate(lengths.items())
            if staged.get(block_id) != length
        }
        done = await self._stage(move, missing, lengths, size)
        if done < len(missing):
            return sum(lengths.values()) - sum(lengths[block_id] for block_id in list(missing)[done:])
        try:
            async with self._slots:
                await self._blobs.put_block_list(move.target_url, list(lengths), **_properties(move))
        except InvalidBlockListError:
            # Somebody else committed this name and removed it again, and with that the blocks: they are staged anew.
            return 0
        return None

    async def _stage(self, move: Move, missing: Mapping[str, int], lengths: Mapping[str, int], size: int) -> int:
        """Stage what is missing, in order; how many blocks of it are there now."""
        waiting, done = list(missing.items()), 0
        while done < len(waiting):
            some = waiting[done : done + self.parallel]
            try:
                async with asyncio.TaskGroup() as stagings:
                    tasks = [
                        stagings.create_task(self._stage_one(move, block_id, index * size, lengths[block_id]))
                        for block_id, index in some
                    ]
            except BaseExceptionGroup as group:
                raise first_of(group) from None
            staged = sum(1 for _ in takewhile(bool, (task.result() for task in tasks)))
            done += staged
            if staged < len(some):
                break
        return done

    async def _stage_one(self, move: Move, block_id: str, offset: int, length: int) -> bool:
        """False: it may not go on, now that it is its turn; other moves may have had theirs for long."""
        async with self._slots:
            if not move.may_go_on():
                return False
            await self._copies.put_block_from_url(
                move.target_url,
                block_id,
                move.source_url,
                offset=offset,
                length=length,
                source_if_match=move.source.etag,
            )
        return True


def block_size(object_bytes: int, usual: int) -> int:
    """The usual size, or whole mebibytes more where the service allows no more blocks."""
    needed = -(-object_bytes // MAX_BLOCKS)
    return usual if needed <= usual else -(-needed // MEBIBYTE) * MEBIBYTE


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group that is no group itself."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


def _properties(move: Move) -> dict[str, Any]:
    """All that the source has, and the caller's metadata, whose names win."""
    taken = {name.lower() for name in move.metadata}
    own = {name: value for name, value in move.source.metadata.items() if name.lower() not in taken}
    return {
        "content_type": move.source.content_type,
        "content_encoding": move.source.content_encoding,
        "metadata": {**own, **move.metadata},
        "tags": dict(move.source.tags) if move.source.tags else None,
        "content_md5": move.source.content_md5,
    }
