"""An HTTP server that holds objects, as honest or as difficult as a test wants it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import SO_RCVBUF, SOL_SOCKET, socket
from typing import Literal

from aiohttp import web

OLD = "Fri, 01 May 2026 10:00:00 GMT"
_PIECE = 64 * 1024


@dataclass
class HttpObjects:
    """`objects` by name. Every switch may be turned while it serves."""

    objects: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    """Last-Modified by name; OLD where it says nothing."""
    ranges: bool = True
    validator: Literal["etag", "last-modified", "none"] = "etag"
    heeds_conditions: bool = True
    tells_length: bool = True
    break_after: list[int] = field(default_factory=list)
    """The next answers break off after so many bytes of their body; used up one by one."""
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers of the next answers; used up one by one. Uploads are refused before they are read."""
    refuse_after_reading: list[int] = field(default_factory=list)
    """The same for uploads that were read to their end."""
    going: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, no body is sent or read on: a peer that is slow without end."""
    base: str = ""
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path with query, and headers in lower case."""
    under_way: int = 0
    interrupted: int = 0
    """Uploads whose connection ended in the middle."""
    received_bytes: int = 0
    connections: set[asyncio.BaseTransport] = field(default_factory=set)
    """Of the requests that are under way."""

    def cut_connections(self) -> None:
        """Reset every connection on which a request is under way."""
        for connection in self.connections:
            connection.abort()  # type: ignore[attr-defined]

    def of(self, method: str) -> list[tuple[str, dict[str, str]]]:
        return [(path, headers) for asked, path, headers in self.requests if asked == method]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, headers))
        self.under_way += 1
        connection = request.transport
        assert connection is not None
        self.connections.add(connection)
        try:
            if self.refusals:
                status, more = self.refusals.pop(0)
                return web.Response(status=status, headers=more)
            name = request.match_info["name"]
            if request.method in {"PUT", "POST"}:
                return await self._store(request, name)
            return await self._serve(request, name)
        finally:
            self.under_way -= 1
            self.connections.discard(connection)

    def _validators(self, name: str) -> dict[str, str]:
        if self.validator == "etag":
            return {"ETag": f'"{hashlib.sha256(self.objects[name]).hexdigest()[:16]}"'}
        return {"Last-Modified": self.changed.get(name, OLD)} if self.validator == "last-modified" else {}

    async def _serve(self, request: web.Request, name: str) -> web.StreamResponse:
        if name not in self.objects:
            return web.Response(status=404)
        data, tags = self.objects[name], self._validators(name)
        if self.heeds_conditions and _is_refused(request, tags):
            return web.Response(status=412)
        status, body, headers = 200, data, {"Content-Type": self.types.get(name, "text/plain"), **tags}
        wanted = request.headers.get("Range")
        if self.ranges and wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            if int(first) >= len(data):
                return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(data)}"})
            status, body = 206, data[int(first) : int(last) + 1]
            headers["Content-Range"] = f"bytes {first}-{int(first) + len(body) - 1}/{len(data)}"
        return await self._send(request, web.StreamResponse(status=status, headers=headers), body)

    async def _send(self, request: web.Request, answer: web.StreamResponse, body: bytes) -> web.StreamResponse:
        if self.tells_length:
            answer.content_length = len(body)
        await answer.prepare(request)
        if request.method == "HEAD":
            return answer
        end = len(body)
        breaks = bool(self.break_after) and end > 1
        if breaks:
            end = min(end, self.break_after.pop(0))
        for at in range(0, end, _PIECE):
            await self.going.wait()
            await answer.write(body[at : min(at + _PIECE, end)])
        if breaks and request.transport is not None:
            request.transport.abort()
        await answer.write_eof()
        return answer

    async def _store(self, request: web.Request, name: str) -> web.StreamResponse:
        body = bytearray()
        try:
            while True:
                await self.going.wait()
                piece = await request.content.readany()
                if not piece:
                    break
                body += piece
                self.received_bytes += len(piece)
        except (web.RequestPayloadError, ConnectionError):
            self.interrupted += 1
            raise
        if self.refuse_after_reading:
            return web.Response(status=self.refuse_after_reading.pop(0))
        if request.headers.get("If-None-Match") == "*" and name in self.objects:
            return web.Response(status=412)
        self.objects[name] = bytes(body)
        self.types[name] = request.headers.get("Content-Type", "")
        return web.Response(status=201)


def _is_refused(request: web.Request, tags: dict[str, str]) -> bool:
    tag, date = request.headers.get("If-Match"), request.headers.get("If-Unmodified-Since")
    return (tag is not None and tag != tags.get("ETag")) or (date is not None and date != tags.get("Last-Modified"))


@asynccontextmanager
async def serving_objects(objects: HttpObjects) -> AsyncIterator[HttpObjects]:
    """Serve them on a loopback address; `base` then says where, with a slash at the end."""
    objects.going.set()
    app = web.Application(client_max_size=1024**4)
    app.router.add_route("*", "/{name:.*}", objects.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    listening = socket()
    listening.setsockopt(SOL_SOCKET, SO_RCVBUF, _PIECE)  # so that a server that does not read is soon felt
    listening.bind(("127.0.0.1", 0))
    site = web.SockSite(runner, listening)
    await site.start()
    objects.base = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield objects
    finally:
        objects.going.set()
        await runner.cleanup()
