"""ObjectJournal on SQLite and PostgreSQL."""

from collections.abc import Sequence

from sqlalchemy import Insert, case, delete, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from data_plane.adapters.sql_data_flow_store import require_lease, shut_out
from data_plane.adapters.sql_mapping import copy_of, copy_values
from data_plane.adapters.sql_tables import ObjectCopyRow
from data_plane.domain.object_copy import CopyStatus, ObjectCopy
from data_plane.ports.data_flow_store import Lease
from data_plane.ports.object_journal import JournalTotals
from sql_storage.database import Database
from sql_storage.uninterrupted import uninterrupted

_CHANGING = ("status", "block_nonce", "block_count", "sha256")
"""What is written when the record is there; the plan itself never changes."""

_FORGOTTEN_AT_ONCE = 5000
"""Records that one transaction deletes: tens of milliseconds, in which SQLite lets nobody else write."""


class SqlObjectJournal:
    """Implements `data_plane.ports.object_journal.ObjectJournal`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._upsert = _upsert(sqlite_dialect=database.is_sqlite)

    @uninterrupted
    async def clear(self, lease: Lease) -> None:
        """Forget the flow's plan."""
        async with self._database.writing() as session:
            await require_lease(session, lease)
            await session.exec(delete(ObjectCopyRow).where(col(ObjectCopyRow.flow_id) == lease.flow_id))

    @uninterrupted
    async def record(self, lease: Lease, copies: Sequence[ObjectCopy]) -> None:
        """Write these records."""
        async with self._database.writing() as session:
            await require_lease(session, lease)
            await session.exec(self._upsert, params=[copy_values(copy) for copy in copies])

    @uninterrupted
    async def page(
        self, flow_id: str, *, statuses: frozenset[CopyStatus], after: int = 0, limit: int = 1000
    ) -> Sequence[ObjectCopy]:
        """Records in these statuses, in order of sequence."""
        wanted = (
            select(ObjectCopyRow)
            .where(ObjectCopyRow.flow_id == flow_id, ObjectCopyRow.sequence > after)
            .where(col(ObjectCopyRow.status).in_([status.value for status in statuses]))
            .order_by(col(ObjectCopyRow.sequence))
            .limit(limit)
        )
        async with self._database.reading() as session:
            return [copy_of(row) for row in await session.exec(wanted)]

    async def forget(self, flow_id: str) -> None:
        """Delete the records of a flow that has its outcome."""
        while await self._forget_some(flow_id):
            pass

    @uninterrupted
    async def _forget_some(self, flow_id: str) -> bool:
        """Delete as many records as do not hold others up; whether there may be more."""
        some = (
            select(ObjectCopyRow.sequence)
            .where(ObjectCopyRow.flow_id == flow_id)
            .order_by(col(ObjectCopyRow.sequence))
            .limit(_FORGOTTEN_AT_ONCE)
        )
        async with self._database.writing() as session:
            await shut_out(session, flow_id)
            deleted = await session.exec(
                delete(ObjectCopyRow)
                .where(col(ObjectCopyRow.flow_id) == flow_id)
                .where(col(ObjectCopyRow.sequence).in_(some))
            )
            return deleted.rowcount == _FORGOTTEN_AT_ONCE

    @uninterrupted
    async def totals(self, flow_id: str) -> JournalTotals:
        """Counts and bytes of the flow's records."""
        published = col(ObjectCopyRow.status) == CopyStatus.PUBLISHED.value
        sums = select(
            func.count(),
            func.coalesce(func.sum(ObjectCopyRow.size), 0),
            func.coalesce(func.sum(case((published, 1), else_=0)), 0),
            func.coalesce(func.sum(case((published, ObjectCopyRow.size), else_=0)), 0),
        ).where(ObjectCopyRow.flow_id == flow_id)
        async with self._database.reading() as session:
            return JournalTotals(*(int(value) for value in (await session.exec(sums)).one()))


def _upsert(*, sqlite_dialect: bool) -> Insert:
    insertion = sqlite.insert(ObjectCopyRow) if sqlite_dialect else postgresql.insert(ObjectCopyRow)
    return insertion.on_conflict_do_update(
        index_elements=["flow_id", "sequence"], set_={name: insertion.excluded[name] for name in _CHANGING}
    )
