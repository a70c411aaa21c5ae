"""JournalWriter: many small journal records, few transactions."""

import asyncio
from dataclasses import dataclass, field

from data_plane.domain.object_copy import ObjectCopy
from data_plane.ports.data_flow_store import Lease
from data_plane.ports.object_journal import ObjectJournal


@dataclass(slots=True)
class _Batch:
    copies: list[ObjectCopy] = field(default_factory=list)
    written: bool = False


class JournalWriter:
    """Group commit: while one transaction runs, the records that arrive wait together and share the next one.

    A record is durable when `record` returns. That keeps the cost of a thousand small objects near that of one.
    """

    def __init__(self, journal: ObjectJournal, lease: Lease) -> None:
        self._journal = journal
        self._lease = lease
        self._open = _Batch()
        self._turn = asyncio.Lock()

    async def record(self, copy: ObjectCopy) -> None:
        """Write one record; errors as for `ObjectJournal.record`."""
        batch = self._open
        batch.copies.append(copy)
        async with self._turn:
            if batch.written:
                return
            if batch is self._open:
                self._open = _Batch()
            await self._journal.record(self._lease, batch.copies)
            batch.written = True
