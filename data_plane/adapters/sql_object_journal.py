"""ObjectJournal on SQLite and PostgreSQL. Statements go past the ORM: small objects are many, and each costs here."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Table, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from data_plane.adapters.sql_data_flow_store import require_lease, shut_out
from data_plane.adapters.sql_journal_mapping import block_of, block_values, copy_of, copy_values
from data_plane.adapters.sql_tables import DataFlowRow, ObjectCopyRow, StagedBlockRow
from data_plane.domain.object_copy import CopyStatus, ObjectCopy, StagedBlock
from data_plane.ports.data_flow_store import Lease
from data_plane.ports.object_journal import BlockRecord, JournalTotals, PlannedSoFar
from sql_storage.database import Database
from sql_storage.uninterrupted import uninterrupted

_OBJECTS: Final[Table] = ObjectCopyRow.__table__  # type: ignore[attr-defined]
_BLOCKS: Final[Table] = StagedBlockRow.__table__  # type: ignore[attr-defined]

_FORGOTTEN_AT_ONCE: Final = 5000
"""Records that one transaction deletes: tens of milliseconds, in which SQLite lets nobody else write."""

_KEY: Final = ("flow_id", "sequence")
_RECORD: Final = (
    update(_OBJECTS)
    .where(_OBJECTS.c.flow_id == bindparam("b_flow_id"), _OBJECTS.c.sequence == bindparam("b_sequence"))
    .values({column.name: bindparam(f"b_{column.name}") for column in _OBJECTS.columns if column.name not in _KEY})
)


class SqlObjectJournal:
    """Implements `data_plane.ports.object_journal.ObjectJournal`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert_block = (sqlite if database.is_sqlite else postgresql).insert(_BLOCKS).on_conflict_do_nothing()

    @uninterrupted
    async def clear(self, lease: Lease) -> None:
        """Forget the flow's plan."""
        async with self._database.writing() as session:
            await require_lease(session, lease)
            for table in (_BLOCKS, _OBJECTS):
                await (await session.connection()).execute(delete(table).where(table.c.flow_id == lease.flow_id))
            await _set_planned(session, lease.flow_id, PlannedSoFar())

    @uninterrupted
    async def plan(self, lease: Lease, copies: Sequence[ObjectCopy], *, position: str | None) -> None:
        """Write the records of one page of the listing and where the listing goes on."""
        async with self._database.writing() as session:
            await require_lease(session, lease)
            if copies:
                await (await session.connection()).execute(insert(_OBJECTS), [copy_values(copy) for copy in copies])
                await _set_planned(session, lease.flow_id, PlannedSoFar(copies[-1].sequence, position))

    @uninterrupted
    async def planned(self, flow_id: str) -> PlannedSoFar:
        """How far the plan is."""
        wanted = select(DataFlowRow.planned_objects, DataFlowRow.listing_position).where(  # type: ignore[call-overload]
            DataFlowRow.id == flow_id
        )
        async with self._database.reading() as session:
            row = (await (await session.connection()).execute(wanted)).one_or_none()
        return PlannedSoFar() if row is None else PlannedSoFar(*row)

    @uninterrupted
    async def record(self, lease: Lease, copies: Sequence[ObjectCopy]) -> None:
        """Write how far these objects are."""
        async with self._database.writing() as session:
            await require_lease(session, lease)
            await (await session.connection()).execute(_RECORD, [_bound(copy_values(copy)) for copy in copies])

    @uninterrupted
    async def sending(self, lease: Lease, sequences: Sequence[int]) -> None:
        """Note that these objects may be sent from now on."""
        async with self._database.writing() as session:
            await require_lease(session, lease)
            await (await session.connection()).execute(
                update(_OBJECTS)
                .where(_OBJECTS.c.flow_id == lease.flow_id, _OBJECTS.c.sequence.in_(sequences))
                .values(status=CopyStatus.COMMITTING.value)
            )

    @uninterrupted
    async def record_blocks(self, lease: Lease, blocks: Sequence[BlockRecord]) -> None:
        """Write that these blocks are staged."""
        async with self._database.writing() as session:
            await require_lease(session, lease)
            await (await session.connection()).execute(
                self._insert_block, [block_values(lease.flow_id, block) for block in blocks]
            )

    @uninterrupted
    async def blocks(self, flow_id: str, sequence: int, block_nonce: str) -> Sequence[StagedBlock]:
        """The staged blocks of one attempt at one object."""
        wanted = (
            select(_BLOCKS)
            .where(
                _BLOCKS.c.flow_id == flow_id,
                _BLOCKS.c.sequence == sequence,
                _BLOCKS.c.block_nonce == block_nonce,
            )
            .order_by(_BLOCKS.c.block_index)
        )
        async with self._database.reading() as session:
            return [block_of(row) for row in await (await session.connection()).execute(wanted)]

    @uninterrupted
    async def page(
        self, flow_id: str, *, statuses: frozenset[CopyStatus], after: int = 0, limit: int = 1000
    ) -> Sequence[ObjectCopy]:
        """Records in these statuses, in order of sequence."""
        wanted = (
            select(_OBJECTS)
            .where(_OBJECTS.c.flow_id == flow_id, _OBJECTS.c.sequence > after)
            .where(_OBJECTS.c.status.in_([status.value for status in statuses]))
            .order_by(_OBJECTS.c.sequence)
            .limit(limit)
        )
        async with self._database.reading() as session:
            return [copy_of(row) for row in await (await session.connection()).execute(wanted)]

    async def forget(self, flow_id: str) -> None:
        """Delete the records of a flow that has its outcome."""
        for table in (_BLOCKS, _OBJECTS):
            while await self._forget_some(table, flow_id):
                pass

    @uninterrupted
    async def _forget_some(self, table: Table, flow_id: str) -> bool:
        """Delete as many records as do not hold others up; whether there may be more."""
        some = (
            select(table.c.sequence)
            .where(table.c.flow_id == flow_id)
            .order_by(table.c.sequence)
            .limit(_FORGOTTEN_AT_ONCE)
        )
        async with self._database.writing() as session:
            await shut_out(session, flow_id)
            deleted: Any = await (await session.connection()).execute(
                delete(table).where(table.c.flow_id == flow_id).where(table.c.sequence.in_(some))
            )
            return int(deleted.rowcount) >= _FORGOTTEN_AT_ONCE

    @uninterrupted
    async def totals(self, flow_id: str) -> JournalTotals:
        """Counts and bytes of the flow's records."""
        published = col(ObjectCopyRow.status) == CopyStatus.PUBLISHED.value
        sums = select(
            func.count(),
            func.coalesce(func.sum(_OBJECTS.c.size), 0),
            func.coalesce(func.sum(case((published, 1), else_=0)), 0),
            func.coalesce(func.sum(case((published, _OBJECTS.c.size), else_=0)), 0),
        ).where(_OBJECTS.c.flow_id == flow_id)
        async with self._database.reading() as session:
            return JournalTotals(*(int(value) for value in (await (await session.connection()).execute(sums)).one()))


async def _set_planned(session: AsyncSession, flow_id: str, planned: PlannedSoFar) -> None:
    await (await session.connection()).execute(
        update(DataFlowRow)
        .where(col(DataFlowRow.id) == flow_id)
        .values(planned_objects=planned.objects, listing_position=planned.position)
    )


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    return {f"b_{name}": value for name, value in values.items()}
