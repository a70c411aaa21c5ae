"""ObjectCopier: one object from source to destination, in blocks, with bounded memory.

A block is read, checked and sent as a whole; several are under way at once, within the process's byte budget. The
digest of the object is computed beside that. An object whose reading failed is never committed.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from data_plane.domain.errors import BlocksLostRepeatedlyError, StagedBlocksLostError
from data_plane.domain.object_copy import CopyStatus, ObjectCopy, block_ranges, block_size_for
from data_plane.ports.data_sink import DataSink
from data_plane.ports.data_source import DataSource
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.journal_writer import JournalWriter
from data_plane.services.ordered_digest import OrderedDigest
from data_plane.services.progress_meter import ProgressMeter
from data_plane.services.retry import Retrier
from data_plane.services.single_error import single_error

_NONCE_BYTES: Final = 8
_MAX_SENDINGS: Final = 3
"""How often an object is sent whole, when the destination loses its blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCopier:
    """Copies the objects of one flow; every part may be shared by many objects at once."""

    flow_id: str
    source: DataSource
    sink: DataSink
    journal: JournalWriter
    meter: ProgressMeter
    budget: ByteBudget
    retried: Retrier
    max_blocks: int
    """Blocks of one object that are under way at once."""

    async def copy(self, copy: ObjectCopy) -> None:
        """Publish the object; returns when the journal knows it as PUBLISHED.

        An object that a crash left COMMITTING is committed again with the same blocks; when the destination does not
        know them any more, it is sent again.

        Raises:
            PermanentError: the object cannot be copied.
            LeaseLostError: another worker has the flow.
        """
        if copy.status is CopyStatus.COMMITTING:
            self.meter.staged(copy.source.size)
            if await self._published(copy, again=True):
                return
        for _ in range(_MAX_SENDINGS):
            if await self._published(await self._staged(copy), again=False):
                return
        raise BlocksLostRepeatedlyError(f"The destination lost the blocks of {copy.source.name!r} repeatedly.")

    async def _staged(self, planned: ObjectCopy) -> ObjectCopy:
        """Send every block under a fresh nonce, then record what is about to be committed."""
        nonce = secrets.token_hex(_NONCE_BYTES)
        sending = replace(planned, status=CopyStatus.COMMITTING, block_nonce=nonce)
        if block_size_for(planned.source.size) < planned.source.size:
            await self.retried(lambda: self.sink.check_free(sending))
        digest = OrderedDigest()
        slots = asyncio.Semaphore(self.max_blocks)
        count = 0
        with single_error():
            async with asyncio.TaskGroup() as group:
                for index, offset, length in block_ranges(planned.source.size):
                    count = index + 1
                    await slots.acquire()
                    # Taken in the order of the blocks: the digest's next block always has its bytes already.
                    held = await self.budget.acquire(self.flow_id, length)
                    task = group.create_task(self._send(sending, index, offset, length, digest))
                    task.add_done_callback(_giving_back(self.budget, held, slots))
        staged = replace(sending, block_count=count, sha256=digest.hexdigest())
        await self.retried(lambda: self.journal.record(staged))
        return staged

    async def _send(self, copy: ObjectCopy, index: int, offset: int, length: int, digest: OrderedDigest) -> None:
        data = await self.retried(lambda: self.source.read(copy.source, offset, length))
        self.meter.received()
        with single_error():
            async with asyncio.TaskGroup() as group:
                group.create_task(digest.feed(index, data))
                await self.retried(lambda: self.sink.stage_block(copy, index, data))
        self.meter.staged(length)

    async def _published(self, copy: ObjectCopy, *, again: bool) -> bool:
        """Commit and record; False when the destination does not know the blocks."""
        unknown_outcome = again

        def outcome_is_unknown() -> None:
            nonlocal unknown_outcome
            unknown_outcome = True

        try:
            await self.retried(lambda: self.sink.commit(copy, again=unknown_outcome), on_error=outcome_is_unknown)
        except StagedBlocksLostError:
            self.meter.unstaged(copy.source.size)
            return False
        await self.retried(lambda: self.journal.record(replace(copy, status=CopyStatus.PUBLISHED)))
        self.meter.published()
        return True


def _giving_back(budget: ByteBudget, held: int, slots: asyncio.Semaphore) -> Callable[[asyncio.Task[None]], None]:
    """What to do when a block's task ends: runs even if the task was cancelled before it began."""

    def give_back(_task: asyncio.Task[None]) -> None:
        budget.release(held)
        slots.release()

    return give_back
