"""What every ControlPlaneRegistry promises: memory, SQLite and PostgreSQL alike."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from data_plane.adapters.memory_control_plane_registry import MemoryControlPlaneRegistry
from data_plane.adapters.sql_control_plane_registry import SqlControlPlaneRegistry
from data_plane.bootstrap import MIGRATIONS, VERSION_TABLE
from data_plane.domain.registered_control_plane import RegisteredControlPlane
from data_plane.ports.control_plane_registry import ControlPlaneRegistry
from sql_storage.database import Database
from sql_storage.migrations import migrate

KNOWN = RegisteredControlPlane(
    id="cp/1",
    endpoint="https://control-plane.example/signaling",
    token_endpoint="https://control-plane.example/token",
    client_id="us",
    secret_alias="alias",
    jwks={"keys": [{"kty": "EC"}]},
)


@pytest_asyncio.fixture
async def control_planes(storage: str | None) -> AsyncIterator[ControlPlaneRegistry]:
    if storage is None:
        yield MemoryControlPlaneRegistry()
        return
    database = Database.open(storage)
    try:
        await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
        yield SqlControlPlaneRegistry(database)
    finally:
        await database.aclose()


async def test_a_registration_is_found_as_it_was_saved(control_planes: ControlPlaneRegistry) -> None:
    await control_planes.save(KNOWN)
    assert await control_planes.find("cp/1") == KNOWN
    assert await control_planes.find("cp/2") is None


async def test_a_later_registration_replaces_all_of_the_earlier_one(control_planes: ControlPlaneRegistry) -> None:
    await control_planes.save(KNOWN)
    later = RegisteredControlPlane(id="cp/1", endpoint="https://elsewhere.example", jwks_uri="https://x.example/jwks")
    await control_planes.save(later)
    await control_planes.save(replace(KNOWN, id="cp/2"))
    assert await control_planes.find("cp/1") == later


async def test_a_deleted_registration_is_gone(control_planes: ControlPlaneRegistry) -> None:
    await control_planes.save(KNOWN)
    assert await control_planes.delete("cp/1") is True
    assert await control_planes.delete("cp/1") is False
    assert await control_planes.find("cp/1") is None
