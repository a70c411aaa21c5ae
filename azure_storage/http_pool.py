"""Connections to HTTP servers: opened on demand, kept for the next request while that is safe, limited in number."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

from azure_storage.http_connection import SILENCE_SECONDS, HttpConnection
from azure_storage.http_head import HttpError
from azure_storage.http_messages import Answer, Request

MAX_CONNECTIONS: Final = 256
CONNECT_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 4.0
"""Shorter than Azurite keeps an idle connection (5), so that none is used at the moment when it is closed."""


class Origin(NamedTuple):
    """Whom a connection leads to."""

    is_tls: bool
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class _Idle:
    origin: Origin
    connection: HttpConnection
    since: float


class HttpConnections:
    """Makes requests on connections of its own; no proxy is used, and nothing is ever sent twice."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        limit: int = MAX_CONNECTIONS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`tls`: a context with a private certificate authority; by default the system's authorities are trusted.

        One context serves all connections: building one costs more than a small blob.
        """
        self._loop = asyncio.get_running_loop()
        self._tls = tls or ssl.create_default_context()
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._turns = asyncio.Semaphore(limit)
        self._in_use: set[HttpConnection] = set()
        self._opening = 0
        self._idle: list[_Idle] = []  # the longest idle first
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def request(self, origin: Origin, request: Request) -> Answer:
        """The answer, whatever its status; the caller sets the time limit for all of it.

        Raises:
            HttpError: there was no complete answer; whether the request had an effect is not known.
            OSError: no connection came about, or the server's certificate is not good; nothing was sent.
            InvalidInputError: a header cannot be sent; nothing was sent.
        """
        async with self._connection(origin) as connection:
            return await connection.exchange(request)

    async def close(self) -> None:
        """Close all connections; requests under way fail."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in [*self._in_use, *(idle.connection for idle in self._idle)]:
            connection.close()
        self._idle.clear()
        await asyncio.sleep(0)  # the event loop closes the sockets in its next round

    @asynccontextmanager
    async def _connection(self, origin: Origin) -> AsyncIterator[HttpConnection]:
        async with self._turns:
            if self._is_closed:
                raise HttpError("the session is closed")
            connection = self._reused(origin) or await self._opened(origin)
            self._in_use.add(connection)
            try:
                yield connection
            finally:
                self._in_use.discard(connection)
                self._put_back(origin, connection)

    def _reused(self, origin: Origin) -> HttpConnection | None:
        """The one that was used last, so that those not needed grow old."""
        self._close_idle(self._loop.time() - self._idle_seconds)
        for position in range(len(self._idle) - 1, -1, -1):
            if self._idle[position].origin == origin:
                connection = self._idle.pop(position).connection
                if connection.is_reusable:
                    return connection
        return None

    async def _opened(self, origin: Origin) -> HttpConnection:
        self._opening += 1
        try:
            if self._idle and len(self._idle) + len(self._in_use) + self._opening > self._limit:
                self._idle.pop(0).connection.close()
            # One address after the other: with `happy_eyeballs_delay` a cancelled connect leaves a socket open (3.11).
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await self._loop.create_connection(
                    lambda: HttpConnection(silence_seconds=SILENCE_SECONDS),
                    origin.host,
                    origin.port,
                    ssl=self._tls if origin.is_tls else None,
                )
        finally:
            self._opening -= 1
        return connection

    def _put_back(self, origin: Origin, connection: HttpConnection) -> None:
        if self._is_closed or not connection.is_reusable:
            connection.close()
            return
        self._idle.append(_Idle(origin, connection, self._loop.time()))
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._idle_seconds, self._close_old)

    def _close_old(self) -> None:
        self._close_idle(self._loop.time() - self._idle_seconds)
        again = self._idle[0].since + self._idle_seconds if self._idle else None
        self._sweep = None if again is None else self._loop.call_at(again, self._close_old)

    def _close_idle(self, since: float) -> None:
        while self._idle and self._idle[0].since <= since:
            self._idle.pop(0).connection.close()
