"""One database: SQLite in WAL mode (embedded default) or PostgreSQL, behind the same async sessions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import BigInteger, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.expression import FunctionElement
from sqlmodel.ext.asyncio.session import AsyncSession

from connector_spi.errors import ConfigurationError
from sql_storage.unavailability import translated_errors

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_SQLITE_BUSY_SECONDS: Final = 15.0
_POSTGRESQL_TIMEOUTS: Final = {"timeout": 10, "command_timeout": 30}
"""Seconds to connect, and for one statement to be answered."""


class DatabaseNow(FunctionElement[int]):
    """The database's own clock, in milliseconds since 1970, so that all workers on it agree about leases."""

    type = BigInteger()
    inherit_cache = True


@compiles(DatabaseNow, "sqlite")
def _sqlite_now(_element: DatabaseNow, _compiler: Any, **_options: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@compiles(DatabaseNow, "postgresql")
def _postgresql_now(_element: DatabaseNow, _compiler: Any, **_options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


class Database:
    """An engine and its sessions. Whoever opens it closes it."""

    def __init__(self, engine: AsyncEngine, url: URL) -> None:
        self.engine = engine
        self.url = url
        self._turn: AbstractAsyncContextManager[object] = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._on_close: list[Callable[[], Awaitable[None]]] = []

    @classmethod
    def open(cls, url: str, *, busy_seconds: float = _SQLITE_BUSY_SECONDS) -> "Database":
        """Open `sqlite:///path/to/file.db` or `postgresql://user:password@host/name`; connects lazily.

        A PostgreSQL on a Unix socket is `postgresql://user@/name?host=/folder/of/the/socket`. `busy_seconds` is how
        long SQLite waits for another process that writes.

        Raises:
            ConfigurationError: the address is malformed or names another technology.
        """
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise ConfigurationError(key="database.url", problem="is not a database address") from error
        technology = parsed.get_backend_name()
        if technology not in _DRIVERS:
            raise ConfigurationError(
                key="database.url",
                problem=f"names {technology!r}",
                remedy="Use sqlite:///file.db or postgresql://user@host/name.",
            )
        parsed = parsed.set(drivername=_DRIVERS[technology])
        if technology == "sqlite":
            return cls(_sqlite_engine(parsed, busy_seconds), parsed)
        return cls(_postgresql_engine(parsed), parsed)

    @classmethod
    def open_existing(cls, url: str) -> "Database":
        """As `open`, but where SQLite would make a new file, that is an error: an empty database is not the one meant.

        Raises:
            ConfigurationError: as for `open`; or there is no such file.
        """
        database = cls.open(url)
        if database.is_sqlite and not Path(database.url.database or "").is_file():
            raise ConfigurationError(
                key="database.url",
                problem=f"names {database.url.database}, which is not there",
                remedy="Start the connector once, or correct the path.",
            )
        return database

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction that may write: committed at the end, rolled back on any error. Not to be nested.

        Raises:
            StoreUnavailableError: the database did not answer, or stayed locked; nothing was written.
        """
        # SQLite has one writer. Tasks of this process queue here, in order; its own busy wait is a lottery.
        async with (
            self._turn,
            translated_errors(),
            AsyncSession(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """One read-only transaction.

        Raises:
            StoreUnavailableError: the database did not answer.
        """
        options = {"sqlite_read_only": True} if self.is_sqlite else {}
        engine = self.engine.execution_options(**options) if options else self.engine
        async with translated_errors(), AsyncSession(engine, expire_on_commit=False) as session:
            yield session

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have `close` awaited before the connections go, for what holds a connection of its own."""
        self._on_close.append(close)

    async def aclose(self) -> None:
        """Close every connection; safe to call twice."""
        while self._on_close:
            await self._on_close.pop()()
        await self.engine.dispose()


def _postgresql_engine(url: URL) -> AsyncEngine:
    # No ping before use: it would cost three round trips each time, and a lost connection is a transient error.
    return create_async_engine(
        url, pool_size=10, pool_timeout=30, hide_parameters=True, connect_args=dict(_POSTGRESQL_TIMEOUTS)
    )


def _sqlite_engine(url: URL, busy_seconds: float) -> AsyncEngine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": busy_seconds})

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: ConnectionPoolEntry) -> None:
        # The driver's own transaction control is switched off: it would begin too late for BEGIN IMMEDIATE.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: upgrading from a read lock can fail without waiting.
        read_only = connection.get_execution_options().get("sqlite_read_only", False)
        connection.exec_driver_sql("BEGIN DEFERRED" if read_only else "BEGIN IMMEDIATE")

    return engine
