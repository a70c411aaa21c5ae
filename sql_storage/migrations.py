"""Runs a plane's Alembic migrations, whichever database it is on and however many processes start at once."""

import asyncio
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.engine import Connection

from sql_storage.database import Database
from sql_storage.unavailability import translated_errors

_LOCK_KEY: Final = 7_310_553
"""PostgreSQL advisory lock that lets one process at a time migrate."""

_TURNS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]] = WeakKeyDictionary()
"""Alembic keeps the migration that runs in globals of the process: one at a time."""


async def migrate(database: Database, scripts: Path, *, version_table: str) -> None:
    """Bring the plane's tables to the newest revision; does nothing when they are.

    `scripts` is the plane's Alembic folder, `version_table` its own table of applied revisions, so that both planes
    may share a database.

    Raises:
        StoreUnavailableError: the database did not answer.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["version_table"] = version_table

    def upgrade(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    turn = _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    async with turn, translated_errors(), database.engine.begin() as connection:
        if not database.is_sqlite:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"))
        await connection.run_sync(upgrade)
