"""A small HTTP server on a loopback address, whose every byte a test decides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Respond = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class LoopbackServer:
    """`requests`: head and body of each, as text. `connections`: how many were opened."""

    host: str
    port: int = 0
    requests: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def address(self) -> str:
        """Where it listens, as a base address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def answering(
    body: bytes = b"{}", *, status: str = "200 OK", headers: tuple[str, ...] = (), length: int | None = None
) -> Respond:
    """An answer with this body; `length`: what it claims to be long."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers)
        writer.write("\r\n".join((*lines, "", "")).encode() + body)

    return respond


@asynccontextmanager
async def loopback_server(respond: Respond, *, host: str = "127.0.0.1") -> AsyncIterator[LoopbackServer]:
    """A server that answers each request with `respond`, on as many connections as are opened."""
    server = LoopbackServer(host)

    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        writers.append(writer)
        try:
            while head := await _head(reader):
                length = next((line for line in head.lower().split("\r\n") if line.startswith("content-length:")), ":0")
                body = await reader.readexactly(int(length.partition(":")[2]))
                server.requests.append(head + body.decode())
                await respond(writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, host, 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server
        for writer in writers:
            writer.close()


async def _head(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return ""
