"""The migrated tables are the tables of the rows."""

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Boolean, Connection, Integer, MetaData, Table, inspect, text
from sqlmodel import SQLModel

from data_plane.adapters import sql_tables
from data_plane.bootstrap import MIGRATIONS, VERSION_TABLE
from sql_storage.database import Database
from sql_storage.migrations import migrate

ROWS: list[type[SQLModel]] = [
    sql_tables.DataFlowRow,
    sql_tables.AnsweredMessageRow,
    sql_tables.ObjectCopyRow,
    sql_tables.SecretLedgerRow,
]


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


def fill(connection: Connection, name: str, **facts: object) -> None:
    """Insert a row as the table is now; what is not told is empty."""
    table = Table(name, MetaData(), autoload_with=connection)
    empty = {column.name: 0 if isinstance(column.type, Integer | Boolean) else "" for column in table.columns}
    connection.execute(table.insert().values({**empty, **facts}))


def older_database(connection: Connection) -> None:
    """The first revision, with a flow that is settled, one that owes something and one that goes on."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(version_table=VERSION_TABLE, connection=connection)
    command.upgrade(config, "0001")
    for flow_id, state, due in (
        ("urn:settled", "COMPLETED", None),
        ("owes", "TERMINATED", 5),
        ("goes-on", "STARTED", None),
    ):
        fill(connection, "data_flow", id=flow_id, state=state, next_attempt_at=due)
        fill(connection, "data_flow_object", flow_id=flow_id)
        fill(connection, "data_flow_answer", message_id="m", operation=f"start:{flow_id}")


async def test_an_older_databases_answers_get_their_flow_and_its_settled_flows_lose_their_journal(
    tmp_path: Path,
) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/flows.db")
    async with database.engine.begin() as connection:
        await connection.run_sync(older_database)
    await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
    async with database.engine.connect() as connection:
        answers = (await connection.execute(text("SELECT flow_id FROM data_flow_answer"))).scalars().all()
        journals = (await connection.execute(text("SELECT flow_id FROM data_flow_object"))).scalars().all()
    await database.aclose()
    assert sorted(answers) == ["goes-on", "owes", "urn:settled"]
    assert sorted(journals) == ["goes-on", "owes"]
