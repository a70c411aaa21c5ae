"""StatefulEntityStore on SQL: one row per entity, which its lease and its inbox numbers stand in.

Every method that writes locks the entity's row first, so that lease, append and save of one entity follow each other:
PostgreSQL by `FOR UPDATE`, SQLite because it has one writer.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Table, and_, case, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_spi.clock import Clock
from connector_spi.errors import ConflictError, LeaseLostError, NotFoundError
from control_plane.adapters.record_values import from_microseconds, to_microseconds
from control_plane.adapters.records import RecordCodec
from control_plane.adapters.sql_inbox import SqlInbox
from control_plane.adapters.sql_reader import SqlReader
from control_plane.adapters.work_signal import PostgresWorkListener, WorkSignal
from control_plane.domain.inbox import InboxMessage
from control_plane.ports.stores import Leased
from sql_storage.database import Database, DatabaseNow
from sql_storage.uninterrupted import uninterrupted

Entity = TypeVar("Entity")
_EARLIEST: Final = from_microseconds(0)


class SqlStatefulStore(SqlReader[Entity]):
    """Keeps entities of one class in one table, and their messages in the inbox table.

    On SQLite `wait_for_work` hears of this process alone: a control plane on SQLite is one process.
    """

    def __init__(self, database: Database, table: Table, codec: RecordCodec[Entity], clock: Clock) -> None:
        super().__init__(database, table, codec)
        self._clock = clock
        self._inbox = SqlInbox(codec.kind)
        self._signal = WorkSignal()
        self._channel = f"control_plane_{table.name}"
        self._listener = None if database.is_sqlite else PostgresWorkListener(database, self._channel, self._signal)

    @uninterrupted
    async def create(self, entity: Entity, *, due_at: datetime | None) -> None:
        """See StatefulEntityStore."""
        due = _optional_microseconds(due_at)
        record = self._codec.to_record(entity)
        try:
            async with self._database.writing() as session:
                connection = await session.connection()
                await connection.execute(insert(self._table).values(**record, due_at=due))
                await self._saved(connection, entity)
                await self._notify(connection, due_at)
        except IntegrityError as error:
            raise self._conflict(record["id"]) from error
        self._signal.set()

    @uninterrupted
    async def find_with_inbox(self, entity_id: str) -> tuple[Entity, tuple[InboxMessage, ...]] | None:
        """See StatefulEntityStore."""
        async with self._database.reading() as session:
            connection = await session.connection()
            # In this order no message is missed that was applied between the two.
            waiting = await self._inbox.waiting(connection, [entity_id])
            row = (await connection.execute(select(self._table).where(self._table.c.id == entity_id))).first()
        return None if row is None else (self._codec.from_record(row._asdict()), waiting.get(entity_id, ()))

    @uninterrupted
    async def find_by_correlation(self, counter_party_id: str, correlation_id: str) -> Entity | None:
        """See StatefulEntityStore."""
        columns = self._table.c
        return await self._find(
            and_(columns.counter_party_id == counter_party_id, columns.correlation_id == correlation_id)
        )

    @uninterrupted
    async def append(
        self,
        entity_id: str,
        message: InboxMessage,
        accept: Callable[[Entity, Sequence[InboxMessage]], None],
    ) -> bool:
        """See StatefulEntityStore."""
        async with self._database.writing() as session:
            connection = await session.connection()
            row = await self._locked(connection, entity_id)
            if row is None:
                raise NotFoundError(kind=self._codec.kind, object_id=entity_id)
            if await self._inbox.holds(connection, entity_id, message.id):
                return False
            waiting = await self._inbox.waiting(connection, [entity_id])
            accept(self._codec.from_record(row), waiting.get(entity_id, ()))
            seq = row["inbox_seq"] + 1
            await self._inbox.add(connection, entity_id, message, seq)
            since = row["waiting_since"]
            changes = {
                "inbox_seq": seq,
                "waiting_since": to_microseconds(message.received_at) if since is None else since,
            }
            await self._update(connection, [entity_id], changes)
            await self._notify(connection, _EARLIEST)
        self._signal.set()
        return True

    @uninterrupted
    async def lease_due(self, *, now: datetime, limit: int, lease_seconds: float, owner: str) -> list[Leased[Entity]]:
        """See StatefulEntityStore."""
        columns = self._table.c
        lease_ms = int(lease_seconds * 1000)
        due = or_(columns.waiting_since.is_not(None), columns.due_at <= to_microseconds(now))
        statement = (
            select(self._table)
            .where(due, or_(columns.lease_until.is_(None), columns.lease_until < DatabaseNow()))
            .order_by(self._due_time(), columns.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.writing() as session:
            connection = await session.connection()
            rows = [row._asdict() for row in await connection.execute(statement)]
            if not rows:
                return []
            ids = [row["id"] for row in rows]
            claim = {
                "lease_owner": owner,
                "lease_epoch": columns.lease_epoch + 1,
                "lease_until": DatabaseNow() + lease_ms,
                "leased_seq": columns.inbox_seq,
            }
            await self._update(connection, ids, claim)
            waiting = await self._inbox.waiting(connection, ids)
        return [
            Leased(self._codec.from_record(row), row["lease_epoch"] + 1, waiting.get(row["id"], ())) for row in rows
        ]

    @uninterrupted
    async def save(
        self, entity: Entity, *, epoch: int, applied: Sequence[InboxMessage], due_at: datetime | None
    ) -> None:
        """See StatefulEntityStore. Also raises ConflictError when the counterparty's process id is taken."""
        record = self._codec.without_unleased(self._codec.to_record(entity))
        entity_id = record.pop("id")
        try:
            async with self._database.writing() as session:
                connection = await session.connection()
                row = await self._locked(connection, entity_id)
                if row is None or row["lease_owner"] is None or row["lease_epoch"] != epoch:
                    raise LeaseLostError(f"The lease on {self._codec.kind} {entity_id!r} is lost.")
                since = await self._inbox.oldest_after(connection, entity_id, row["leased_seq"])
                released = {"lease_owner": None, "lease_until": None, "waiting_since": since}
                due = {"due_at": _optional_microseconds(due_at)}
                await self._update(connection, [entity_id], {**record, **released, **due})
                await self._inbox.mark_applied(connection, entity_id, applied)
                await self._saved(connection, entity)
                # The notification of a message that came meanwhile found the entity leased.
                await self._notify(connection, due_at if since is None else _EARLIEST)
        except IntegrityError as error:
            raise self._conflict(entity_id) from error
        self._signal.set()

    @uninterrupted
    async def next_due_at(self) -> datetime | None:
        """See StatefulEntityStore. A leased entity counts from the end of its lease."""
        columns = self._table.c
        now = to_microseconds(self._clock.now())
        free = or_(columns.lease_until.is_(None), columns.lease_until < DatabaseNow())
        # A lease ends by the database's clock; the caller waits by its own. One millisecond more: both are rounded.
        lease_end = now + (columns.lease_until - DatabaseNow() + 1) * 1000
        after_lease = case(
            (columns.waiting_since.is_not(None), lease_end),
            (columns.due_at > lease_end, columns.due_at),
            else_=lease_end,
        )
        has_work = or_(columns.waiting_since.is_not(None), columns.due_at.is_not(None))
        statement = select(
            select(func.min(columns.waiting_since)).where(columns.waiting_since.is_not(None), free).scalar_subquery(),
            select(func.min(columns.due_at)).where(columns.due_at.is_not(None), free).scalar_subquery(),
            select(func.min(after_lease)).where(columns.lease_until >= DatabaseNow(), has_work).scalar_subquery(),
        )
        async with self._database.reading() as session:
            waiting, due, leased = (await (await session.connection()).execute(statement)).one()
        moments = [moment for moment in (due, leased) if moment is not None]
        if waiting is not None:
            moments.append(min(waiting, now))
        return from_microseconds(min(moments)) if moments else None

    async def wait_for_work(self, timeout_seconds: float) -> None:
        """See StatefulEntityStore."""
        if self._listener is not None:
            limit = await self._listener.listen()
            timeout_seconds = timeout_seconds if limit is None else min(timeout_seconds, limit)
        await self._signal.wait(timeout_seconds)

    async def _saved(self, connection: AsyncConnection, entity: Entity) -> None:
        """What else to write in the transaction that creates or saves an entity."""

    async def _locked(self, connection: AsyncConnection, entity_id: str) -> Mapping[str, Any] | None:
        statement = select(self._table).where(self._table.c.id == entity_id).with_for_update()
        row = (await connection.execute(statement)).first()
        return None if row is None else row._asdict()

    async def _update(self, connection: AsyncConnection, ids: list[str], values: dict[str, Any]) -> None:
        await connection.execute(update(self._table).where(self._table.c.id.in_(ids)).values(values))

    def _due_time(self) -> Any:
        waiting, due = self._table.c.waiting_since, self._table.c.due_at
        return case((waiting.is_(None), due), (due.is_(None), waiting), (waiting < due, waiting), else_=due)

    async def _notify(self, connection: AsyncConnection, due_at: datetime | None) -> None:
        """Tell other processes of what is due now; what is due later they see when they look next."""
        if self._listener is not None and due_at is not None and due_at <= self._clock.now():
            await connection.execute(select(func.pg_notify(self._channel, "")))

    def _conflict(self, entity_id: str) -> ConflictError:
        return ConflictError(
            f"{self._codec.kind} {entity_id!r}: the id, or the counterparty's process id, exists already."
        )


def _optional_microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else to_microseconds(moment)
