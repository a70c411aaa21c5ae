"""One pair of organisations for the tests that leave the processes alone, and databases for those that need them."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conftest import AzuriteForTests
from tests.end_to_end.stage import Stage, two_organisations
from tests.postgres_server import PostgresServer, installed_binaries


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(azurite: AzuriteForTests, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Shared by the tests of this folder; each uses assets and process ids of its own."""
    async with two_organisations(azurite, tmp_path_factory.mktemp("organisations"), "shared-outbox") as running:
        yield running


@pytest_asyncio.fixture
async def postgres_urls() -> AsyncIterator[list[str]]:
    """Three empty databases of a real PostgreSQL, one for each process."""
    binaries = installed_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: run `make setup`")
    server = PostgresServer(binaries)
    try:
        server.start()
        yield [await server.create_database(f"plane_{uuid.uuid4().hex}") for _ in range(3)]
    finally:
        server.stop()
        server.remove()
