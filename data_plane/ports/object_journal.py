"""ObjectJournal: the durable record of what a flow has to copy, and what it has copied."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from data_plane.domain.object_copy import CopyStatus, ObjectCopy
from data_plane.ports.data_flow_store import Lease


@dataclass(frozen=True, slots=True)
class JournalTotals:
    """What the journal holds of a flow."""

    objects: int = 0
    bytes: int = 0
    published_objects: int = 0
    published_bytes: int = 0


class ObjectJournal(Protocol):
    """One record per object. Writes are fenced: they raise LeaseLostError when the lease is not the newest one.

    Every method raises StoreUnavailableError when the database does not answer; nothing is then written.
    """

    async def clear(self, lease: Lease) -> None:
        """Forget the flow's plan: it is about to be made anew."""
        ...

    async def record(self, lease: Lease, copies: Sequence[ObjectCopy]) -> None:
        """Write these records, new or changed, all or none; a record is known by its flow and sequence."""
        ...

    async def page(
        self, flow_id: str, *, statuses: frozenset[CopyStatus], after: int = 0, limit: int = 1000
    ) -> Sequence[ObjectCopy]:
        """Records in these statuses, in order of sequence, beginning after sequence `after`."""
        ...

    async def forget(self, flow_id: str) -> None:
        """Delete the records of a flow that has its outcome; a worker that still holds the flow loses its lease.

        Many records are deleted in several transactions: what a time-out leaves is deleted by the next call.
        """
        ...

    async def totals(self, flow_id: str) -> JournalTotals:
        """Counts and bytes of the flow's records."""
        ...
