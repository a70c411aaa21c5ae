"""A TCP relay on loopback that keeps what passes, so that a test can look for secrets on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Recording:
    """Bytes of all connections, by direction; each connection's bytes stay together."""

    requests: list[bytearray] = field(default_factory=list)
    answers: list[bytearray] = field(default_factory=list)

    def everything(self) -> bytes:
        return b"\n".join([*self.requests, *self.answers])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    try:
        while data := await reader.read(65536):
            kept += data
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def recording_relay(listen_port: int, target_port: int) -> AsyncIterator[Recording]:
    """Relay 127.0.0.1:listen_port to 127.0.0.1:target_port."""
    recording = Recording()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", target_port)
        except ConnectionError:
            writer.close()
            return
        request, answer = bytearray(), bytearray()
        recording.requests.append(request)
        recording.answers.append(answer)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, target_writer, request))
            group.create_task(_pump(target_reader, writer, answer))

    server = await asyncio.start_server(connected, "127.0.0.1", listen_port)
    try:
        yield recording
    finally:
        server.close()
