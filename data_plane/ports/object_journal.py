"""ObjectJournal: the durable record of what a flow has to copy, and what it has copied."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from data_plane.domain.object_copy import CopyStatus, ObjectCopy, StagedBlock
from data_plane.ports.data_flow_store import Lease


@dataclass(frozen=True, slots=True)
class JournalTotals:
    """What the journal holds of a flow."""

    objects: int = 0
    bytes: int = 0
    published_objects: int = 0
    published_bytes: int = 0


@dataclass(frozen=True, slots=True)
class PlannedSoFar:
    """How far the plan of a flow is."""

    objects: int = 0
    """Records that were written; also the newest one's sequence."""
    position: str | None = None
    """Where the listing goes on; None: at its beginning."""


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A staged block, and the object and attempt that it belongs to."""

    sequence: int
    block_nonce: str
    block: StagedBlock


class ObjectJournal(Protocol):
    """One record per object, and one per staged block of large objects.

    Writes are fenced: they raise LeaseLostError when the lease is not the newest one.
    Every method raises StoreUnavailableError when the database does not answer; nothing is then written.
    """

    async def clear(self, lease: Lease) -> None:
        """Forget the flow's plan: it is about to be made anew."""
        ...

    async def plan(self, lease: Lease, copies: Sequence[ObjectCopy], *, position: str | None) -> None:
        """Write the records of one page of the listing and where the listing goes on, all or none."""
        ...

    async def planned(self, flow_id: str) -> PlannedSoFar:
        """How far the plan is."""
        ...

    async def record(self, lease: Lease, copies: Sequence[ObjectCopy]) -> None:
        """Write how far these planned objects are now, all or none; a record is known by its flow and sequence."""
        ...

    async def sending(self, lease: Lease, sequences: Sequence[int]) -> None:
        """Note that these objects, which are published in one call each, may be sent from now on (COMMITTING)."""
        ...

    async def record_blocks(self, lease: Lease, blocks: Sequence[BlockRecord]) -> None:
        """Write that these blocks are staged, all or none."""
        ...

    async def blocks(self, flow_id: str, sequence: int, block_nonce: str) -> Sequence[StagedBlock]:
        """The staged blocks of one attempt at one object, in order of their index."""
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
