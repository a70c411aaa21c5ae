"""The inbox table: messages to entities of one kind, in the order in which they came."""

from collections.abc import Sequence
from typing import Any, Final, cast

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.adapters.record_values import from_microseconds, to_microseconds
from control_plane.adapters.sql_tables import InboxRow, table_of
from control_plane.domain.inbox import InboxMessage

_TABLE: Final = table_of(InboxRow)


class SqlInbox:
    """Reads and writes inside the transaction that holds the lock on the entity's row."""

    def __init__(self, entity_kind: str) -> None:
        self._kind = entity_kind

    async def holds(self, connection: AsyncConnection, entity_id: str, message_id: str) -> bool:
        """Whether the message was ever stored, waiting or applied."""
        statement = select(_TABLE.c.seq).where(self._of(entity_id), _TABLE.c.message_id == message_id)
        return (await connection.execute(statement)).first() is not None

    async def add(self, connection: AsyncConnection, entity_id: str, message: InboxMessage, seq: int) -> None:
        """Store a message as the entity's newest."""
        await connection.execute(
            insert(_TABLE).values(
                entity_kind=self._kind,
                entity_id=entity_id,
                message_id=message.id,
                seq=seq,
                kind=message.kind,
                payload=dict(message.payload),
                received_at=to_microseconds(message.received_at),
                applied=False,
            )
        )

    async def waiting(
        self, connection: AsyncConnection, entity_ids: Sequence[str]
    ) -> dict[str, tuple[InboxMessage, ...]]:
        """The messages that are not applied, by entity, oldest first."""
        statement = (
            select(_TABLE)
            .where(_TABLE.c.entity_kind == self._kind, _TABLE.c.entity_id.in_(entity_ids), ~_TABLE.c.applied)
            .order_by(_TABLE.c.entity_id, _TABLE.c.seq)
        )
        found: dict[str, tuple[InboxMessage, ...]] = {}
        for row in (await connection.execute(statement)).mappings():
            message = InboxMessage(
                id=row["message_id"],
                kind=row["kind"],
                payload=row["payload"],
                received_at=from_microseconds(row["received_at"]),
            )
            found[row["entity_id"]] = (*found.get(row["entity_id"], ()), message)
        return found

    async def oldest_after(self, connection: AsyncConnection, entity_id: str, seq: int) -> int | None:
        """When the oldest message after this number came, in microseconds; None when there is none."""
        statement = select(func.min(_TABLE.c.received_at)).where(self._of(entity_id), _TABLE.c.seq > seq)
        return cast(int | None, (await connection.execute(statement)).scalar_one())

    async def mark_applied(self, connection: AsyncConnection, entity_id: str, applied: Sequence[InboxMessage]) -> None:
        """Keep the ids, drop the payloads."""
        if applied:
            ids = [message.id for message in applied]
            statement = update(_TABLE).where(self._of(entity_id), _TABLE.c.message_id.in_(ids))
            await connection.execute(statement.values(applied=True, payload={}))

    def _of(self, entity_id: str) -> Any:
        return and_(_TABLE.c.entity_kind == self._kind, _TABLE.c.entity_id == entity_id)
