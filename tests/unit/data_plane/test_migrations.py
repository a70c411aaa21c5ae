"""The migrated tables are the tables of the rows."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, inspect
from sqlmodel import SQLModel

from data_plane.adapters import sql_tables
from data_plane.bootstrap import MIGRATIONS, VERSION_TABLE
from sql_storage.database import Database
from sql_storage.migrations import migrate

ROWS: list[type[SQLModel]] = [sql_tables.DataFlowRow, sql_tables.AnsweredMessageRow, sql_tables.ObjectCopyRow]


def shape(columns: list[Any]) -> dict[str, tuple[bool, bool]]:
    """Nullable and part of the key, by name."""
    return {column["name"]: (column["nullable"], bool(column["primary_key"])) for column in columns}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
async def test_a_migrated_table_has_the_columns_of_its_row(row: type[SQLModel], tmp_path: Path) -> None:
    table: Table = row.__table__  # type: ignore[attr-defined]

    def migrated(connection: Connection) -> list[Any]:
        return list(inspect(connection).get_columns(table.name))

    database = Database.open(f"sqlite:///{tmp_path}/flows.db")
    await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
    await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
    async with database.engine.connect() as connection:
        found = shape(await connection.run_sync(migrated))
    await database.aclose()
    assert found == {column.name: (bool(column.nullable), column.primary_key) for column in table.columns}
