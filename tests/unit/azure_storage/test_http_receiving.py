"""Answers on one connection: whole ones in every cut, and those that break off, lie, or never come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from azure_storage.http_connection import SIDE_BODY_BYTES, HttpConnection
from azure_storage.http_head import HttpError
from azure_storage.http_messages import Answer, Request
from tests.eventually import eventually
from tests.unit.azure_storage.raw_server import RawServer, Serve, answering_each, raw_server, request_of

SIZED = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nETag: "1"\r\n\r\ncontent'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;name=value\r\ncon\r\n0004\r\ntent\r\n0\r\nTrailer: a\r\n\r\n"
)
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\ncontent"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + SIZED


@asynccontextmanager
async def connected(serve: Serve, *, silence_seconds: float = 5) -> AsyncIterator[tuple[HttpConnection, RawServer]]:
    async with raw_server(serve) as server:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: HttpConnection(silence_seconds=silence_seconds), server.origin.host, server.origin.port
        )
        try:
            yield connection, server
        finally:
            connection.close()


def asking(
    method: str = "GET", *, body: memoryview | None = None, into: bytearray | None = None, status: int = 200
) -> Request:
    view = None if into is None else memoryview(into)
    return Request(method=method, target="/a", host="a", headers={}, body=body, into=view, expected_status=status)


async def answer_to(request: Request, *parts: bytes) -> tuple[Answer, bool]:
    """The answer that a server gives in these parts before it closes, and whether the connection was fit for more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    async with connected(serve) as (connection, _), asyncio.timeout(10):
        answer = await connection.exchange(request)
        return answer, connection.is_reusable


@pytest.mark.parametrize("raw", [SIZED, CHUNKED, UNTIL_CLOSED, CONTINUED])
async def test_an_answer_is_the_same_wherever_it_is_cut(raw: bytes) -> None:
    for cut in range(1, len(raw)):
        into = bytearray(7)
        answer, _ = await answer_to(asking(into=into), raw[:cut], raw[cut:])
        assert (answer.status, answer.body, bytes(into)) == (200, b"", b"content")


@pytest.mark.parametrize("raw", [SIZED, CHUNKED, UNTIL_CLOSED])
async def test_an_answer_that_comes_byte_by_byte_is_whole(raw: bytes) -> None:
    answer, _ = await answer_to(asking(), *(raw[i : i + 1] for i in range(len(raw))))
    assert answer.body == b"content"


@pytest.mark.parametrize("raw", [SIZED, CHUNKED])
async def test_an_answer_that_breaks_off_anywhere_is_none(raw: bytes) -> None:
    for end in range(len(raw)):
        with pytest.raises(HttpError):
            await answer_to(asking(into=bytearray(7)), raw[:end])


@pytest.mark.parametrize("length", [6, 8])
@pytest.mark.parametrize("raw", [SIZED, CHUNKED, UNTIL_CLOSED])
async def test_an_answer_that_does_not_fit_the_buffer_is_none(raw: bytes, length: int) -> None:
    with pytest.raises(HttpError, match="bytes came"):
        await answer_to(asking(into=bytearray(length)), raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"garbage\r\n\r\n",
        b"\0" * 40_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 40_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nseven\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-7\r\ncontent\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncontent!\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7;" + b"a" * 2_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\n" + b"A: b\r\n" * 3_000 + b"\r\n",
    ],
)
async def test_an_answer_that_is_malformed_closes_the_connection(raw: bytes) -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(raw)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        closed.set()

    async with connected(serve) as (connection, _), asyncio.timeout(10):
        with pytest.raises(HttpError):
            await connection.exchange(asking(into=bytearray(7)))
        assert not connection.is_reusable
        await closed.wait()


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_body_is_complete_with_its_head(method: str, raw: bytes) -> None:
    async with connected(answering_each(raw, raw)) as (connection, _), asyncio.timeout(10):
        for _ in range(2):
            answer = await connection.exchange(asking(method, status=int(raw[9:12])))
            assert answer.body == b""


@pytest.mark.parametrize(
    ("raw", "is_reusable"),
    [
        (SIZED, True),
        (CHUNKED, True),
        (CONTINUED, True),
        (SIZED.replace(b'ETag: "1"', b"Connection: close"), False),
        (SIZED.replace(b"1.1", b"1.0"), False),
        (b"HTTP/1.1 404 No\r\nContent-Length: 7\r\n\r\ncontent", True),
        (b"HTTP/1.1 404 No\r\nContent-Length: 20000\r\n\r\n" + bytes(20_000), False),
    ],
)
async def test_a_connection_is_fit_for_more_after_a_complete_answer_alone(raw: bytes, *, is_reusable: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(raw)
        await reader.read()

    async with connected(serve) as (connection, _), asyncio.timeout(10):
        await connection.exchange(asking())
        assert connection.is_reusable is is_reusable


@pytest.mark.parametrize("raw", [SIZED, CHUNKED])
async def test_what_comes_behind_an_answer_is_never_taken_for_the_next_one(raw: bytes) -> None:
    with pytest.raises(HttpError, match="more came"):
        await answer_to(asking(), raw + b"H")
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(raw)
        await answered.wait()
        writer.write(SIZED)
        await reader.read()
        closed.set()

    answered = asyncio.Event()
    async with connected(serve) as (connection, _), asyncio.timeout(10):
        await connection.exchange(asking())
        answered.set()
        await closed.wait()
        assert not connection.is_reusable
        with pytest.raises(HttpError, match="closed"):
            await connection.exchange(asking())


async def test_a_refusal_is_told_with_what_came_of_its_body_and_leaves_the_buffer_alone() -> None:
    into = bytearray(7)
    whole, _ = await answer_to(asking(into=into), b"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nwhy")
    broken, _ = await answer_to(asking(into=into), b"HTTP/1.1 403 No\r\nContent-Length: 30\r\n\r\nwhy")
    chunked, _ = await answer_to(
        asking(into=into), b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % 20_000 + b"a" * 20_000
    )
    assert (whole.status, whole.body) == (403, b"why")
    assert (broken.status, broken.body) == (403, b"why")
    assert (chunked.status, len(chunked.body)) == (403, SIDE_BODY_BYTES)
    assert into == bytes(7)


@pytest.mark.parametrize("cut", [1, 7])
async def test_a_write_that_was_answered_is_done_whatever_becomes_of_the_answers_body(cut: int) -> None:
    answer, is_reusable = await answer_to(asking("PUT"), SIZED[:-cut])
    assert (answer.status, answer.headers["ETag"], is_reusable) == (200, '"1"', False)


async def test_silence_ends_a_request_and_a_slow_drip_does_not() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for byte in SIZED:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.025)

    async def fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(SIZED[:-1])
        await reader.read()

    async with connected(drip, silence_seconds=1) as (connection, _):
        assert (await connection.exchange(asking())).body == b"content"
    async with connected(fall_silent, silence_seconds=0.3) as (connection, _):
        with pytest.raises(HttpError, match=r"nothing moved for 0\.3 seconds"):
            await connection.exchange(asking())


async def test_a_cancelled_receiver_closes_the_connection_and_its_buffer_is_let_go() -> None:
    half_sent, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(SIZED[:-3])
        half_sent.set()
        assert await reader.read() == b""
        closed.set()

    async with connected(serve) as (connection, _), asyncio.timeout(10):
        into = bytearray(7)

        async def half_received() -> bool:
            return into.startswith(b"cont")

        asked = asyncio.create_task(connection.exchange(asking(into=into)))
        await half_sent.wait()
        await eventually(half_received)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await closed.wait()
        assert not connection.is_reusable
        del asked
        into.clear()  # BufferError while anything still holds a view of it
