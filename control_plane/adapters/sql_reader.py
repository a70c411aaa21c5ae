"""Finds and queries the entities of one table."""

from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, Table, select

from control_plane.adapters.query_selection import selection_of
from control_plane.adapters.query_sql import select_page
from control_plane.adapters.records import RecordCodec
from control_plane.adapters.sql_json import PostgresJson, SqliteJson
from control_plane.domain.query import QuerySpec
from sql_storage.database import Database
from sql_storage.uninterrupted import uninterrupted

Entity = TypeVar("Entity")


class SqlReader(Generic[Entity]):
    """What all SQL stores have in common."""

    def __init__(self, database: Database, table: Table, codec: RecordCodec[Entity]) -> None:
        self._database = database
        self._table = table
        self._codec = codec
        self._json = SqliteJson() if database.is_sqlite else PostgresJson()

    async def find(self, entity_id: str) -> Entity | None:
        """The entity, or None."""
        return await self._find(self._table.c.id == entity_id)

    async def query(self, query: QuerySpec) -> list[Entity]:
        """Entities that match, in order, one page."""
        return await self._read(select_page(self._table, selection_of(query, self._codec.query_fields), self._json))

    async def _find(self, condition: ColumnElement[bool]) -> Entity | None:
        found = await self._read(select(self._table).where(condition).limit(1))
        return found[0] if found else None

    @uninterrupted
    async def _read(self, statement: Select[Any]) -> list[Entity]:
        async with self._database.reading() as session:
            rows = (await (await session.connection()).execute(statement)).all()
        return [self._codec.from_record(row._asdict()) for row in rows]
