"""What Azurite never does: answers that break off, lie, or come too late. The server is a real one on loopback."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from azure_storage.block_client import BlockBlobClient
from azure_storage.errors import ChecksumMismatchError, StorageBusyError, StorageRefusedError, StorageUnavailableError
from azure_storage.sas import SasToken, SignedUrl
from azure_storage.session import open_storage_session
from connector_spi.errors import InvalidInputError
from tests.unit.azure_storage.stub_service import Handler, stub_service

BODY = b"content"


@asynccontextmanager
async def _client_of(
    handler: Handler, *, call_seconds: float = 5.0
) -> AsyncIterator[tuple[BlockBlobClient, SignedUrl]]:
    async with stub_service(handler) as (session, url):
        yield BlockBlobClient(session, call_seconds=call_seconds), url


async def test_the_signature_and_the_parameters_reach_the_service_unchanged() -> None:
    seen: list[str] = []

    async def record(request: web.Request) -> web.Response:
        seen.append(request.rel_url.raw_query_string)
        return web.Response(status=201)

    async with _client_of(record) as (client, url):
        await client.put_block(url, "n0nce+00001", BODY)
    block_id = base64.b64encode(b"n0nce+00001").decode().replace("+", "%2B").replace("=", "%3D")
    assert seen == [f"sp=w&sig=topsecret%2B%2F%3D&comp=block&blockid={block_id}"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_a_large_body_arrives_whole_with_its_length_and_checksum(kind: Callable[[bytes], bytes]) -> None:
    content = bytes(range(256)) * 12_345
    received: list[bytes] = []

    async def record(request: web.Request) -> web.Response:
        received.append(await request.read())
        assert request.headers["Content-Length"] == str(len(content))
        return web.Response(status=201, headers={"Content-MD5": request.headers["Content-MD5"]})

    async with _client_of(record) as (client, url):
        await client.put_block(
            url, "1", kind(content), content_md5=hashlib.md5(content, usedforsecurity=False).digest()
        )
    assert received == [content]


@pytest.mark.parametrize("header", ["Content-MD5", "x-ms-content-crc64"])
async def test_an_answered_checksum_of_other_bytes_is_a_mismatch(header: str) -> None:
    async def lie(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=201, headers={header: base64.b64encode(b"other").decode()})

    async with _client_of(lie) as (client, url):
        with pytest.raises(ChecksumMismatchError, match=r"acme1/data/a\.bin"):
            await client.put_block(url, "1", BODY, content_md5=b"m" * 16, content_crc64=b"c" * 8)


async def test_a_block_tells_the_crc64_that_the_service_reports() -> None:
    async def report(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=201, headers={"x-ms-content-crc64": "iJh5CoYUi64="})

    async with _client_of(report) as (client, url):
        assert await client.put_block(url, "1", BODY) == 0xAE8B14860A799888


@pytest.mark.parametrize("sent", [b"", b"conte", b"content and more"])
async def test_an_answer_of_another_length_is_never_taken_for_the_range(sent: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=206, body=sent)

    async with _client_of(answer) as (client, url):
        with pytest.raises(StorageUnavailableError, match="bytes came"):
            await client.get_range(url, offset=0, length=len(BODY), if_match='"1"')


async def test_a_whole_blob_is_never_taken_for_a_range() -> None:
    async def ignore_range(_: web.Request) -> web.Response:
        return web.Response(status=200, body=BODY)

    async with _client_of(ignore_range) as (client, url):
        with pytest.raises(StorageRefusedError, match="HTTP 200"):
            await client.get_range(url, offset=7, length=len(BODY), if_match='"1"')


async def test_an_answer_that_breaks_off_is_transient() -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=206, headers={"Content-Length": str(len(BODY))})
        await response.prepare(request)
        await response.write(BODY[:3])
        assert request.transport is not None
        request.transport.close()
        return response

    async with _client_of(break_off) as (client, url):
        with pytest.raises(StorageUnavailableError) as broken:
            await client.get_range(url, offset=0, length=len(BODY), if_match='"1"')
    assert "topsecret" not in str(broken.value)


async def test_a_gzip_blob_is_read_as_the_bytes_that_it_is() -> None:
    async def compressed(_: web.Request) -> web.Response:
        return web.Response(status=206, body=BODY, headers={"Content-Encoding": "gzip"})

    async with _client_of(compressed) as (client, url):
        assert await client.get_range(url, offset=0, length=len(BODY), if_match='"1"') == BODY


async def test_a_busy_service_says_how_long_to_wait() -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"x-ms-error-code": "ServerBusy", "Retry-After": "3"})

    async with _client_of(busy) as (client, url):
        with pytest.raises(StorageBusyError) as refused:
            await client.get_range(url, offset=0, length=1, if_match='"1"')
    assert refused.value.retry_after_seconds == 3


async def test_tags_go_as_a_query_string_and_no_tags_as_no_header() -> None:
    seen: list[str | None] = []

    async def record(request: web.Request) -> web.Response:
        await request.read()
        seen.append(request.headers.get("x-ms-tags"))
        return web.Response(status=201)

    async with _client_of(record) as (client, url):
        await client.put_block_list(url, [], tags={"a b": "c&d", "e": "+"})
        await client.put_blob(url, BODY, tags={})
        with pytest.raises(InvalidInputError, match="tags"):
            await client.put_blob(url, BODY, tags={str(number): "" for number in range(11)})
    assert seen == ["a+b=c%26d&e=%2B", None]


async def test_a_redirect_is_not_followed() -> None:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/elsewhere"})

    async with _client_of(redirect) as (client, url):
        with pytest.raises(StorageRefusedError, match="HTTP 302"):
            await client.get_range(url, offset=0, length=1, if_match='"1"')


async def test_a_service_that_does_not_answer_in_time_is_transient() -> None:
    released = asyncio.Event()

    async def hang_until_released(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=206, headers={"Content-Length": "10"})
        await response.prepare(request)
        await released.wait()
        return response

    async with _client_of(hang_until_released, call_seconds=0.05) as (client, url):
        with pytest.raises(StorageUnavailableError, match="Timeout"):
            await client.get_range(url, offset=0, length=10, if_match='"1"')
        released.set()


async def test_a_refused_connection_is_transient_and_shows_no_signature() -> None:
    async with open_storage_session() as session:
        url = SasToken("sig=topsecret").applied_to("http://127.0.0.1:1/acme1/data/a.bin")
        with pytest.raises(StorageUnavailableError, match=r"acme1/data/a\.bin") as refused:
            await BlockBlobClient(session).put_blob(url, BODY)
    assert "topsecret" not in repr(refused.value)
    assert refused.value.__cause__ is None
