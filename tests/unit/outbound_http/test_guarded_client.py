"""The client for outsiders' addresses calls what is allowed, connects to what it checked, and reads within limits."""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from connector_spi.errors import ForbiddenAddressError, PeerUnavailableError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from outbound_http.guarded_client import RESPONSE_MAX_BYTES, guarded_client, read_limited
from tests.loopback_server import answering, loopback_server

LOOPBACK = ("127.0.0.0/8", "::1/128")
OPEN = OutboundAddressPolicy(allowed_networks=LOOPBACK, allow_http=True)


async def get(url: str, policy: OutboundAddressPolicy = OPEN) -> tuple[int, bytes]:
    async with guarded_client(policy, call_seconds=5) as client, client.stream("GET", url) as response:
        return response.status_code, await read_limited(response)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What a name resolves to, for this test; the machine's own resolver answers for every other name."""
    table: dict[str, list[str]] = {}
    asked = socket.getaddrinfo

    def resolve(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        found = table.get(host)
        if found is None:
            return list(asked(host, port, *args, **kwargs))
        return [entry for address in found for entry in asked(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return table


async def test_what_is_allowed_is_called() -> None:
    async with loopback_server(answering(b'{"a": 1}')) as server:
        assert await get(f"{server.address}/x?y=z") == (200, b'{"a": 1}')
    assert server.requests[0].startswith("GET /x?y=z HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "policy",
    [
        OutboundAddressPolicy(allow_http=True),
        OutboundAddressPolicy(allowed_networks=("10.0.0.0/8",), allow_http=True),
        OutboundAddressPolicy(allowed_networks=LOOPBACK),
        OutboundAddressPolicy(allowed_hosts=("them.example",), allowed_networks=LOOPBACK, allow_http=True),
    ],
    ids=["loopback", "another network", "http", "another host"],
)
async def test_what_is_not_allowed_is_not_even_connected_to(policy: OutboundAddressPolicy) -> None:
    async with loopback_server(answering()) as server:
        with pytest.raises(ForbiddenAddressError):
            await get(server.address, policy)
    assert server.connections == 0


async def test_the_connection_goes_to_the_checked_address_under_the_name_that_was_asked_for(
    names: dict[str, list[str]],
) -> None:
    names["partner.example"] = ["127.0.0.1"]
    async with loopback_server(answering()) as server:
        assert (await get(f"http://partner.example:{server.port}/x"))[0] == 200
    assert f"host: partner.example:{server.port}\r\n" in server.requests[0].lower()


async def test_a_name_that_changes_its_address_after_the_check_is_not_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rebinding: the first answer passes the check, a second one would lead elsewhere."""
    answers = ["127.0.0.1", "127.0.0.2"]
    asked = socket.getaddrinfo

    def resolve(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        return list(asked(answers.pop(0) if host == "partner.example" else host, port, *args, **kwargs))

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    only_first = OutboundAddressPolicy(allowed_networks=("127.0.0.1/32",), allow_http=True)
    async with loopback_server(answering()) as server:
        assert (await get(f"http://partner.example:{server.port}/", only_first))[0] == 200
    assert answers == ["127.0.0.2"]


@pytest.mark.parametrize("addresses", [["93.184.215.14", "127.0.0.1"], ["127.0.0.1", "93.184.215.14"]])
async def test_one_private_address_among_public_ones_is_enough_to_refuse(
    names: dict[str, list[str]], addresses: list[str]
) -> None:
    names["mixed.example"] = addresses
    with pytest.raises(ForbiddenAddressError, match=r"127\.0\.0\.1"):
        await get("http://mixed.example/", OutboundAddressPolicy(allow_http=True))


async def test_the_next_address_is_tried_when_one_does_not_answer(names: dict[str, list[str]]) -> None:
    names["two.example"] = ["127.0.0.2", "127.0.0.1"]
    async with loopback_server(answering()) as server:
        assert (await get(f"http://two.example:{server.port}/"))[0] == 200


async def test_ipv6_addresses_are_called_too() -> None:
    async with loopback_server(answering(), host="::1") as server:
        assert (await get(server.address))[0] == 200


async def test_a_redirect_is_not_followed() -> None:
    async with loopback_server(answering()) as elsewhere:
        moved = answering(status="302 Found", headers=(f"Location: {elsewhere.address}/",))
        async with loopback_server(moved) as server:
            assert (await get(server.address))[0] == 302
    assert elsewhere.connections == 0


async def test_no_proxy_of_the_environment_sees_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async with loopback_server(answering()) as proxy, loopback_server(answering()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        monkeypatch.setenv("ALL_PROXY", proxy.address)
        await get(server.address)
    assert proxy.connections == 0


async def test_no_connection_is_used_for_a_second_name_at_the_same_address(names: dict[str, list[str]]) -> None:
    """The certificate of the first name would not have been that of the second."""
    names.update({"one.example": ["127.0.0.1"], "two.example": ["127.0.0.1"]})
    async with loopback_server(answering()) as server, guarded_client(OPEN, call_seconds=5) as client:
        for name in ("one.example", "two.example"):
            assert (await client.get(f"http://{name}:{server.port}/")).status_code == 200
    assert server.connections == 2


async def test_an_answer_is_read_up_to_the_limit_only() -> None:
    async with loopback_server(answering(b"x" * RESPONSE_MAX_BYTES)) as server:
        assert len((await get(server.address))[1]) == RESPONSE_MAX_BYTES
    async with loopback_server(answering(b"x" * (RESPONSE_MAX_BYTES + 1))) as server:
        with pytest.raises(PeerUnavailableError, match="larger"):
            await get(server.address)
    packed = answering(gzip.compress(b"x" * 10 * RESPONSE_MAX_BYTES), headers=("Content-Encoding: gzip",))
    async with loopback_server(packed) as server:
        with pytest.raises(PeerUnavailableError, match="larger"):
            await get(server.address)


async def breaks_off(writer: asyncio.StreamWriter) -> None:
    await answering(b"half", length=1000)(writer)
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    "respond", [breaks_off, answering(b"no gzip", headers=("Content-Encoding: gzip",))], ids=["short", "encoding"]
)
async def test_an_answer_that_cannot_be_read_is_a_passing_trouble(
    respond: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> None:
    async with loopback_server(respond) as server:
        with pytest.raises(PeerUnavailableError):
            await get(server.address)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".example"])
async def test_a_name_that_cannot_be_resolved_is_a_failed_connection(host: str) -> None:
    with pytest.raises((httpx.ConnectError, httpx.InvalidURL)):
        await get(f"http://{host}/")
