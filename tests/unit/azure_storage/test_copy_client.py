"""Copies from a URL on the wire. Put Blob From URL is tested here alone, because Azurite 3.37 does not have it."""

import pytest
from aiohttp import web

from azure_storage.copy_client import BlobCopyClient, CopiedBlob
from azure_storage.copy_errors import CopyNotSupportedError, CopySourceRefusedError
from azure_storage.errors import BlobAlreadyExistsError
from azure_storage.sas import SasToken
from tests.unit.azure_storage.stub_service import SIGNATURE, Handler, answering, stub_service

SOURCE = SasToken("sp=r&sig=sourcesecret%3D").applied_to("https://acme2.example.com/out/%C3%BC%20a")
ETAG = '"0x1"'


async def _copied(handler: Handler) -> CopiedBlob:
    async with stub_service(handler) as (session, url):
        return await BlobCopyClient(session).put_blob_from_url(url, SOURCE, source_if_match=ETAG)


async def test_a_copy_in_one_call_states_source_condition_and_every_property() -> None:
    seen: list[web.Request] = []

    async def record(request: web.Request) -> web.Response:
        seen.append(request)
        assert await request.read() == b""
        return web.Response(status=201, headers={"ETag": '"0x2"', "x-ms-content-crc64": "iJh5CoYUi64="})

    async with stub_service(record) as (session, url):
        copied = await BlobCopyClient(session).put_blob_from_url(
            url,
            SOURCE,
            source_if_match=ETAG,
            content_type="text/csv",
            content_encoding="gzip",
            metadata={"note": "naïve"},
            tags={"project": "x y"},
            source_content_md5=b"m" * 16,
        )
    assert copied == ('"0x2"', 0xAE8B14860A799888)
    (request,) = seen
    assert (request.method, request.rel_url.raw_query_string) == ("PUT", f"sp=w&sig={SIGNATURE}")
    expected = {
        "Content-Length": "0",
        "If-None-Match": "*",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-copy-source": "https://acme2.example.com/out/%C3%BC%20a?sp=r&sig=sourcesecret%3D",
        "x-ms-source-if-match": ETAG,
        "x-ms-copy-source-blob-properties": "false",
        "x-ms-blob-content-type": "text/csv",
        "x-ms-blob-content-encoding": "gzip",
        "x-ms-meta-note": "na%C3%AFve",
        "x-ms-tags": "project=x+y",
        "x-ms-source-content-md5": "bW1tbW1tbW1tbW1tbW1tbQ==",
        "x-ms-blob-content-md5": "bW1tbW1tbW1tbW1tbW1tbQ==",
    }
    assert {name: request.headers.get(name) for name in expected} == expected


async def test_what_is_there_is_overwritten_on_demand_only() -> None:
    async def refuse_condition(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == "*":
            return web.Response(status=409, headers={"x-ms-error-code": "BlobAlreadyExists"})
        return web.Response(status=201, headers={"ETag": '"0x2"'})

    async with stub_service(refuse_condition) as (session, url):
        client = BlobCopyClient(session)
        with pytest.raises(BlobAlreadyExistsError):
            await client.put_blob_from_url(url, SOURCE, source_if_match=ETAG)
        assert await client.put_blob_from_url(url, SOURCE, source_if_match=ETAG, overwrite=True) == ('"0x2"', None)


async def test_a_service_without_this_copy_is_told_apart_from_a_refusal() -> None:
    with pytest.raises(CopyNotSupportedError, match="Stream"):
        await _copied(answering(500))
    with pytest.raises(CopyNotSupportedError):
        await _copied(answering(501, "NotImplemented"))
    with pytest.raises(CopySourceRefusedError):
        await _copied(answering(403, "CannotVerifyCopySource"))


async def test_no_signature_of_either_side_is_in_an_error() -> None:
    with pytest.raises(CopySourceRefusedError) as refused:
        await _copied(answering(403, "CannotVerifyCopySource", body=f"{SOURCE.secret_text()} {SIGNATURE}"))
    assert "secret" not in repr(refused.value)
    assert "secret" not in refused.value.message


async def test_a_source_checksum_of_a_block_is_sent_in_its_own_header() -> None:
    seen: list[dict[str, str]] = []

    async def record(request: web.Request) -> web.Response:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response(status=201)

    async with stub_service(record) as (session, url):
        reported = await BlobCopyClient(session).put_block_from_url(
            url, "n-1", SOURCE, offset=10, length=5, source_if_match=ETAG, source_content_crc64=b"12345678"
        )
    assert reported is None
    assert seen[0]["x-ms-source-range"] == "bytes=10-14"
    assert seen[0]["x-ms-source-content-crc64"] == "MTIzNDU2Nzg="
    assert "x-ms-content-crc64" not in seen[0]
