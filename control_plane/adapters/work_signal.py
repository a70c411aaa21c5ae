"""Wakes a loop that waits for work: an event in this process, and notifications of other processes on PostgreSQL."""

import asyncio
import logging
from typing import Any, Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_spi.errors import StoreUnavailableError
from sql_storage.database import Database
from sql_storage.unavailability import translated_errors

_LOG: Final = logging.getLogger(__name__)
_CONNECT_SECONDS: Final = 10.0
_BACK_OFF_SECONDS: Final = (0.1, 10.0)
"""Before the second attempt to connect, and at most."""


class WorkSignal:
    """Remembers that there is work until somebody has waited for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """There is work."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> None:
        """Return once there is work, or after the time-out."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()


class PostgresWorkListener:
    """Sets the signal when another process notifies the channel; keeps one connection of its own for that."""

    def __init__(self, database: Database, channel: str, signal: WorkSignal) -> None:
        self._database = database
        self._channel = channel
        self._signal = signal
        self._connection: AsyncConnection | None = None
        self._connecting = asyncio.Lock()
        self._back_off = _BACK_OFF_SECONDS[0]
        self._retry_at = 0.0
        database.on_close(self.aclose)

    async def listen(self) -> float | None:
        """Connect if needed. Returns how many seconds to wait at most before this is called again; None: any.

        After a new connection the signal is set, because notifications may have been missed before it.
        """
        async with self._connecting:
            if self._connection is not None:
                if not (await _driver_of(self._connection)).is_closed():
                    return None
                await self.aclose()
            remaining = self._retry_at - asyncio.get_running_loop().time()
            if remaining > 0:
                return remaining
            try:
                self._connection = await self._connect()
            except (StoreUnavailableError, TimeoutError) as error:
                return self._postponed(error)
            self._back_off = _BACK_OFF_SECONDS[0]
            self._signal.set()
            return None

    async def aclose(self) -> None:
        """Close the connection; safe to call twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await _discard(connection)

    async def _connect(self) -> AsyncConnection:
        async with asyncio.timeout(_CONNECT_SECONDS), translated_errors():
            connection = await self._database.engine.connect()
            try:
                driver = await _driver_of(connection)
                driver.add_termination_listener(self._lost)
                await driver.add_listener(self._channel, self._notified)
            except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                await _discard(connection)
                raise StoreUnavailableError("The database refused to notify.") from error
            except BaseException:
                await _discard(connection)
                raise
            return connection

    def _postponed(self, error: Exception) -> float:
        delay = self._back_off
        self._retry_at = asyncio.get_running_loop().time() + delay
        self._back_off = min(delay * 2, _BACK_OFF_SECONDS[1])
        _LOG.warning(
            "The database cannot tell of new work; it is polled meanwhile",
            extra={"channel": self._channel, "error": str(error), "retry_in_seconds": delay},
        )
        return delay

    def _notified(self, *_facts: Any) -> None:
        self._signal.set()

    def _lost(self, _connection: Any) -> None:
        self._signal.set()


async def _driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    return (await connection.get_raw_connection()).driver_connection


async def _discard(connection: AsyncConnection) -> None:
    """Close it for good: a connection that listens is of no use to others."""
    await connection.invalidate()
    await connection.close()
