"""StatefulEntityStore in memory. No method gives up control between reading and writing: each is one transaction."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from connector_spi.clock import Clock
from connector_spi.errors import ConflictError, LeaseLostError, NotFoundError
from control_plane.adapters.query_memory import page
from control_plane.adapters.query_selection import selection_of
from control_plane.adapters.records import RecordCodec
from control_plane.adapters.work_signal import WorkSignal
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.query import QuerySpec
from control_plane.ports.stores import Leased

Entity = TypeVar("Entity")


@dataclass(slots=True)
class _Kept:
    """What is kept of one entity; the names are those of the SQL columns."""

    record: Mapping[str, Any]
    due_at: datetime | None
    waiting_since: datetime | None = None
    inbox: list[InboxMessage] = field(default_factory=list)
    seqs: dict[str, int] = field(default_factory=dict)
    """Number of each message that ever came, by its id."""
    leased_seq: int = 0
    lease_epoch: int = 0
    lease_owner: str | None = None
    lease_until: float = 0.0
    """On the machine's monotonic clock."""

    def remaining_lease(self, now: float) -> float:
        """Seconds until the lease ends; 0 when there is none. `now`: on the machine's monotonic clock."""
        return max(self.lease_until - now, 0.0) if self.lease_owner is not None else 0.0

    def due_time(self) -> datetime | None:
        """Since when, or from when, there is something to do."""
        return min((m for m in (self.waiting_since, self.due_at) if m is not None), default=None)

    def is_due(self, now: datetime) -> bool:
        """Whether a message waits or the time has come."""
        return self.waiting_since is not None or (self.due_at is not None and self.due_at <= now)


class MemoryStatefulStore(Generic[Entity]):
    """Keeps entities of one class and their messages."""

    def __init__(
        self, codec: RecordCodec[Entity], clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`monotonic`: the clock of the leases, in seconds."""
        self._codec = codec
        self._clock = clock
        self._monotonic = monotonic
        self._kept: dict[str, _Kept] = {}
        self._signal = WorkSignal()

    async def create(self, entity: Entity, *, due_at: datetime | None) -> None:
        """See StatefulEntityStore."""
        record = self._codec.to_record(entity)
        if record["id"] in self._kept:
            raise self._conflict(record["id"])
        self._check_correlation(record)
        await self._saving(entity)
        self._kept[record["id"]] = _Kept(record, due_at)
        self._signal.set()

    async def find(self, entity_id: str) -> Entity | None:
        """See StatefulEntityStore."""
        kept = self._kept.get(entity_id)
        return None if kept is None else self._codec.from_record(kept.record)

    async def find_with_inbox(self, entity_id: str) -> tuple[Entity, tuple[InboxMessage, ...]] | None:
        """See StatefulEntityStore."""
        kept = self._kept.get(entity_id)
        return None if kept is None else (self._codec.from_record(kept.record), tuple(kept.inbox))

    async def find_by_correlation(self, counter_party_id: str, correlation_id: str) -> Entity | None:
        """See StatefulEntityStore."""
        for kept in self._kept.values():
            known_as = (kept.record["counter_party_id"], kept.record["correlation_id"])
            if known_as == (counter_party_id, correlation_id):
                return self._codec.from_record(kept.record)
        return None

    async def query(self, query: QuerySpec) -> list[Entity]:
        """See StatefulEntityStore."""
        selection = selection_of(query, self._codec.query_fields)
        return [self._codec.from_record(r) for r in page((k.record for k in self._kept.values()), selection)]

    async def append(
        self,
        entity_id: str,
        message: InboxMessage,
        accept: Callable[[Entity, Sequence[InboxMessage]], None],
    ) -> bool:
        """See StatefulEntityStore."""
        kept = self._kept.get(entity_id)
        if kept is None:
            raise NotFoundError(kind=self._codec.kind, object_id=entity_id)
        if message.id in kept.seqs:
            return False
        accept(self._codec.from_record(kept.record), tuple(kept.inbox))
        kept.inbox.append(message)
        kept.seqs[message.id] = len(kept.seqs) + 1
        kept.waiting_since = kept.waiting_since or message.received_at
        self._signal.set()
        return True

    async def lease_due(self, *, now: datetime, limit: int, lease_seconds: float, owner: str) -> list[Leased[Entity]]:
        """See StatefulEntityStore."""
        monotonic = self._monotonic()
        due = [k for k in self._kept.values() if k.is_due(now) and k.remaining_lease(monotonic) == 0]
        due.sort(key=lambda kept: (kept.due_time(), kept.record["id"]))
        for kept in due[:limit]:
            kept.lease_owner = owner
            kept.lease_epoch += 1
            kept.lease_until = monotonic + lease_seconds
            kept.leased_seq = len(kept.seqs)
        return [Leased(self._codec.from_record(k.record), k.lease_epoch, tuple(k.inbox)) for k in due[:limit]]

    async def save(
        self, entity: Entity, *, epoch: int, applied: Sequence[InboxMessage], due_at: datetime | None
    ) -> None:
        """See StatefulEntityStore. Also raises ConflictError when the counterparty's process id is taken."""
        record = self._codec.to_record(entity)
        kept = self._kept.get(record["id"])
        if kept is None or kept.lease_owner is None or kept.lease_epoch != epoch:
            raise LeaseLostError(f"The lease on {self._codec.kind} {record['id']!r} is lost.")
        self._check_correlation(record)
        await self._saving(entity)
        done = {message.id for message in applied}
        kept.record = {**kept.record, **self._codec.without_unleased(record)}
        kept.due_at = due_at
        kept.lease_owner = None
        kept.inbox = [message for message in kept.inbox if message.id not in done]
        unseen = [message.received_at for message in kept.inbox if kept.seqs[message.id] > kept.leased_seq]
        kept.waiting_since = min(unseen, default=None)
        self._signal.set()

    async def next_due_at(self) -> datetime | None:
        """See StatefulEntityStore. A leased entity counts from the end of its lease."""
        now = self._clock.now()
        moments = []
        for kept in self._kept.values():
            due = kept.due_time()
            if due is not None:
                due = min(due, now) if kept.waiting_since else due
                remaining = kept.remaining_lease(self._monotonic())
                moments.append(max(due, now + timedelta(seconds=remaining)) if remaining else due)
        return min(moments, default=None)

    async def wait_for_work(self, timeout_seconds: float) -> None:
        """See StatefulEntityStore."""
        await self._signal.wait(timeout_seconds)

    def _set_unleased(self, entity_id: str, cells: Mapping[str, Any]) -> None:
        """Change cells that no lease protects; does nothing when there is no such entity."""
        kept = self._kept.get(entity_id)
        if kept is not None:
            kept.record = {**kept.record, **cells}

    async def _saving(self, entity: Entity) -> None:
        """What else to keep when an entity is created or saved; may refuse, but never waits."""

    def _check_correlation(self, record: Mapping[str, Any]) -> None:
        names = ("participant_id", "counter_party_id", "correlation_id")
        wanted = [record[name] for name in names]
        for kept in self._kept.values():
            same = record["correlation_id"] is not None and [kept.record[name] for name in names] == wanted
            if same and kept.record["id"] != record["id"]:
                raise self._conflict(record["id"])

    def _conflict(self, entity_id: str) -> ConflictError:
        return ConflictError(
            f"{self._codec.kind} {entity_id!r}: the id, or the counterparty's process id, exists already."
        )
