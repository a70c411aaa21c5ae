"""Complete in-process stores: for tests and for trying things out. Everything is gone when the process ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector_spi.clock import Clock
from connector_spi.errors import LeaseLostError
from connector_spi.signaling import DataFlowState
from data_plane.domain.data_flow import COPYING_ROLES, Counters, DataFlow
from data_plane.domain.errors import DataFlowExistsError, StaleDataFlowError
from data_plane.domain.object_copy import CopyStatus, ObjectCopy, StagedBlock
from data_plane.ports.data_flow_store import Answer, Lease, LeasedFlow
from data_plane.ports.object_journal import BlockRecord, JournalTotals, PlannedSoFar


@dataclass(slots=True)
class _Held:
    """Who holds a flow, and until when."""

    epoch: int = 0
    until: datetime | None = None


class MemoryDataFlowStore:
    """Implements `data_plane.ports.data_flow_store.DataFlowStore`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flows: dict[str, DataFlow] = {}
        self._held: dict[str, _Held] = {}
        self._answers: dict[str, dict[tuple[str, str], Answer]] = {}
        """By flow."""

    async def add(self, flow: DataFlow, answer: Answer | None = None) -> DataFlow:
        """Store a new flow and its answer."""
        if flow.id in self._flows:
            raise DataFlowExistsError(flow_id=flow.id)
        self._flows[flow.id] = flow
        self._held[flow.id] = _Held()
        self._keep(flow.id, answer)
        return flow

    async def find(self, flow_id: str) -> DataFlow | None:
        """The flow, or None."""
        return self._flows.get(flow_id)

    async def save(self, flow: DataFlow, *, answer: Answer | None = None, lease: Lease | None = None) -> DataFlow:
        """Store the changed flow, if it is not stale."""
        if lease is not None:
            self.check(lease)
        stored = self._flows[flow.id]
        if stored.version != flow.version:
            raise StaleDataFlowError(f"The flow {flow.id!r} was changed by somebody else.")
        saved = replace(flow, version=flow.version + 1, counters=stored.counters)
        self._flows[flow.id] = saved
        self._keep(flow.id, answer)
        return saved

    async def find_answer(self, message_id: str, operation: str) -> Answer | None:
        """The answer given to this message, or None."""
        found = (answers.get((message_id, operation)) for answers in self._answers.values())
        return next((answer for answer in found if answer is not None), None)

    async def lease_due(self, worker_id: str, *, limit: int, seconds: float) -> Sequence[LeasedFlow]:
        """Lease flows that are to be copied and that nobody holds."""
        now = self._clock.now()
        due = [
            flow
            for flow in sorted(self._flows.values(), key=lambda f: f.updated_at)
            if flow.state is DataFlowState.STARTED and flow.role in COPYING_ROLES and self._free(flow.id, now)
        ]
        return [self._lease(flow, worker_id, now + timedelta(seconds=seconds)) for flow in due[:limit]]

    async def renew(self, lease: Lease, counters: Counters, *, seconds: float) -> DataFlow:
        """Prolong the lease and store the counters."""
        self.check(lease)
        self._held[lease.flow_id].until = self._clock.now() + timedelta(seconds=seconds)
        self._flows[lease.flow_id] = replace(self._flows[lease.flow_id], counters=counters)
        return self._flows[lease.flow_id]

    async def release(self, lease: Lease) -> None:
        """Give the lease back."""
        held = self._held.get(lease.flow_id)
        if held and held.epoch == lease.epoch:
            held.until = None

    async def with_owed_work(self, *, at: datetime, limit: int) -> Sequence[DataFlow]:
        """Flows whose owed work is due."""
        due = [(f.next_attempt_at, f) for f in self._flows.values() if f.next_attempt_at and f.next_attempt_at <= at]
        return [flow for _, flow in sorted(due, key=lambda pair: pair[0])[:limit]]

    async def forget_answers(self, *, ended_before: datetime) -> None:
        """Delete the answers of flows that had their outcome before this moment."""
        for flow in self._flows.values():
            if flow.is_final and flow.updated_at < ended_before:
                self._answers.pop(flow.id, None)

    async def ping(self) -> None:
        """Memory always answers."""

    def check(self, lease: Lease) -> None:
        """Raise LeaseLostError unless this is the newest lease."""
        held = self._held.get(lease.flow_id)
        if held is None or held.epoch != lease.epoch:
            raise LeaseLostError(f"Another worker holds the flow {lease.flow_id!r}.")

    def shut_out(self, flow_id: str) -> None:
        """Make every lease on the flow an old one."""
        held = self._held[flow_id]
        held.epoch += 1
        held.until = None

    def _keep(self, flow_id: str, answer: Answer | None) -> None:
        if answer is not None:
            self._answers.setdefault(flow_id, {})[answer.message_id, answer.operation] = answer

    def _free(self, flow_id: str, now: datetime) -> bool:
        until = self._held[flow_id].until
        return until is None or until <= now

    def _lease(self, flow: DataFlow, worker_id: str, until: datetime) -> LeasedFlow:
        held = self._held[flow.id]
        held.epoch += 1
        held.until = until
        return LeasedFlow(flow, Lease(flow.id, worker_id, held.epoch))


class MemoryObjectJournal:
    """Implements `data_plane.ports.object_journal.ObjectJournal`."""

    def __init__(self, flows: MemoryDataFlowStore) -> None:
        self._flows = flows
        self._records: dict[str, dict[int, ObjectCopy]] = {}
        self._planned: dict[str, PlannedSoFar] = {}
        self._blocks: dict[tuple[str, int, str], dict[int, StagedBlock]] = {}

    async def clear(self, lease: Lease) -> None:
        """Forget the flow's plan."""
        self._flows.check(lease)
        self._remove(lease.flow_id)

    async def plan(self, lease: Lease, copies: Sequence[ObjectCopy], *, position: str | None) -> None:
        """Write the records of one page of the listing and where the listing goes on."""
        self._flows.check(lease)
        if copies:
            self._records.setdefault(lease.flow_id, {}).update((copy.sequence, copy) for copy in copies)
            self._planned[lease.flow_id] = PlannedSoFar(copies[-1].sequence, position)

    async def planned(self, flow_id: str) -> PlannedSoFar:
        """How far the plan is."""
        return self._planned.get(flow_id, PlannedSoFar())

    async def record(self, lease: Lease, copies: Sequence[ObjectCopy]) -> None:
        """Write how far these objects are."""
        self._flows.check(lease)
        known = self._records.get(lease.flow_id, {})
        known.update((copy.sequence, copy) for copy in copies if copy.sequence in known)

    async def sending(self, lease: Lease, sequences: Sequence[int]) -> None:
        """Note that these objects may be sent from now on."""
        self._flows.check(lease)
        known = self._records[lease.flow_id]
        known.update((at, replace(known[at], status=CopyStatus.COMMITTING)) for at in sequences)

    async def record_blocks(self, lease: Lease, blocks: Sequence[BlockRecord]) -> None:
        """Write that these blocks are staged."""
        self._flows.check(lease)
        for record in blocks:
            attempt = self._blocks.setdefault((lease.flow_id, record.sequence, record.block_nonce), {})
            attempt.setdefault(record.block.index, record.block)

    async def blocks(self, flow_id: str, sequence: int, block_nonce: str) -> Sequence[StagedBlock]:
        """The staged blocks of one attempt at one object."""
        return [block for _, block in sorted(self._blocks.get((flow_id, sequence, block_nonce), {}).items())]

    async def page(
        self, flow_id: str, *, statuses: frozenset[CopyStatus], after: int = 0, limit: int = 1000
    ) -> Sequence[ObjectCopy]:
        """Records in these statuses, in order of sequence."""
        records = sorted(self._records.get(flow_id, {}).values(), key=lambda c: c.sequence)
        return [c for c in records if c.sequence > after and c.status in statuses][:limit]

    async def forget(self, flow_id: str) -> None:
        """Delete the records of a flow that has its outcome."""
        self._flows.shut_out(flow_id)
        self._remove(flow_id)

    async def totals(self, flow_id: str) -> JournalTotals:
        """Counts and bytes of the flow's records."""
        records = list(self._records.get(flow_id, {}).values())
        published = [c for c in records if c.status is CopyStatus.PUBLISHED]
        return JournalTotals(
            objects=len(records),
            bytes=sum(c.source.size for c in records),
            published_objects=len(published),
            published_bytes=sum(c.source.size for c in published),
        )

    def _remove(self, flow_id: str) -> None:
        self._records.pop(flow_id, None)
        self._planned.pop(flow_id, None)
        self._blocks = {key: blocks for key, blocks in self._blocks.items() if key[0] != flow_id}
