"""InboxCopy: passes one uploaded object on to the flow's sink, which publishes it whole or not at all.

Small objects go in one call, larger ones in blocks, one after another. A call of unknown outcome is settled when the
sender comes again: its record says COMMITTING, and the sink knows what it has committed.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from awscrt import checksums

from connector_spi.errors import ConflictError, TransientError
from data_plane.domain.errors import StagedBlocksLostError
from data_plane.domain.inbox_errors import ObjectTakenError
from data_plane.domain.object_copy import Block, CopyStatus, ObjectCopy, SourceObject, block_ranges
from data_plane.ports.data_sink import DataSink
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.inbox_body import UploadBody
from data_plane.services.inbox_records import InboxRecords, sequence_of
from data_plane.services.ordered_digest import OrderedDigest
from data_plane.services.retry import NOT_RETRIED, Backoff

_NONCE_BYTES: Final = 8
_ATTEMPTS: Final = 4
"""Calls of the sink for one block or one commit; after that the sender is told to come again."""
_INLINE_BYTES: Final = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxCopy:
    """One for each upload."""

    sink: DataSink
    records: InboxRecords
    budget: ByteBudget
    backoff: Backoff
    check_running: Callable[[], Awaitable[None]]
    """Raises UnauthenticatedError once the flow does not receive any more."""
    known: ObjectCopy | None
    """What earlier uploads have left on record."""

    async def settled(self) -> "InboxCopy":
        """The same, with the outcome of an earlier commit known."""
        known = self.known
        if known is None or known.status is not CopyStatus.COMMITTING or known.block_count == 0:
            return self
        try:
            await self.sink.commit(known, again=True)
        except (StagedBlocksLostError, ConflictError):
            status = CopyStatus.PLANNED
        else:
            status = CopyStatus.PUBLISHED
        known = replace(known, status=status)
        await self.records.keep(known, is_new=False)
        return replace(self, known=known)

    async def whole(self, flow_id: str, name: str, source: SourceObject, data: Block) -> bool:
        """Publish an object that is in memory; False when this very object was there already.

        Raises:
            ObjectTakenError: another object has the name.
            PermanentError, TransientError: as for `DataSink.put_whole`.
        """
        fresh = _attempt(flow_id, name, source)
        fresh = (
            await asyncio.to_thread(_with_digests, fresh, data)
            if len(data) > _INLINE_BYTES
            else _with_digests(fresh, data)
        )
        if self._is_published:
            self._check_same(fresh)
            return False
        # Without blocks, the sink cannot tell whose an object is: only the same content may be taken for ours.
        again = self._is_same(fresh) and self.known is not None and self.known.status is CopyStatus.COMMITTING
        copy = self.known if again and self.known is not None else fresh
        await self._publish(copy, lambda again: self.sink.put_whole(copy, data, again=again), again=again)
        return True

    async def in_blocks(self, flow_id: str, name: str, source: SourceObject, body: UploadBody) -> bool:
        """Publish an object as it arrives; False when this very object was there already.

        Raises:
            ObjectTakenError: another object has the name.
            PermanentError, TransientError: as for `DataSink.stage_block` and `DataSink.commit`.
        """
        copy = _attempt(flow_id, name, source)
        if self._is_published:
            self._check_size(source)
            self._check_same(await self._passed_on(copy, body, send=False))
            return False
        try:
            await self.sink.check_free(copy)
        except ConflictError as error:
            raise ObjectTakenError(name=name) from error
        staged = await self._passed_on(copy, body, send=True)
        await self._publish(staged, lambda again: self.sink.commit(staged, again=again), again=False)
        return True

    @property
    def _is_published(self) -> bool:
        return self.known is not None and self.known.status is CopyStatus.PUBLISHED

    async def _passed_on(self, copy: ObjectCopy, body: UploadBody, *, send: bool) -> ObjectCopy:
        """The object with its digests, every block staged; not `send`: read for the digests alone."""
        digest, crc64, count = OrderedDigest(), 0, 0
        for index, _, length in block_ranges(copy.source.size):
            await self.check_running()
            held = await self.budget.acquire(copy.flow_id, length)
            try:
                block = await body.exactly(length)
                await digest.feed(index, block)
                if send:
                    await self._stage(copy, index, block)
            finally:
                self.budget.release(held)
            crc64, count = checksums.combine_crc64nvme(crc64, checksums.crc64nvme(block), length), index + 1
        return replace(copy, sha256=digest.sha256(), crc64=crc64, block_count=count)

    async def _stage(self, copy: ObjectCopy, index: int, block: Block) -> None:
        async def stage(_again: bool) -> None:
            await self.sink.stage_block(copy, index, block)

        await self._tried(stage, again=False)

    async def _publish(self, copy: ObjectCopy, call: Callable[[bool], Awaitable[None]], *, again: bool) -> None:
        await self.check_running()
        await self.records.keep(copy, is_new=self.known is None)
        try:
            await self._tried(call, again=again)
        except (ConflictError, StagedBlocksLostError) as error:
            # An answer that leaves no doubt: what is there is not ours.
            await self.records.keep(replace(copy, status=CopyStatus.PLANNED), is_new=False)
            if isinstance(error, ConflictError):
                raise ObjectTakenError(name=copy.destination_name) from error
            raise
        await self.records.keep(replace(copy, status=CopyStatus.PUBLISHED), is_new=False)

    async def _tried(self, call: Callable[[bool], Awaitable[None]], *, again: bool) -> None:
        for attempt in range(_ATTEMPTS - 1):
            try:
                await call(again)
            except NOT_RETRIED:
                raise
            except TransientError as error:
                again = True
                await asyncio.sleep(self.backoff.delay(attempt, wish_seconds=error.retry_after_seconds))
            else:
                return
        await call(again)

    def _check_size(self, source: SourceObject) -> None:
        """Refuse what cannot be the same before it is read."""
        if self.known is not None and self.known.source.size != source.size:
            raise ObjectTakenError(name=source.name)

    def _check_same(self, copy: ObjectCopy) -> None:
        if not self._is_same(copy):
            raise ObjectTakenError(name=copy.destination_name)

    def _is_same(self, copy: ObjectCopy) -> bool:
        known = self.known
        return known is not None and (known.source.size, known.sha256) == (copy.source.size, copy.sha256)


def _attempt(flow_id: str, name: str, source: SourceObject) -> ObjectCopy:
    """A fresh attempt, which is recorded when it comes to be published."""
    return ObjectCopy(
        flow_id,
        sequence_of(name),
        source,
        name,
        status=CopyStatus.COMMITTING,
        block_nonce=secrets.token_hex(_NONCE_BYTES),
    )


def _with_digests(copy: ObjectCopy, data: Block) -> ObjectCopy:
    sha256, md5 = hashlib.sha256(data).hexdigest(), hashlib.md5(data, usedforsecurity=False).hexdigest()
    return replace(copy, sha256=sha256, md5=md5, crc64=checksums.crc64nvme(data))
