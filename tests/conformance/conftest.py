"""The databases and stores that the conformance suites run over."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from control_plane.adapters.memory_stores import memory_stores
from control_plane.adapters.sql_stores import migrate_stores, open_stores
from control_plane.ports.stores import StatefulEntityStore, Stores
from sql_storage.database import Database
from tests import control_plane_entities as examples
from tests.conformance.flow_stores import FlowStores, OpenFlowStores, flow_stores_in_memory, opened_flow_stores
from tests.conformance.stateful_subject import Subject
from tests.postgres_server import PostgresServer, installed_binaries

OpenStores = Callable[[], Awaitable[Stores]]
"""Opens the stores once more on the same storage, as another process would."""


def new_postgres_server() -> PostgresServer:
    """A server that is not started yet; whoever asks for it stops and removes it."""
    binaries = installed_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: run `make setup`")
    return PostgresServer(binaries)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole run; not to be stopped by a test."""
    server = new_postgres_server()
    try:
        server.start()
        yield server
    finally:
        server.stop()
        server.remove()


@pytest.fixture
async def postgres_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """The address of a fresh, empty database."""
    name = f"test_{uuid.uuid4().hex}"
    yield await postgres_server.create_database(name)
    await postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each technology."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/control-plane.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """The address of an empty database, or None for memory."""
    if request.param == "memory":
        return None
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/control-plane.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def open_again(storage: str | None) -> AsyncIterator[OpenStores]:
    """Opens the stores on the storage, any number of times; memory is there only once."""
    shared = memory_stores()
    async with AsyncExitStack() as stack:

        async def opened() -> Stores:
            if storage is None:
                return shared
            database = Database.open(storage)
            stack.push_async_callback(database.aclose)
            await migrate_stores(database)
            return open_stores(database)

        yield opened


@pytest.fixture
async def stores(open_again: OpenStores) -> Stores:
    """Every store, empty."""
    return await open_again()


@pytest.fixture(params=["transfer_processes", "contract_negotiations"])
def subject(request: pytest.FixtureRequest, open_again: OpenStores) -> Subject:
    kind = str(request.param)

    async def opened() -> StatefulEntityStore[Any]:
        store: StatefulEntityStore[Any] = getattr(await open_again(), kind)
        return store

    return Subject(examples.transfer_process if kind == "transfer_processes" else examples.negotiation, opened)


@pytest.fixture
async def store(subject: Subject) -> StatefulEntityStore[Any]:
    return await subject.open_again()


@pytest.fixture
async def open_flow_stores(storage: str | None) -> AsyncIterator[OpenFlowStores]:
    """Opens the stores of flows, any number of times, as another process would; memory is there only once."""
    shared = flow_stores_in_memory()
    async with AsyncExitStack() as stack:

        async def opened() -> FlowStores:
            return shared if storage is None else await opened_flow_stores(storage, stack)

        yield opened


@pytest.fixture
async def flow_stores(open_flow_stores: OpenFlowStores) -> FlowStores:
    """The stores of flows, empty."""
    return await open_flow_stores()
