"""Sends a large object in blocks and goes on where the journal says that an earlier attempt stopped."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from awscrt import checksums

from data_plane.domain.errors import (
    CopyUnavailableError,
    SourceDigestMismatchError,
    SourceObjectChangedError,
    StagedBlocksLostError,
)
from data_plane.domain.object_copy import (
    Assurance,
    Block,
    CopyMode,
    CopyStatus,
    ObjectCopy,
    StagedBlock,
    block_ranges,
)
from data_plane.ports.data_sink import Staging
from data_plane.ports.object_journal import BlockRecord
from data_plane.services.copy_context import CopyContext
from data_plane.services.drain import Drain
from data_plane.services.ordered_digest import OrderedDigest
from data_plane.services.single_error import single_error

_NONCE_BYTES: Final = 8


@dataclass(slots=True)
class _Attempt:
    """One object under one nonce."""

    copy: ObjectCopy
    mode: CopyMode
    known: Mapping[int, StagedBlock]
    """Blocks that an earlier run has staged."""
    digest: OrderedDigest
    crc64s: dict[int, int | None] = field(default_factory=dict)
    counted: int = 0
    """Bytes that the meter was told of."""
    drain: Drain = field(default_factory=Drain)


@dataclass(frozen=True, slots=True)
class StagedCopy:
    """One for each flow."""

    context: CopyContext

    async def staged(self, planned: ObjectCopy, mode: CopyMode) -> ObjectCopy:
        """Have every block at the destination; returns the COMMITTING record, which is durable.

        Raises:
            StagedBlocksLostError: the destination forgot what was staged; the object needs a fresh nonce.
            PermanentError: the object cannot be copied.
        """
        ranges = list(block_ranges(planned.source.size, mode))
        copy, known = await self._begun(planned, name_is_asked=len(ranges) > 1)
        attempt = _Attempt(copy, mode, known, OrderedDigest(with_md5=copy.source.content_md5 is not None))
        attempt.counted = sum(length for index, _, length in ranges if index in known)
        self.context.meter.resumed(attempt.counted)
        one_at_a_time = self.context.sink.traits.staging is Staging.IN_ORDER
        slots = asyncio.Semaphore(1 if one_at_a_time else self.context.max_blocks)
        with self._uncounted_when_lost(attempt), single_error():
            async with asyncio.TaskGroup() as group:
                for block in ranges:
                    await slots.acquire()
                    # Taken in the order of the blocks: the digest's next block always has its bytes already.
                    held = await self._held(attempt, block[2])
                    task = group.create_task(self._block(attempt, *block))
                    task.add_done_callback(self._giving_back(held, slots))
        staged = self._with_digests(attempt, ranges)
        await self.context.retried(lambda: self.context.journal.record(staged))
        return staged

    async def _begun(self, planned: ObjectCopy, *, name_is_asked: bool) -> tuple[ObjectCopy, Mapping[int, StagedBlock]]:
        """The object under its nonce, and what the journal knows as staged.

        `name_is_asked`: a taken name is found out before the blocks are sent in vain; for one block the commit tells.
        """
        context = self.context
        if planned.block_nonce and context.sink.traits.staging is Staging.KEPT:
            known = await context.retried(lambda: context.journal.blocks(planned))
            return planned, {block.index: block for block in known}
        copy = replace(planned, status=CopyStatus.PLANNED, block_nonce=secrets.token_hex(_NONCE_BYTES))
        if name_is_asked:
            await context.request(lambda: context.sink.check_free(copy))
        await context.retried(lambda: context.journal.record(copy))
        return copy, {}

    async def _held(self, attempt: _Attempt, length: int) -> int:
        """What the block takes of the memory for bytes in flight."""
        if attempt.mode is CopyMode.SERVER_SIDE:
            return 0
        return await self.context.budget.acquire(self.context.flow_id, length)

    async def _block(self, attempt: _Attempt, index: int, offset: int, length: int) -> None:
        if attempt.mode is CopyMode.STREAMED:
            await self._stream(attempt, index, offset, length)
        elif index in attempt.known:
            attempt.crc64s[index] = attempt.known[index].crc64
        else:
            await self._fetch(attempt, index, offset, length)

    async def _stream(self, attempt: _Attempt, index: int, offset: int, length: int) -> None:
        # A block that is staged already is read for the digest alone, which cannot begin in the middle of an object.
        data = await self.context.request(lambda: self.context.source.read(attempt.copy.source, offset, length))
        self.context.meter.received()
        with single_error():
            async with asyncio.TaskGroup() as group:
                group.create_task(attempt.digest.feed(index, data))
                await self._send(attempt, index, data)

    async def _send(self, attempt: _Attempt, index: int, data: Block) -> None:
        context, copy = self.context, attempt.copy
        crc64: int = checksums.crc64nvme(data)
        if index in attempt.known:
            if attempt.known[index].crc64 not in (None, crc64):
                raise SourceDigestMismatchError(f"Block {index} of {copy.source.name!r} is not what was read before.")
            attempt.crc64s[index] = crc64
            return
        await context.bandwidth(len(data))
        async with attempt.drain.sending():
            await context.request(lambda: context.sink.stage_block(copy, index, data))
            await self._record(attempt, StagedBlock(index, crc64), len(data))

    async def _fetch(self, attempt: _Attempt, index: int, offset: int, length: int) -> None:
        context, copy = self.context, attempt.copy

        async def fetch() -> int | None:
            return await context.granted(
                copy.source, lambda grant: context.sink.copy_block(copy, index, grant, offset, length)
            )

        async with attempt.drain.sending():
            crc64 = await context.request(fetch)
            await self._record(attempt, StagedBlock(index, crc64), length)

    async def _record(self, attempt: _Attempt, block: StagedBlock, length: int) -> None:
        attempt.crc64s[block.index] = block.crc64
        if self.context.sink.traits.staging is Staging.KEPT:
            record = BlockRecord(attempt.copy.sequence, attempt.copy.block_nonce, block)
            await self.context.retried(lambda: self.context.journal.record_block(record))
        attempt.counted += length
        self.context.meter.staged(length)

    @contextmanager
    def _uncounted_when_lost(self, attempt: _Attempt) -> Iterator[None]:
        try:
            yield
        except (StagedBlocksLostError, SourceObjectChangedError):
            self.context.meter.unstaged(attempt.counted)
            raise

    def _with_digests(self, attempt: _Attempt, ranges: list[tuple[int, int, int]]) -> ObjectCopy:
        crc64: int | None = 0
        for index, _, length in ranges:
            of_block = attempt.crc64s[index]
            crc64 = None if crc64 is None or of_block is None else checksums.combine_crc64nvme(crc64, of_block, length)
        streamed = attempt.mode is CopyMode.STREAMED
        if streamed and attempt.digest.md5() != attempt.copy.source.content_md5:
            name = attempt.copy.source.name
            raise SourceDigestMismatchError(f"What was read of {name!r} does not have the source's own MD5.")
        # Of a copy by the service, the service checks the source's own MD5 when one block is all there is.
        md5 = attempt.copy.source.content_md5 if streamed or len(ranges) == 1 else None
        if crc64 is None and md5 is None:
            raise CopyUnavailableError("The destination's service reported no checksum of what it copied.")
        return replace(
            attempt.copy,
            status=CopyStatus.COMMITTING,
            block_count=len(ranges),
            sha256=attempt.digest.sha256() if streamed else "",
            crc64=crc64,
            md5=md5.hex() if md5 else "",
            assurance=Assurance.COMPUTED if streamed else _assurance(md5),
        )

    def _giving_back(self, held: int, slots: asyncio.Semaphore) -> Callable[[asyncio.Task[None]], None]:
        """What to do when a block's task ends: runs even if the task was cancelled before it began."""

        def give_back(_task: asyncio.Task[None]) -> None:
            self.context.budget.release(held)
            slots.release()

        return give_back


def _assurance(md5: bytes | None) -> Assurance:
    return Assurance.SOURCE_MD5 if md5 else Assurance.SERVICE_REPORTED
