"""An HTTP source reads one version of one object, whatever the server is able to do."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from connector_spi.errors import (
    ForbiddenAddressError,
    InvalidInputError,
    PermanentError,
    SecretNotFoundError,
    TransientError,
)
from connector_spi.outbound_addresses import OutboundAddressPolicy
from data_plane.adapters.http_errors import (
    HttpAccessDeniedError,
    HttpLengthUnknownError,
    HttpNotFoundError,
    HttpRedirectedError,
    HttpSourceIsListingError,
    HttpUnavailableError,
)
from data_plane.adapters.http_source import HttpDataSource, HttpDataSourceFactory
from data_plane.domain.errors import SourceObjectChangedError
from data_plane.domain.object_copy import SourceObject
from data_plane.services.public_reads import LISTING_TYPE
from outbound_http.guarded_session import open_guarded_session
from tests.eventually import eventually
from tests.http_objects import HttpObjects
from tests.unit.data_plane.http_rig import DIGEST_MAX_BYTES, HttpRig, http_rig
from vault_adapters.memory import InMemoryVault

LARGE = bytes(range(256)) * (DIGEST_MAX_BYTES // 64)  # four times what is pinned by its digest
BLOCK = len(LARGE) // 8


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with http_rig(HttpObjects({"large": LARGE, "small": b"0123456789", "empty": b""})) as opened:
        yield opened


async def described(source: HttpDataSource) -> SourceObject:
    [page] = [page async for page in source.objects()]
    [found] = page.objects
    return found


async def read_in_parallel(source: HttpDataSource, found: SourceObject) -> bytes:
    offsets = range(0, found.size, BLOCK)
    blocks = await asyncio.gather(*(source.read(found, at, min(BLOCK, found.size - at)) for at in offsets))
    return b"".join(blocks)


SERVERS: dict[str, dict[str, Any]] = {
    "ranges and tags": {},
    "ranges and dates": {"validator": "last-modified"},
    "ranges, no version": {"validator": "none"},
    "tags, no ranges": {"ranges": False},
    "neither": {"ranges": False, "validator": "none"},
}


@pytest.mark.parametrize("able", SERVERS.values(), ids=list(SERVERS))
async def test_blocks_read_side_by_side_are_the_object(rig: HttpRig, able: dict[str, Any]) -> None:
    vars(rig.server).update(able)
    async with rig.source("large") as source:
        found = await described(source)
        assert (found.name, found.size, found.content_type) == ("large", len(LARGE), "text/plain")
        assert await read_in_parallel(source, found) == LARGE


async def test_each_block_is_one_request_of_the_pinned_version_where_the_server_can(rig: HttpRig) -> None:
    async with rig.source("large") as source:
        found = await described(source)
        await read_in_parallel(source, found)
    reads = [headers for _, headers in rig.server.of("GET")[1:]]
    assert {headers["range"] for headers in reads} == {
        f"bytes={at}-{at + BLOCK - 1}" for at in range(0, len(LARGE), BLOCK)
    }
    assert {headers["if-match"] for headers in reads} == {found.etag}


async def test_without_ranges_blocks_that_are_read_side_by_side_cost_one_request(rig: HttpRig) -> None:
    rig.server.ranges = False
    async with rig.source("large") as source:
        found = await described(source)
        await read_in_parallel(source, found)
    assert len(rig.server.of("GET")) == 2


@pytest.mark.parametrize("able", SERVERS.values(), ids=list(SERVERS))
async def test_after_a_break_the_read_succeeds_when_it_is_repeated(rig: HttpRig, able: dict[str, Any]) -> None:
    vars(rig.server).update(able)
    async with rig.source("large") as source:
        found = await described(source)
        rig.server.break_after = [BLOCK // 2]
        with pytest.raises(TransientError):
            await source.read(found, 0, BLOCK)
        assert await source.read(found, 0, BLOCK) == LARGE[:BLOCK]
        assert await source.read(found, BLOCK, BLOCK) == LARGE[BLOCK : 2 * BLOCK]


async def test_without_ranges_a_block_behind_is_read_from_a_new_answer(rig: HttpRig) -> None:
    rig.server.ranges = False
    async with rig.source("large") as source:
        found = await described(source)
        assert await source.read(found, 3 * BLOCK, BLOCK) == LARGE[3 * BLOCK : 4 * BLOCK]
        assert await source.read(found, BLOCK, BLOCK) == LARGE[BLOCK : 2 * BLOCK]


@pytest.mark.parametrize("heeds_conditions", [True, False])
@pytest.mark.parametrize("able", [{}, {"ranges": False}, {"validator": "last-modified"}], ids=str)
async def test_another_version_is_never_read(rig: HttpRig, able: dict[str, Any], *, heeds_conditions: bool) -> None:
    vars(rig.server).update(able)
    rig.server.heeds_conditions = heeds_conditions
    async with rig.source("large") as source:
        found = await described(source)
        rig.server.objects["large"] = LARGE[::-1]
        rig.server.changed["large"] = "Sat, 02 May 2026 10:00:00 GMT"
        with pytest.raises(SourceObjectChangedError):
            await source.read(found, 0, BLOCK)
        assert (await source.current(found)).etag != found.etag


async def test_a_size_that_changed_is_another_version(rig: HttpRig) -> None:
    rig.server.validator = "none"
    async with rig.source("large") as source:
        found = await described(source)
        rig.server.objects["large"] = LARGE + b"more"
        with pytest.raises(SourceObjectChangedError):
            await source.read(found, 0, BLOCK)


@pytest.mark.parametrize("ranges", [True, False])
async def test_without_a_version_a_repeated_part_has_to_be_the_same(rig: HttpRig, *, ranges: bool) -> None:
    vars(rig.server).update(ranges=ranges, validator="none")
    async with rig.source("large") as source:
        found = await described(source)
        for at in (0, BLOCK):
            await source.read(found, at, BLOCK)
        rig.server.objects["large"] = b"X" + LARGE[1:]
        rig.server.break_after = [BLOCK]
        await source.aclose()
        with pytest.raises(SourceObjectChangedError):
            await source.read(found, 2 * BLOCK, BLOCK)


async def test_without_a_version_no_part_is_read_whose_beginning_is_not_known(rig: HttpRig) -> None:
    rig.server.validator = "none"
    async with rig.source("large") as source:
        found = await described(source)
        with pytest.raises(TransientError):
            await source.read(found, BLOCK, BLOCK)


async def test_without_a_version_a_large_copy_is_not_continued_by_another_process(rig: HttpRig) -> None:
    rig.server.validator = "none"
    async with rig.source("large") as source, rig.source("large") as restarted:
        found = await described(source)
        with pytest.raises(SourceObjectChangedError, match="names no version"):
            await restarted.read(found, 0, BLOCK)


async def test_a_list_of_objects_is_no_object(rig: HttpRig) -> None:
    rig.server.types["small"] = LISTING_TYPE
    async with rig.source("small") as source:
        with pytest.raises(HttpSourceIsListingError, match="several objects"):
            await described(source)


async def test_without_a_version_a_small_object_is_known_by_its_digest(rig: HttpRig) -> None:
    rig.server.validator = "none"
    async with rig.source("small") as source, rig.source("small") as restarted:
        found = await described(source)
        assert await restarted.read(found, 0, 10) == b"0123456789"
        assert await restarted.read(found, 3, 4) == b"3456"
        rig.server.objects["small"] = b"9876543210"
        with pytest.raises(SourceObjectChangedError):
            await restarted.read(found, 0, 10)


async def test_a_date_of_just_now_pins_nothing(rig: HttpRig) -> None:
    rig.server.validator = "last-modified"
    rig.server.changed["small"] = format_datetime(datetime.now(UTC), usegmt=True)
    async with rig.source("small") as source:
        assert (await described(source)).etag.startswith("sha256:")


@pytest.mark.parametrize("validator", ["etag", "none"])
async def test_a_small_object_of_unknown_length_is_served(rig: HttpRig, validator: str) -> None:
    vars(rig.server).update(ranges=False, tells_length=False, validator=validator)
    async with rig.source("small") as source:
        found = await described(source)
        assert (found.size, bytes(await source.read(found, 0, found.size))) == (10, b"0123456789")


async def test_a_large_object_of_unknown_length_is_refused(rig: HttpRig) -> None:
    vars(rig.server).update(ranges=False, tells_length=False)
    async with rig.source("large") as source:
        with pytest.raises(HttpLengthUnknownError, match="Content-Length"):
            await described(source)


@pytest.mark.parametrize("able", SERVERS.values(), ids=list(SERVERS))
async def test_an_empty_object_is_an_object(rig: HttpRig, able: dict[str, Any]) -> None:
    vars(rig.server).update(able)
    async with rig.source("empty") as source:
        found = await described(source)
        assert (found.size, bytes(await source.read(found, 0, 0))) == (0, b"")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, HttpAccessDeniedError),
        (403, HttpAccessDeniedError),
        (404, HttpNotFoundError),
        (410, HttpNotFoundError),
        (302, HttpRedirectedError),
        (418, PermanentError),
        (500, HttpUnavailableError),
        (502, HttpUnavailableError),
        (429, HttpUnavailableError),
        (503, HttpUnavailableError),
    ],
)
async def test_a_refusal_is_told_apart(rig: HttpRig, status: int, error: type[Exception]) -> None:
    rig.server.refusals = [(status, {"Location": "http://10.0.0.1/", "Retry-After": "7"})]
    async with rig.source("small", queryParams="a=b") as source:
        with pytest.raises(error, match=f"HTTP {status}") as refused:
            await described(source)
    assert getattr(refused.value, "retry_after_seconds", 7.0) == 7.0
    assert "a=b" not in str(refused.value)
    assert len(rig.server.requests) == 1


async def test_a_server_that_is_not_there_is_tried_again(rig: HttpRig) -> None:
    async with rig.source("small") as source:
        rig.server.refusals = [(503, {})]
        with pytest.raises(HttpUnavailableError):
            await described(source)
        assert (await described(source)).size == 10


async def test_the_credential_of_the_vault_goes_into_the_header_that_the_address_names(rig: HttpRig) -> None:
    rig.secrets["api"] = "TOP-SECRET"
    for properties in ({}, {"authType": "bearer"}, {"authHeader": "X-Api-Key", "header:Accept": "text/csv"}):
        async with rig.source("small", keyName="api", queryParams="?from=1&to=ü", **properties) as source:
            await described(source)
    first, second, third = rig.server.of("GET")
    assert first[0] == "/small?from=1&to=%C3%BC"
    assert first[1]["authorization"] == "TOP-SECRET"
    assert second[1]["authorization"] == "Bearer TOP-SECRET"
    assert (third[1]["x-api-key"], third[1]["accept"]) == ("TOP-SECRET", "text/csv")


async def test_a_missing_credential_shows_at_once(rig: HttpRig) -> None:
    with pytest.raises(SecretNotFoundError):
        async with rig.source("small", secretName="nowhere"):
            pass
    assert not rig.server.requests


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"baseUrl": ""}, "baseUrl"),
        ({"baseUrl": "ftp://x.example/"}, "baseUrl"),
        ({"baseUrl": "http://user:pw@127.0.0.1/"}, "baseUrl"),
        ({"baseUrl": "http://127.0.0.1/?sig=1"}, "baseUrl"),
        ({"baseUrl": "http://127.0.0.1\\@x.example/"}, "baseUrl"),
        ({"path": "a?b=c"}, "path"),
        ({"queryParams": "sig=abc"}, "queryParams.sig"),
        ({"queryParams": "a=1&api_key=abc"}, "queryParams.api_key"),
        ({"header:Authorization": "x"}, "header:Authorization"),
        ({"header:Cookie": "x"}, "header:Cookie"),
        ({"header:Host": "x"}, "header:Host"),
        ({"header:Range": "bytes=0-1"}, "header:Range"),
        ({"header:X-A": "a\r\nb: c"}, "header:X-A"),
        ({"method": "POST"}, "method"),
        ({"authType": "basic"}, "authType"),
        ({"authHeader": "a b"}, "authHeader"),
        ({"oauth2:tokenUrl": "https://x.example"}, "oauth2:tokenUrl"),
        ({"body": "x"}, "body"),
    ],
)
async def test_what_is_not_understood_or_would_be_a_secret_is_refused_by_name(
    rig: HttpRig, properties: dict[str, str], named: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        rig.sources.accepted(rig.address("small").with_properties(**properties))
    assert refused.value.field == named
    assert "abc" not in str(refused.value)


async def test_what_has_no_effect_is_dropped_and_an_endpoint_is_the_base(rig: HttpRig) -> None:
    sent = rig.address("a b", endpoint="http://127.0.0.1/x/", proxyPath="true", type="HttpData", secretName="alias")
    kept = rig.sources.accepted(sent.without("baseUrl"))
    assert dict(kept.properties) == {"baseUrl": "http://127.0.0.1/x/", "path": "a b", "keyName": "alias"}


async def test_an_address_inside_is_refused_when_it_is_accepted_or_at_the_latest_when_it_is_called() -> None:
    public_only = OutboundAddressPolicy(allow_http=True)
    async with http_rig() as rig, open_guarded_session(public_only) as session:
        sources = HttpDataSourceFactory(vault=InMemoryVault({}), session=session, policy=public_only)
        async with sources.open(sources.accepted(rig.address("x"))) as source:
            with pytest.raises(ForbiddenAddressError, match=r"127\.0\.0\.1"):
                await described(source)
        assert not rig.server.requests
        strict = HttpDataSourceFactory(vault=InMemoryVault({}), session=session, policy=OutboundAddressPolicy())
        with pytest.raises(InvalidInputError, match="use https"):
            strict.accepted(rig.address("x"))


async def test_a_read_that_is_cancelled_closes_its_connection(rig: HttpRig) -> None:
    rig.server.ranges = False
    async with rig.source("large") as source:
        found = await described(source)
        rig.server.going.clear()
        reading = asyncio.create_task(source.read(found, 0, BLOCK))
        waiting = asyncio.create_task(source.read(found, BLOCK, BLOCK))

        async def is_asked() -> bool:
            return len(rig.server.of("GET")) == 2

        await eventually(is_asked)
        reading.cancel()
        await asyncio.wait({reading}, timeout=10)
        assert reading.cancelled()
        rig.server.going.set()
        assert await waiting == LARGE[BLOCK : 2 * BLOCK]
