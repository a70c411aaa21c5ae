"""DataFlowStore on SQLite and PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import CursorResult, Table, bindparam, delete, exists, insert, update
from sqlalchemy import select as core_select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from connector_spi.errors import LeaseLostError
from connector_spi.signaling import DataFlowState
from data_plane.adapters.sql_mapping import flow_of, flow_values, to_millis
from data_plane.adapters.sql_tables import AnsweredMessageRow, DataFlowRow
from data_plane.domain.data_flow import COPYING_ROLES, FINAL_STATES, Counters, DataFlow
from data_plane.domain.errors import DataFlowExistsError, StaleDataFlowError
from data_plane.ports.data_flow_store import Answer, Lease, LeasedFlow
from sql_storage.database import Database, DatabaseNow
from sql_storage.uninterrupted import uninterrupted

_FLOWS: Final[Table] = DataFlowRow.__table__  # type: ignore[attr-defined]
_NEWEST_EPOCH: Final = (
    core_select(_FLOWS.c.lease_epoch).where(_FLOWS.c.id == bindparam("flow_id")).with_for_update(read=True)
)


class SqlDataFlowStore:
    """Implements `data_plane.ports.data_flow_store.DataFlowStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uninterrupted
    async def add(self, flow: DataFlow, answer: Answer | None = None) -> DataFlow:
        """Store a new flow and its answer."""
        try:
            async with self._database.writing() as session:
                await session.exec(insert(DataFlowRow).values(**flow_values(flow), **_new(flow)))
                await _keep(session, flow.id, answer)
        except IntegrityError as error:
            raise DataFlowExistsError(flow_id=flow.id) from error
        return flow

    @uninterrupted
    async def find(self, flow_id: str) -> DataFlow | None:
        """The flow, or None."""
        async with self._database.reading() as session:
            row = await session.get(DataFlowRow, flow_id)
            return None if row is None else flow_of(row)

    @uninterrupted
    async def save(self, flow: DataFlow, *, answer: Answer | None = None, lease: Lease | None = None) -> DataFlow:
        """Store the changed flow, if it is not stale."""
        async with self._database.writing() as session:
            if lease is not None:
                await require_lease(session, lease)
            written = await session.exec(
                update(DataFlowRow)
                .where(col(DataFlowRow.id) == flow.id, col(DataFlowRow.version) == flow.version)
                .values(**flow_values(flow), version=flow.version + 1)
            )
            if _rows(written) == 0:
                raise StaleDataFlowError(f"The flow {flow.id!r} was changed by somebody else.")
            await _keep(session, flow.id, answer)
        return replace(flow, version=flow.version + 1)

    @uninterrupted
    async def find_answer(self, message_id: str, operation: str) -> Answer | None:
        """The answer given to this message, or None."""
        async with self._database.reading() as session:
            row = await session.get(AnsweredMessageRow, (message_id, operation))
            return None if row is None else Answer(row.message_id, row.operation, row.body)

    @uninterrupted
    async def lease_due(self, worker_id: str, *, limit: int, seconds: float) -> Sequence[LeasedFlow]:
        """Lease flows that are to be copied and that nobody holds."""
        free = or_(col(DataFlowRow.lease_until).is_(None), col(DataFlowRow.lease_until) <= DatabaseNow())
        due = (
            select(DataFlowRow.id)
            .where(DataFlowRow.state == DataFlowState.STARTED.value)
            .where(col(DataFlowRow.role).in_([role.value for role in COPYING_ROLES]))
            .where(free)
            .order_by(col(DataFlowRow.updated_at))
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.writing() as session:
            ids = list(await session.exec(due))
            if not ids:
                return []
            leased = await session.exec(
                update(DataFlowRow)
                .where(col(DataFlowRow.id).in_(ids))
                .values(
                    lease_worker=worker_id,
                    lease_epoch=DataFlowRow.lease_epoch + 1,
                    lease_until=DatabaseNow() + int(seconds * 1000),
                )
                .returning(DataFlowRow)
            )
            return [_leased(row) for row in leased.scalars()]

    @uninterrupted
    async def renew(self, lease: Lease, counters: Counters, *, seconds: float) -> DataFlow:
        """Prolong the lease and store the counters."""
        async with self._database.writing() as session:
            renewed = await session.exec(
                update(DataFlowRow)
                .where(col(DataFlowRow.id) == lease.flow_id, col(DataFlowRow.lease_epoch) == lease.epoch)
                .values(lease_until=DatabaseNow() + int(seconds * 1000), **asdict(counters))
                .returning(DataFlowRow)
            )
            row = renewed.scalars().one_or_none()
            if row is None:
                raise LeaseLostError(f"Another worker holds the flow {lease.flow_id!r}.")
            return flow_of(row)

    @uninterrupted
    async def release(self, lease: Lease) -> None:
        """Give the lease back."""
        async with self._database.writing() as session:
            await session.exec(
                update(DataFlowRow)
                .where(col(DataFlowRow.id) == lease.flow_id, col(DataFlowRow.lease_epoch) == lease.epoch)
                .values(lease_until=None, lease_worker=None)
            )

    @uninterrupted
    async def with_owed_work(self, *, at: datetime, limit: int) -> Sequence[DataFlow]:
        """Flows whose owed work is due."""
        due = (
            select(DataFlowRow)
            .where(col(DataFlowRow.next_attempt_at) <= to_millis(at))
            .order_by(col(DataFlowRow.next_attempt_at))
            .limit(limit)
        )
        async with self._database.reading() as session:
            return [flow_of(row) for row in await session.exec(due)]

    @uninterrupted
    async def forget_answers(self, *, ended_before: datetime) -> None:
        """Delete the answers of flows that had their outcome before this moment."""
        ended = exists().where(
            col(DataFlowRow.id) == AnsweredMessageRow.flow_id,
            col(DataFlowRow.state).in_([state.value for state in FINAL_STATES]),
            col(DataFlowRow.updated_at) < to_millis(ended_before),
        )
        async with self._database.writing() as session:
            await session.exec(delete(AnsweredMessageRow).where(ended))

    @uninterrupted
    async def ping(self) -> None:
        """Return when the database answers."""
        async with self._database.reading() as session:
            await session.exec(select(DatabaseNow()))


async def shut_out(session: AsyncSession, flow_id: str) -> None:
    """Make every lease on the flow an old one, so that no worker writes to its journal any more."""
    await session.exec(
        update(DataFlowRow)
        .where(col(DataFlowRow.id) == flow_id)
        .values(lease_epoch=DataFlowRow.lease_epoch + 1, lease_until=None, lease_worker=None)
    )


async def require_lease(session: AsyncSession, lease: Lease) -> None:
    """Raise LeaseLostError unless this is the newest lease; no other worker gets one before the transaction ends."""
    newest = await (await session.connection()).execute(_NEWEST_EPOCH, {"flow_id": lease.flow_id})
    if newest.scalar_one_or_none() != lease.epoch:
        raise LeaseLostError(f"Another worker holds the flow {lease.flow_id!r}.")


async def _keep(session: AsyncSession, flow_id: str, answer: Answer | None) -> None:
    if answer is not None:
        # Merged, not inserted: a message that changed nothing may be answered twice at the same moment.
        await session.merge(AnsweredMessageRow(flow_id=flow_id, **asdict(answer)))


def _new(flow: DataFlow) -> dict[str, Any]:
    return {"version": flow.version, "lease_epoch": 0, **asdict(flow.counters)}


def _leased(row: DataFlowRow) -> LeasedFlow:
    return LeasedFlow(flow_of(row), Lease(row.id, row.lease_worker or "", row.lease_epoch))


def _rows(result: object) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
