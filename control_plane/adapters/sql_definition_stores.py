"""DefinitionStore on SQL: one table per kind of definition."""

from typing import TypeVar

from sqlalchemy import delete, insert, update
from sqlalchemy.exc import IntegrityError

from connector_spi.errors import ConflictError, NotFoundError
from control_plane.adapters.sql_reader import SqlReader
from sql_storage.uninterrupted import uninterrupted

Definition = TypeVar("Definition")


class SqlDefinitionStore(SqlReader[Definition]):
    """Keeps definitions of one kind."""

    @uninterrupted
    async def create(self, definition: Definition) -> None:
        """See DefinitionStore."""
        record = self._codec.to_record(definition)
        try:
            async with self._database.writing() as session:
                await (await session.connection()).execute(insert(self._table).values(**record))
        except IntegrityError as error:
            raise ConflictError(f"{self._codec.kind} {record['id']!r} exists already.") from error

    @uninterrupted
    async def replace(self, definition: Definition) -> None:
        """See DefinitionStore."""
        record = self._codec.to_record(definition)
        definition_id = record.pop("id")
        async with self._database.writing() as session:
            connection = await session.connection()
            result = await connection.execute(
                update(self._table).where(self._table.c.id == definition_id).values(**record)
            )
            self._check_found(result.rowcount, definition_id)

    @uninterrupted
    async def delete(self, definition_id: str) -> None:
        """See DefinitionStore."""
        async with self._database.writing() as session:
            connection = await session.connection()
            result = await connection.execute(delete(self._table).where(self._table.c.id == definition_id))
            self._check_found(result.rowcount, definition_id)

    def _check_found(self, rows: int, definition_id: str) -> None:
        if rows == 0:
            raise NotFoundError(kind=self._codec.kind, object_id=definition_id)
