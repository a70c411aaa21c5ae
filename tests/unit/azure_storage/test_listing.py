"""Listings that a service refuses in ways that Azurite, with an account's key, never does."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from azure_storage.account_access import AccountAccesses
from azure_storage.account_keys import AccountKeys
from azure_storage.containers import ObjectStorage, Tags
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AuthorizationPermissionMismatchError,
    ListingPositionInvalidError,
    StorageRefusedError,
)
from azure_storage.listed_object import ListedPage
from connector_spi.clock import SystemClock
from tests.unit.azure_storage.stub_service import stub_service
from vault_adapters.memory import InMemoryVault

ACCOUNT, CONTAINER = "acme1", "data"
PAGE = """<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs><Blob><Name>{name}</Name><Properties>
<Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified><Etag>0x1</Etag><Content-Length>3</Content-Length>
<Content-Type>text/csv</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob></Blobs>
<NextMarker>{more}</NextMarker></EnumerationResults>"""
Answer = Callable[[web.Request], web.Response]


def _page(request: web.Request) -> web.Response:
    """Two pages: the first names `second` as the continuation."""
    first = "marker" not in request.query
    text = PAGE.format(name="a" if first else "b", more="second" if first else "")
    return web.Response(text=text, content_type="application/xml")


def _refusal(status: int, code: str) -> web.Response:
    return web.Response(status=status, headers={"x-ms-error-code": code})


@asynccontextmanager
async def _storage(answer: Answer) -> AsyncIterator[ObjectStorage]:
    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    async with stub_service(handle) as (session, url):
        endpoints = StorageEndpoints(url.url.split("/acme1/")[0] + "/{account}")
        accesses = AccountAccesses(AccountKeys(InMemoryVault({ACCOUNT: base64.b64encode(b"key").decode()})))
        yield ObjectStorage(endpoints=endpoints, accesses=accesses, clock=SystemClock(), session=session)


async def _pages(answer: Answer, tags: Tags, continuation: str | None = None) -> list[ListedPage]:
    async with _storage(answer) as storage:
        pages = storage.list_pages(ACCOUNT, CONTAINER, continuation=continuation, tags=tags)
        return [page async for page in pages]


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AuthorizationPermissionMismatch"), (409, "FeatureNotSupportedForAccount")]
)
async def test_where_tags_are_refused_the_listing_goes_on_without_and_says_so(status: int, code: str) -> None:
    asked_for_tags: list[bool] = []

    def answer(request: web.Request) -> web.Response:
        asked_for_tags.append("tags" in request.query["include"])
        return _refusal(status, code) if asked_for_tags[-1] else _page(request)

    pages = await _pages(answer, Tags.IF_PERMITTED)
    assert asked_for_tags == [True, False, False]
    assert [[item.name for item in page.objects] for page in pages] == [["a"], ["b"]]
    assert all(item.tags is None for page in pages for item in page.objects)
    assert all(code in (page.tags_refused or "") for page in pages)


async def test_where_tags_are_required_their_refusal_ends_the_listing() -> None:
    with pytest.raises(AuthorizationPermissionMismatchError):
        await _pages(lambda _: _refusal(403, "AuthorizationPermissionMismatch"), Tags.REQUIRE)


async def test_tags_that_are_left_out_are_not_asked_for() -> None:
    def answer(request: web.Request) -> web.Response:
        assert request.query["include"] == "metadata"
        return _page(request)

    assert [page.tags_refused for page in await _pages(answer, Tags.LEAVE_OUT)] == [None, None]


async def test_another_refusal_is_not_taken_for_one_of_the_tags() -> None:
    with pytest.raises(StorageRefusedError, match="InvalidQueryParameterValue"):
        await _pages(lambda _: _refusal(400, "InvalidQueryParameterValue"), Tags.IF_PERMITTED)


async def test_a_continuation_that_is_not_accepted_is_told_apart() -> None:
    def answer(request: web.Request) -> web.Response:
        assert request.query["marker"] == "stale"
        return _refusal(400, "OutOfRangeInput")

    with pytest.raises(ListingPositionInvalidError, match="from the beginning"):
        await _pages(answer, Tags.LEAVE_OUT, "stale")


async def test_a_listing_without_a_continuation_has_no_position_to_be_invalid() -> None:
    with pytest.raises(StorageRefusedError) as refused:
        await _pages(lambda _: _refusal(400, "OutOfRangeInput"), Tags.LEAVE_OUT)
    assert not isinstance(refused.value, ListingPositionInvalidError)


async def test_the_tags_of_one_object_are_left_out_where_they_are_refused() -> None:
    def answer(request: web.Request) -> web.Response:
        if request.query.get("comp") == "tags":
            return _refusal(403, "AuthorizationPermissionMismatch")
        headers = {"ETag": '"0x1"', "x-ms-blob-type": "BlockBlob", "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        return web.Response(headers=headers)

    async with _storage(answer) as storage:
        assert (await storage.get_object(ACCOUNT, CONTAINER, "a", tags=Tags.IF_PERMITTED)).tags is None
        with pytest.raises(AuthorizationPermissionMismatchError):
            await storage.get_object(ACCOUNT, CONTAINER, "a", tags=Tags.REQUIRE)
