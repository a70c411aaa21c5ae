"""Request bodies on one connection: sent whole out of the buffer, or not at all when the answer comes first."""

import asyncio

import pytest

from azure_storage.http_head import HttpError
from tests.unit.azure_storage.raw_server import request_of
from tests.unit.azure_storage.test_http_receiving import asking, connected

MANY = 32 * 1024 * 1024
"""More than both ends' sockets take."""
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 256 * 1024, 5_000_000])
async def test_bodies_of_any_size_arrive_whole_and_one_after_the_other(size: int) -> None:
    received: list[tuple[str, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            received.append(await request_of(reader))
            writer.write(CREATED)

    body = bytes(i % 251 for i in range(size))
    async with connected(serve) as (connection, _), asyncio.timeout(10):
        for _ in range(2):
            answer = await connection.exchange(asking("PUT", body=memoryview(body), status=201))
            assert (answer.status, connection.is_reusable) == (201, True)
    assert [found == body for _, found in received] == [True, True]
    assert f"Content-Length: {size}\r\n" in received[0][0]


@pytest.mark.parametrize(("method", "length"), [("PUT", "Content-Length: 0\r\n"), ("GET", ""), ("HEAD", "")])
async def test_a_request_without_a_body_says_so(method: str, length: str) -> None:
    received: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append((await request_of(reader))[0])
        writer.write(CREATED)

    async with connected(serve) as (connection, _), asyncio.timeout(10):
        await connection.exchange(asking(method, status=201))
    assert received == [f"{method} /a HTTP/1.1\r\nHost: a\r\n{length}\r\n"]


async def test_a_refusal_before_the_body_was_sent_is_told_and_ends_the_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nx-ms-error-code: TooLarge\r\nContent-Length: 3\r\n\r\nwhy")
        await writer.drain()
        await answered.wait()

    answered = asyncio.Event()
    async with connected(serve) as (connection, _), asyncio.timeout(10):
        answer = await connection.exchange(asking("PUT", body=memoryview(bytearray(MANY)), status=201))
        assert (answer.status, answer.headers["x-ms-error-code"], answer.body) == (413, "TooLarge", b"why")
        assert not connection.is_reusable
        answered.set()


async def test_success_before_the_body_was_sent_is_not_believed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CREATED)
        await writer.drain()
        await answered.wait()

    answered = asyncio.Event()
    async with connected(serve) as (connection, _), asyncio.timeout(10):
        with pytest.raises(HttpError, match="before it was sent"):
            await connection.exchange(asking("PUT", body=memoryview(bytearray(MANY)), status=201))
        answered.set()


async def test_a_server_that_closes_while_the_body_is_sent_is_no_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(100_000)

    async with connected(serve) as (connection, _), asyncio.timeout(10):
        with pytest.raises(HttpError):
            await connection.exchange(asking("PUT", body=memoryview(bytearray(MANY)), status=201))
        assert not connection.is_reusable


async def test_a_server_that_stops_reading_is_silence() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await given_up.wait()

    given_up = asyncio.Event()
    async with connected(serve, silence_seconds=0.3) as (connection, _), asyncio.timeout(10):
        with pytest.raises(HttpError, match="nothing moved"):
            await connection.exchange(asking("PUT", body=memoryview(bytearray(MANY)), status=201))
        given_up.set()


async def test_a_cancelled_sender_closes_the_connection_and_its_buffer_is_let_go() -> None:
    begun, may_read, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    received = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        await may_read.wait()
        try:
            while data := await reader.read(1 << 20):
                received += len(data)
        except ConnectionError:
            pass
        closed.set()

    async with connected(serve) as (connection, _), asyncio.timeout(10):
        body = bytearray(MANY)
        asked = asyncio.create_task(connection.exchange(asking("PUT", body=memoryview(body), status=201)))
        await begun.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        may_read.set()
        await closed.wait()
        assert not connection.is_reusable
        assert received < MANY
        del asked
        body.clear()  # BufferError while anything still holds a view of it
