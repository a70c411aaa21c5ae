"""What the SQL stores promise of their databases: migration, other processes, and a database that does not answer."""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, Table, text

from connector_spi.errors import ConfigurationError, StoreUnavailableError
from control_plane.adapters import sql_stores
from control_plane.adapters.records import NEGOTIATION_CODEC, TRANSFER_PROCESS_CODEC
from control_plane.adapters.sql_stores import VERSION_TABLE, migrate_stores, open_stores
from control_plane.adapters.sql_tables import METADATA
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcessState
from control_plane.domain.transfer_state_machine import TransferEvent, fire
from control_plane.ports.stores import Stores
from sql_storage.database import Database
from tests import control_plane_entities as examples
from tests.conformance.conftest import new_postgres_server
from tests.control_plane_entities import NOW, message
from tests.postgres_server import PostgresServer

LONG = 600.0
MIGRATE = """
import asyncio, sys
from control_plane.adapters.sql_stores import migrate_stores
from sql_storage.database import Database

async def main():
    database = Database.open(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await migrate_stores(database)
    await database.aclose()

asyncio.run(main())
"""

OpenDatabase = Callable[..., Database]


@pytest.fixture
async def open_database() -> AsyncIterator[OpenDatabase]:
    opened: list[Database] = []

    def open_one(url: str, **options: Any) -> Database:
        opened.append(Database.open(url, **options))
        return opened[-1]

    yield open_one
    for database in opened:
        await database.aclose()


class TestMigration:
    async def test_it_makes_the_tables_that_the_rows_describe(
        self, database_url: str, open_database: OpenDatabase
    ) -> None:
        database = open_database(database_url)
        await migrate_stores(database)

        def differences(connection: Any) -> list[Any]:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            return list(compare_metadata(context, METADATA))

        async with database.engine.connect() as connection:
            assert await connection.run_sync(differences) == []

    async def test_a_second_time_changes_nothing(self, database_url: str, open_database: OpenDatabase) -> None:
        database = open_database(database_url)
        await migrate_stores(database)
        await open_stores(database).assets.create(examples.asset())
        await migrate_stores(database)
        assert await open_stores(database).assets.query(QuerySpec()) == [examples.asset()]

    async def test_rows_of_the_version_before_are_read_and_go_on(
        self, database_url: str, open_database: OpenDatabase
    ) -> None:
        database = open_database(database_url)
        transfer = examples.transfer_process("t-1", state=TransferProcessState.COMPLETING)
        negotiation = examples.negotiation("n-1", state=NegotiationState.REQUESTING)
        rows = (
            ("transfer_processes", TRANSFER_PROCESS_CODEC.to_record(transfer)),
            ("contract_negotiations", NEGOTIATION_CODEC.to_record(negotiation)),
        )

        def insert_as_before(connection: Any) -> None:
            for name, record in rows:
                table = Table(name, MetaData(), autoload_with=connection)
                values = {column: record[column] for column in table.c.keys() if record.get(column) is not None}  # noqa: SIM118
                connection.execute(table.insert().values(due_at=0, **values))

        async with database.engine.begin() as connection:
            await connection.run_sync(migrate_to, "0002")
            await connection.run_sync(insert_as_before)
        await migrate_stores(database)

        stores = open_stores(database)
        assert await stores.transfer_processes.find("t-1") == transfer
        assert transfer.public_state is TransferProcessState.STARTED
        assert await stores.contract_negotiations.find("n-1") == negotiation
        (leased,) = await stores.transfer_processes.lease_due(now=NOW, limit=1, lease_seconds=LONG, owner="w")
        assert leased.entity == transfer
        moved = fire(leased.entity, TransferEvent.FINISH_COMPLETION, at=NOW)
        await stores.transfer_processes.save(moved, epoch=leased.epoch, applied=(), due_at=None)
        assert await stores.transfer_processes.find("t-1") == moved

    async def test_of_several_databases_at_once_in_one_process_is_harmless(
        self, tmp_path: Path, open_database: OpenDatabase
    ) -> None:
        databases = [open_database(f"sqlite:///{tmp_path}/{number}.db") for number in range(4)]
        async with asyncio.TaskGroup() as group:
            for database in databases:
                group.create_task(migrate_stores(database))
        assert [await revisions(database) for database in databases] == [1, 1, 1, 1]

    async def test_by_processes_at_once_is_harmless(self, database_url: str, open_database: OpenDatabase) -> None:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-c", MIGRATE, database_url)
        processes = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in range(3)]
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        async with asyncio.TaskGroup() as group:
            for process in processes:
                group.create_task(process.communicate(b"go\n"))
        assert [process.returncode for process in processes] == [0, 0, 0]
        assert await revisions(open_database(database_url)) == 1


def migrate_to(connection: Any, revision: str) -> None:
    """The tables as an earlier version of this connector made them."""
    config = Config()
    config.set_main_option("script_location", str(Path(sql_stores.__file__).parent / "migrations"))
    config.attributes |= {"version_table": VERSION_TABLE, "connection": connection}
    command.upgrade(config, revision)


async def revisions(database: Database) -> int:
    async with database.reading() as session:
        counted = await (await session.connection()).execute(text(f"SELECT count(*) FROM {VERSION_TABLE}"))  # noqa: S608
        return int(counted.scalar_one())


async def every_method(stores: Stores) -> list[Callable[[], Awaitable[Any]]]:
    """Everything that needs the database."""
    processes, assets = stores.transfer_processes, stores.assets
    process = examples.transfer_process("one")
    return [
        lambda: processes.create(examples.transfer_process("two"), due_at=None),
        lambda: processes.append("one", message(), lambda _entity, _waiting: None),
        lambda: processes.lease_due(now=NOW, limit=1, lease_seconds=LONG, owner="w"),
        lambda: processes.save(process, epoch=1, applied=(), due_at=None),
        lambda: assets.create(examples.asset("two")),
        lambda: assets.replace(examples.asset("one")),
        lambda: assets.delete("one"),
    ]


async def every_reading_method(stores: Stores) -> list[Callable[[], Awaitable[Any]]]:
    processes = stores.transfer_processes
    return [
        lambda: processes.find("one"),
        lambda: processes.find_by_correlation("did:web:them", "theirs"),
        lambda: processes.query(QuerySpec()),
        processes.next_due_at,
        lambda: stores.contract_negotiations.find_agreement("one"),
        lambda: stores.contract_negotiations.query_agreements(QuerySpec()),
        lambda: stores.assets.find("one"),
        lambda: stores.assets.query(QuerySpec()),
    ]


async def filled(database: Database) -> Stores:
    await migrate_stores(database)
    stores = open_stores(database)
    await stores.transfer_processes.create(examples.transfer_process("one"), due_at=NOW)
    await stores.assets.create(examples.asset("one"))
    return stores


class TestSqlite:
    async def test_a_database_that_stays_locked_is_unavailable_and_comes_back(
        self, tmp_path: Path, open_database: OpenDatabase
    ) -> None:
        path = tmp_path / "locked.db"
        stores = await filled(open_database(f"sqlite:///{path}", busy_seconds=0.05))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for method in await every_method(stores):
            with pytest.raises(StoreUnavailableError):
                await method()
        for method in await every_reading_method(stores):
            await method()
        other.execute("ROLLBACK")
        other.close()
        assert await stores.transfer_processes.find("two") is None
        await stores.transfer_processes.create(examples.transfer_process("two"), due_at=None)

    async def test_a_file_that_is_no_database_is_refused(self, tmp_path: Path, open_database: OpenDatabase) -> None:
        (tmp_path / "text.db").write_text("This is not a database, and long enough to be told from one." * 20)
        with pytest.raises(ConfigurationError, match=r"database\.url"):
            await migrate_stores(open_database(f"sqlite:///{tmp_path}/text.db"))


@pytest.mark.postgres
class TestPostgres:
    @pytest.fixture
    def own_server(self) -> Iterator[PostgresServer]:
        server = new_postgres_server()
        try:
            server.start()
            yield server
        finally:
            server.stop()
            server.remove()

    async def test_a_killed_server_is_unavailable_and_comes_back_with_everything(
        self, own_server: PostgresServer, open_database: OpenDatabase
    ) -> None:
        url = await own_server.create_database("ours")
        stores = await filled(open_database(url))
        own_server.stop(signal.SIGQUIT)
        for method in [*await every_method(stores), *await every_reading_method(stores)]:
            with pytest.raises(StoreUnavailableError):
                await method()
        own_server.start()
        assert await stores.transfer_processes.find("one") == examples.transfer_process("one")
        assert await stores.transfer_processes.find("two") is None
        await stores.transfer_processes.create(examples.transfer_process("two"), due_at=None)

    async def test_waiting_goes_on_by_polling_and_hears_again_after_a_crash(
        self, own_server: PostgresServer, open_database: OpenDatabase
    ) -> None:
        url = await own_server.create_database("ours")
        waiting = (await filled(open_database(url))).transfer_processes
        await until_listening(waiting)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            woken = group.create_task(waiting.wait_for_work(LONG))
            await asyncio.sleep(0.02)
            own_server.stop(signal.SIGQUIT)
            await woken
        async with asyncio.timeout(30):
            for _ in range(3):
                await waiting.wait_for_work(0.01)
            own_server.start()
            await until_listening(waiting)
        await assert_woken(waiting, open_stores(open_database(url)).transfer_processes)

    async def test_a_message_stored_by_another_process_wakes_at_once(
        self, postgres_url: str, open_database: OpenDatabase
    ) -> None:
        waiting = (await filled(open_database(postgres_url))).transfer_processes
        await until_listening(waiting)
        await assert_woken(waiting, open_stores(open_database(postgres_url)).transfer_processes)

    async def test_a_database_that_the_server_does_not_have_is_refused(
        self, postgres_server: PostgresServer, open_database: OpenDatabase
    ) -> None:
        with pytest.raises(ConfigurationError, match=r"database\.url"):
            await migrate_stores(open_database(postgres_server.url("absent")))


async def until_listening(store: Any) -> None:
    """Wait until the store has its connection, and nothing more to tell."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(30):
        while await store._listener.listen() is not None:
            await store.wait_for_work(0.02)
        waited = 0.0
        while waited < 0.02:
            began = loop.time()
            await store.wait_for_work(0.02)
            waited = loop.time() - began


async def assert_woken(waiting: Any, other: Any) -> None:
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(waiting.wait_for_work(LONG))
        await asyncio.sleep(0)
        await other.append("one", message(), lambda _entity, _waiting: None)
