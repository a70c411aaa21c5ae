"""What every SecretLedger promises: memory, SQLite and PostgreSQL alike."""

from collections.abc import AsyncIterator

import pytest_asyncio

from data_plane.adapters.memory_secret_ledger import MemorySecretLedger
from data_plane.adapters.sql_secret_ledger import SqlSecretLedger
from data_plane.bootstrap import MIGRATIONS, VERSION_TABLE
from data_plane.ports.secret_ledger import LedgerEntry, SecretLedger, SecretOwner
from sql_storage.database import Database
from sql_storage.migrations import migrate
from tests.unit.data_plane.fakes import ManualClock

FLOW, CONTROL_PLANE = SecretOwner.DATA_FLOW, SecretOwner.CONTROL_PLANE
CLOCK = ManualClock()


@pytest_asyncio.fixture
async def ledger(storage: str | None) -> AsyncIterator[SecretLedger]:
    if storage is None:
        yield MemorySecretLedger(CLOCK)
        return
    database = Database.open(storage)
    try:
        await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
        yield SqlSecretLedger(database, CLOCK)
    finally:
        await database.aclose()


async def test_what_is_noted_is_found_by_its_owner(ledger: SecretLedger) -> None:
    await ledger.note(FLOW, "urn:uuid:1", ["data-flow-1-source", "data-flow-1-destination"])
    await ledger.note(CONTROL_PLANE, "urn:uuid:1", ["control-plane-1"])
    await ledger.note(FLOW, "urn:uuid:2", [])
    assert await ledger.of(FLOW, "urn:uuid:1") == ["data-flow-1-destination", "data-flow-1-source"]
    assert await ledger.of(CONTROL_PLANE, "urn:uuid:1") == ["control-plane-1"]
    assert await ledger.of(FLOW, "urn:uuid:2") == []
    assert await ledger.entries() == [
        LedgerEntry("control-plane-1", CONTROL_PLANE, "urn:uuid:1", CLOCK.now()),
        LedgerEntry("data-flow-1-destination", FLOW, "urn:uuid:1", CLOCK.now()),
        LedgerEntry("data-flow-1-source", FLOW, "urn:uuid:1", CLOCK.now()),
    ]


async def test_noting_again_is_fine_and_struck_entries_are_gone(ledger: SecretLedger) -> None:
    await ledger.note(FLOW, "flow", ["a", "b"])
    await ledger.note(FLOW, "flow", ["b", "c"])
    assert await ledger.of(FLOW, "flow") == ["a", "b", "c"]
    await ledger.strike(["a", "c", "never-noted"])
    await ledger.strike([])
    assert [entry.alias for entry in await ledger.entries()] == ["b"]
