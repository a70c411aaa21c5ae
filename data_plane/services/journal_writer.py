"""JournalWriter: many small journal records, few transactions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from data_plane.domain.object_copy import ObjectCopy, StagedBlock
from data_plane.ports.data_flow_store import Lease
from data_plane.ports.object_journal import BlockRecord, ObjectJournal

R = TypeVar("R")

_LINGER_SECONDS: Final = 0.02
"""Objects are not held up by it: their places are given to the next ones before their records are written."""


@dataclass(slots=True)
class _Batch(Generic[R]):
    records: list[R] = field(default_factory=list)
    written: bool = False


class GroupCommit(Generic[R]):
    """While one transaction runs, the records that arrive wait together and share the next one.

    A record is durable when `record` returns. That keeps the cost of a thousand small records near that of one.
    `linger`: seconds for which the first record of a transaction waits for company.
    """

    def __init__(self, write: Callable[[Sequence[R]], Awaitable[None]], *, linger: float = 0.0) -> None:
        self._write = write
        self._linger = linger
        self._open: _Batch[R] = _Batch()
        self._turn = asyncio.Lock()

    async def record(self, record: R) -> None:
        """Write one record; raises what `write` raises."""
        batch = self._open
        batch.records.append(record)
        async with self._turn:
            if batch.written:
                return
            if self._linger:
                await asyncio.sleep(self._linger)
            if batch is self._open:
                self._open = _Batch()
            await self._write(batch.records)
            batch.written = True


class JournalWriter:
    """The journal of one flow under one lease; errors as for `ObjectJournal`."""

    def __init__(self, journal: ObjectJournal, lease: Lease) -> None:
        self._journal = journal
        self._flow_id = lease.flow_id
        self._objects: GroupCommit[ObjectCopy] = GroupCommit(
            lambda copies: journal.record(lease, copies), linger=_LINGER_SECONDS
        )
        self._blocks: GroupCommit[BlockRecord] = GroupCommit(lambda blocks: journal.record_blocks(lease, blocks))

    async def record(self, copy: ObjectCopy) -> None:
        """Write how far this object is."""
        await self._objects.record(copy)

    async def record_block(self, block: BlockRecord) -> None:
        """Write that this block is staged."""
        await self._blocks.record(block)

    async def blocks(self, copy: ObjectCopy) -> Sequence[StagedBlock]:
        """What is staged of this object under its nonce."""
        return await self._journal.blocks(self._flow_id, copy.sequence, copy.block_nonce)
