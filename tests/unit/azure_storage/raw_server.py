"""A server that works on bare streams: for answers that no HTTP library would send."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from azure_storage.http_pool import Origin

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Where it listens, and how many connections it has seen."""

    origin: Origin
    connections: list[asyncio.StreamWriter] = field(default_factory=list)


@asynccontextmanager
async def raw_server(serve: Serve, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """A server on loopback; `serve` has one connection, which is closed when it returns."""
    running: list[RawServer] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running[0].connections.append(writer)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
    running.append(RawServer(Origin(tls is not None, "127.0.0.1", server.sockets[0].getsockname()[1])))
    try:
        yield running[0]
    finally:
        server.close()
        for writer in running[0].connections:
            writer.transport.abort()


async def request_of(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """The head and the body of the next request; IncompleteReadError when the client has closed the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lengths = [line.partition(":")[2] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
    return head, await reader.readexactly(int(lengths[0]) if lengths else 0)


def answering_each(*answers: bytes) -> Serve:
    """Answers request after request of a connection, then closes it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await request_of(reader)
            writer.write(answer)
            await writer.drain()

    return serve
