"""Which connections are used again, how many there are, and that no two requests ever meet on one."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from azure_storage.http_head import HttpError
from azure_storage.http_messages import Answer
from azure_storage.http_pool import HttpConnections, Origin
from tests.eventually import eventually
from tests.unit.azure_storage.raw_server import answering_each, raw_server, request_of
from tests.unit.azure_storage.test_http_receiving import SIZED, asking

KEPT = answering_each(*[SIZED] * 100)


@asynccontextmanager
async def pool(*, limit: int = 256, idle_seconds: float = 4) -> AsyncIterator[HttpConnections]:
    connections = HttpConnections(limit=limit, idle_seconds=idle_seconds)
    try:
        async with asyncio.timeout(20):
            yield connections
    finally:
        await connections.close()


async def test_a_connection_is_used_again_after_a_complete_answer() -> None:
    async with raw_server(KEPT) as server, pool() as connections:
        for _ in range(5):
            assert (await connections.request(server.origin, asking())).body == b"content"
        assert len(server.connections) == 1


async def test_a_kept_connection_serves_its_own_server_alone() -> None:
    other_answers = answering_each(*[SIZED.replace(b"content", b"another")] * 9)
    async with raw_server(KEPT) as one, raw_server(other_answers) as other, pool() as connections:
        for _ in range(3):
            assert (await connections.request(one.origin, asking())).body == b"content"
            assert (await connections.request(other.origin, asking())).body == b"another"
        assert (len(one.connections), len(other.connections)) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        SIZED.replace(b'ETag: "1"', b"Connection: close"),
        SIZED.replace(b"1.1", b"1.0"),
        b"HTTP/1.1 200 OK\r\n\r\ncontent",
    ],
)
async def test_a_connection_that_the_server_gives_up_is_not_used_again(answer: bytes) -> None:
    async with raw_server(answering_each(answer)) as server, pool() as connections:
        for _ in range(3):
            assert (await connections.request(server.origin, asking())).body == b"content"
        assert len(server.connections) == 3


async def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    closed = asyncio.Event()

    async def serve_one_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering_each(SIZED)(reader, writer)
        writer.write_eof()
        assert await reader.read() == b""  # the client has noticed
        closed.set()

    async with raw_server(serve_one_request) as server, pool() as connections:
        for _ in range(3):
            await connections.request(server.origin, asking())
            await closed.wait()
            closed.clear()
        assert len(server.connections) == 3


async def test_a_request_on_a_connection_that_closes_meanwhile_is_not_sent_again() -> None:
    seen: list[str] = []

    async def close_on_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (SIZED, b""):
            seen.append((await request_of(reader))[0])
            writer.write(answer)

    async with raw_server(close_on_the_second) as server, pool() as connections:
        await connections.request(server.origin, asking())
        with pytest.raises(HttpError, match="closed"):
            await connections.request(server.origin, asking("PUT", body=memoryview(b"x")))
        assert [len(server.connections), len(seen)] == [1, 2]


async def test_an_idle_connection_is_closed_after_a_while() -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering_each(SIZED)(reader, writer)
        assert await reader.read() == b""
        gone.set()

    async with raw_server(serve) as server, pool(idle_seconds=0.05) as connections:
        await connections.request(server.origin, asking())
        await gone.wait()


async def test_there_are_no_more_connections_than_the_limit_idle_ones_counted() -> None:
    at_once = most = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            await KEPT(reader, writer)
        finally:
            at_once -= 1

    async with raw_server(serve) as one, raw_server(KEPT) as other, pool(limit=3) as connections:
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(connections.request(one.origin, asking()))
        assert (most, at_once) == (3, 3)
        await connections.request(other.origin, asking())

        async def is_one_less() -> bool:
            return at_once == 2

        await eventually(is_one_less)


async def test_requests_at_the_same_time_get_their_own_answers() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await request_of(reader)
            await asyncio.sleep(body[0] / 10_000)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with raw_server(echo) as server, pool(limit=8) as connections:

        async def asked(number: int) -> None:
            body, into = bytes([number]) * 100_000, bytearray(100_000)
            await connections.request(server.origin, asking("PUT", body=memoryview(body), into=into))
            assert into == body

        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(asked(number))
        assert len(server.connections) <= 8


async def test_what_was_cancelled_leaves_no_connection_and_no_turn_behind() -> None:
    asked_for = asyncio.Event()
    answers = [b"", SIZED]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(answers.pop(0))
        asked_for.set()
        await reader.read()

    async with raw_server(serve) as server, pool(limit=1) as connections:
        first = asyncio.create_task(connections.request(server.origin, asking()))
        second = asyncio.create_task(connections.request(server.origin, asking()))
        await asked_for.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await second).body == b"content"
        assert len(server.connections) == 2


async def test_a_request_that_is_cancelled_while_it_connects_leaves_no_socket_open() -> None:
    async with raw_server(KEPT) as server:
        for rounds in range(30):
            async with pool() as connections:
                asked = asyncio.create_task(connections.request(server.origin, asking()))
                for _ in range(rounds % 10):
                    await asyncio.sleep(0)
                asked.cancel()
                await asyncio.wait([asked])
    gc.collect()  # an open socket that nobody holds any more is a ResourceWarning, and that an error


async def test_nothing_listens_is_an_os_error() -> None:
    async with pool() as connections:
        with pytest.raises(OSError):  # noqa: PT011 - which of its kinds is the system's affair
            await connections.request(Origin(is_tls=False, host="127.0.0.1", port=1), asking())


async def test_a_closed_session_ends_requests_and_takes_none() -> None:
    asked_for = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        asked_for.set()
        await reader.read()

    async with raw_server(hang) as server, pool() as connections:
        running: asyncio.Task[Answer] = asyncio.create_task(connections.request(server.origin, asking()))
        await asked_for.wait()
        await connections.close()
        with pytest.raises(HttpError):
            await running
        with pytest.raises(HttpError, match="session is closed"):
            await connections.request(server.origin, asking())
