"""InboxRecords: the journal of what a flow has received, object by object.

What comes is not planned: each object has the sequence that follows from its name. No worker leases the flow of a
receiver, so its records are written under the epoch that a flow begins with; once the journal is forgotten, that epoch
is an old one and nothing can be recorded any more.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from data_plane.domain.object_copy import CopyStatus, ObjectCopy
from data_plane.ports.data_flow_store import Lease
from data_plane.ports.object_journal import ObjectJournal

_FIRST_EPOCH: Final = 0
_ANY: Final = frozenset(CopyStatus)
_PAGE: Final = 1000


def sequence_of(name: str) -> int:
    """A number from 1 to 2**63 - 1 that two names never share in practice."""
    return (int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1) or 1


@dataclass(frozen=True, slots=True)
class InboxRecords:
    """One for the process."""

    journal: ObjectJournal

    async def find(self, flow_id: str, name: str) -> ObjectCopy | None:
        """What is known of the object.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        sequence = sequence_of(name)
        found = await self.journal.page(flow_id, statuses=_ANY, after=sequence - 1, limit=1)
        return found[0] if found and found[0].sequence == sequence else None

    async def keep(self, copy: ObjectCopy, *, is_new: bool) -> None:
        """Write how far the object is.

        Raises:
            LeaseLostError: the flow has ended, and its journal is forgotten.
            StoreUnavailableError: the database did not answer.
        """
        lease = Lease(copy.flow_id, "inbox", _FIRST_EPOCH)
        if is_new:
            await self.journal.plan(lease, [copy], position=None)
        else:
            await self.journal.record(lease, [copy])

    async def published(self, flow_id: str) -> AsyncIterator[ObjectCopy]:
        """Everything that has arrived whole."""
        after = 0
        while page := await self.journal.page(
            flow_id, statuses=frozenset({CopyStatus.PUBLISHED}), after=after, limit=_PAGE
        ):
            for copy in page:
                yield copy
            after = page[-1].sequence
