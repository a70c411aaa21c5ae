"""One request and its answer, while a fault has them in its hands."""

import asyncio
import socket
import ssl
import struct
from dataclasses import dataclass

from tests.fault_proxy.http_wire import PIECE_BYTES, Answer, read_answer
from tests.fault_proxy.storage_request import Recorded, StorageRequest


@dataclass(slots=True)
class Exchange:
    """What a fault may do: receive the body, forward it, answer, break the connection."""

    record: Recorded
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    upstream: tuple[str, int]
    upstream_tls: ssl.SSLContext | None = None

    @property
    def request(self) -> StorageRequest:
        """The request."""
        return self.record.request

    async def received(self, *, at_most: int | None = None, bytes_per_second: float | None = None) -> bytes:
        """The body, or its first bytes; counted as they come."""
        wanted = self.request.length if at_most is None else min(at_most, self.request.length)
        body = bytearray()
        while len(body) < wanted:
            piece = await self.reader.read(min(PIECE_BYTES, wanted - len(body)))
            if not piece:
                raise ConnectionResetError("The client closed in the middle of its request.")
            body += piece
            self.record.body_bytes += len(piece)
            if bytes_per_second:
                await asyncio.sleep(len(piece) / bytes_per_second)
        return bytes(body)

    async def forwarded(self, body: bytes) -> Answer:
        """The service's answer to the request with this body."""
        reader, writer = await asyncio.open_connection(*self.upstream, limit=2 * PIECE_BYTES, ssl=self.upstream_tls)
        try:
            writer.write(self.request.head.encoded() + body)
            await writer.drain()
            answer = await read_answer(reader, bodiless=self.request.method == "HEAD")
        finally:
            writer.close()
        self.record.upstream_status = answer.status
        return answer

    async def begun_upstream(self, body: bytes) -> None:
        """Send the service a request that breaks off after these bytes of its body."""
        _, writer = await asyncio.open_connection(*self.upstream, ssl=self.upstream_tls)
        writer.write(self.request.head.encoded() + body)
        await writer.drain()
        writer.close()

    async def answered(
        self, answer: Answer, *, at_most: int | None = None, bytes_per_second: float | None = None
    ) -> None:
        """Send the answer, or its head and the first bytes of its body."""
        body = answer.body[:at_most] if at_most is not None else answer.body
        self.writer.write(answer.head.encoded())
        step = len(body) or 1
        if bytes_per_second:
            step = max(1, int(bytes_per_second / 20))
        for start in range(0, len(body), step):
            self.writer.write(body[start : start + step])
            await self.writer.drain()
            if bytes_per_second:
                await asyncio.sleep(step / bytes_per_second)
            self.record.answered_bytes += len(body[start : start + step])
        await self.writer.drain()
        if len(body) == len(answer.body):
            self.record.status = answer.status

    async def until_closed(self) -> None:
        """Say nothing until the client has had enough."""
        while await self.reader.read(PIECE_BYTES):
            pass

    def cut(self) -> None:
        """Close in order, whatever was not sent yet."""
        self.writer.close()

    def reset(self) -> None:
        """Close by TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
