"""Which base address a counterparty has: from its version document, looked at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connector_spi.errors import ForbiddenAddressError, PeerRefusedError, PeerUnavailableError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.version_directory import (
    DOCUMENT_MAX_BYTES,
    KEPT_SECONDS,
    NOTHING_KEPT_SECONDS,
    UNREACHABLE_KEPT_SECONDS,
    UnsupportedVersionError,
    VersionDirectory,
)
from outbound_http.guarded_client import guarded_client
from tests.loopback_server import LoopbackServer, Respond, answering, loopback_server

OPEN = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)


class Monotonic:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def entry(version: str, path: str, **members: Any) -> dict[str, Any]:
    return {"version": version, "path": path, "binding": "HTTPS", **members}


def document(*entries: Any) -> Respond:
    return answering(json.dumps({"protocolVersions": list(entries)}).encode())


@asynccontextmanager
async def directory(
    respond: Respond, *, call_seconds: float = 5
) -> AsyncIterator[tuple[VersionDirectory, LoopbackServer, Monotonic]]:
    clock = Monotonic()
    async with loopback_server(respond) as server, guarded_client(OPEN, call_seconds=5) as http:
        yield VersionDirectory(http, call_seconds=call_seconds, monotonic=clock), server, clock


NOWHERE = answering(b"", status="404 Not Found")


@pytest.mark.parametrize("given", ["/api/dsp", "/api/dsp/", "/api/dsp/2025-1", "/api/dsp/2025-1/"])
@pytest.mark.parametrize(("path", "base"), [("/2025-1", "/api/dsp/2025-1"), ("/v3/", "/api/dsp/v3"), ("/", "/api/dsp")])
async def test_the_document_below_the_root_says_where_our_version_is(given: str, path: str, base: str) -> None:
    theirs = document(entry("2024-1", "/2024-1"), entry("2025-1", path, serviceId="s", new=[1]))
    async with directory(theirs) as (versions, server, _):
        assert await versions.base_address(server.address + given) == server.address + base
    assert [request.split(" HTTP")[0] for request in server.requests] == ["GET /api/dsp/.well-known/dspace-version"]
    assert "authorization" not in server.requests[0].lower()


@pytest.mark.parametrize(
    "respond",
    [
        NOWHERE,
        answering(b"", status="401 Unauthorized"),
        answering(b"", status="500 Internal Server Error"),
        answering(b"", status="302 Found", headers=("Location: http://127.0.0.1:1/",)),
        answering(b"<html>"),
        answering(b"[]"),
        answering(b"{}"),
        answering(b'{"protocolVersions": 1}'),
        answering(b"[" * 10_000),
    ],
)
async def test_who_has_no_document_is_taken_at_the_addresss_word(respond: Respond) -> None:
    async with directory(respond) as (versions, server, _):
        for _ in range(3):
            assert await versions.base_address(f"{server.address}/some/base/") == f"{server.address}/some/base"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([entry("2024-1", "/2024-1"), entry("1.0", "/")], "2024-1, 1.0"),
        ([], "none over HTTPS"),
        ([{**entry("2025-1", "/2025-1"), "binding": "MQTT"}], "none over HTTPS"),
        ([entry("2025-1", "@elsewhere.example/")], "none over HTTPS"),
        ([entry("2025-1", "/../admin")], "none over HTTPS"),
        ([entry("2025-1", "//elsewhere.example")], "none over HTTPS"),
        ([entry("2025-1", "/x?y#z")], "none over HTTPS"),
        ([entry("2025-1", "/x\n")], "none over HTTPS"),
        ([1, None, {}], "none over HTTPS"),
    ],
)
async def test_who_speaks_other_versions_alone_is_refused_with_both_named(entries: list[Any], named: str) -> None:
    async with directory(document(*entries)) as (versions, server, _):
        with pytest.raises(UnsupportedVersionError, match="2025-1") as refused:
            await versions.base_address(server.address)
    assert f"({named})" in refused.value.message
    assert isinstance(refused.value, PeerRefusedError)


async def test_all_who_ask_at_once_share_one_look() -> None:
    async with directory(document(entry("2025-1", "/v"))) as (versions, server, _):
        found = await asyncio.gather(*(versions.base_address(server.address) for _ in range(20)))
    assert (set(found), len(server.requests)) == ({f"{server.address}/v"}, 1)


async def test_a_document_is_looked_at_again_when_it_is_old() -> None:
    async with directory(document(entry("2025-1", "/v"))) as (versions, server, clock):
        for passed, looks in ((0.0, 1), (KEPT_SECONDS - 1, 1), (2.0, 2)):
            clock.seconds += passed
            await versions.base_address(server.address)
            assert len(server.requests) == looks


async def test_that_there_is_none_is_forgotten_soon() -> None:
    async with directory(NOWHERE) as (versions, server, clock):
        for passed, looks in ((0.0, 1), (NOTHING_KEPT_SECONDS - 1, 1), (2.0, 2)):
            clock.seconds += passed
            await versions.base_address(server.address)
            assert len(server.requests) == looks


async def silent(_writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "respond",
    [
        silent,
        answering(b"", status="503 Later"),
        answering(b"", status="429 Slowly"),
        answering(b"x" * (DOCUMENT_MAX_BYTES + 1)),
    ],
)
async def test_who_does_not_answer_now_keeps_an_address_with_the_version_and_otherwise_makes_us_wait(
    respond: Respond,
) -> None:
    """A message to a guessed address could be answered 404, which is final."""
    async with directory(respond, call_seconds=0.2) as (versions, server, _):
        assert await versions.base_address(f"{server.address}/2025-1") == f"{server.address}/2025-1"
        for _ in range(3):
            with pytest.raises(PeerUnavailableError):
                await versions.base_address(server.address)
    assert server.connections == 2


async def test_who_did_not_answer_is_asked_again_in_seconds() -> None:
    async with directory(answering(b"", status="503 Later")) as (versions, server, clock):
        for passed, looks in ((0.0, 1), (UNREACHABLE_KEPT_SECONDS - 1, 1), (2.0, 2)):
            clock.seconds += passed
            with pytest.raises(PeerUnavailableError):
                await versions.base_address(server.address)
            assert len(server.requests) == looks


@pytest.mark.parametrize("address", ["http://10.0.0.1/x", "ftp://them.example", "not a url", "http://[", "https://"])
async def test_an_address_that_may_not_be_called_is_not_asked(address: str) -> None:
    async with directory(NOWHERE) as (versions, _, _):
        with pytest.raises(ForbiddenAddressError):
            await versions.base_address(address)


async def test_more_addresses_than_are_kept_do_not_stay_in_memory() -> None:
    async with directory(NOWHERE) as (versions, server, _):
        first = f"{server.address}/first"
        await versions.base_address(first)
        for number in range(1000):
            await versions.base_address(f"{server.address}/{number}")
        await versions.base_address(first)
    assert sum("/first/" in request for request in server.requests) == 2
