"""What calls outsiders' addresses calls only what is allowed, and connects to what it checked: each kind of client."""

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import httpx
import pytest
from yarl import URL

from connector_spi.errors import ForbiddenAddressError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from outbound_http.guarded_client import guarded_client, read_limited
from outbound_http.guarded_session import open_guarded_session
from tests.loopback_server import answering, loopback_server
from tests.unit.outbound_http.conftest import LOOPBACK, OPEN

Get = Callable[..., Awaitable[tuple[int, bytes]]]


async def _by_client(url: str, policy: OutboundAddressPolicy = OPEN) -> tuple[int, bytes]:
    async with guarded_client(policy, call_seconds=5) as client, client.stream("GET", url) as response:
        return response.status_code, await read_limited(response)


async def _by_session(url: str, policy: OutboundAddressPolicy = OPEN) -> tuple[int, bytes]:
    async with open_guarded_session(policy) as session, session.request("GET", URL(url), headers={}) as answer:
        return answer.status, await answer.read()


@pytest.fixture(params=[_by_client, _by_session], ids=["client", "session"])
def get(request: pytest.FixtureRequest) -> Get:
    """Asks for an address, and reads the answer."""
    wanted: Get = request.param
    return wanted


async def test_what_is_allowed_is_called(get: Get) -> None:
    async with loopback_server(answering(b"body")) as server:
        assert await get(f"{server.address}/x?y=z") == (200, b"body")
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
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_what_is_not_allowed_is_not_even_connected_to(get: Get, policy: OutboundAddressPolicy, host: str) -> None:
    async with loopback_server(answering()) as server:
        with pytest.raises(ForbiddenAddressError):
            await get(f"http://{host}:{server.port}/", policy)
    assert server.connections == 0


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.0.0.1"])
async def test_another_spelling_of_an_address_is_no_way_round(get: Get, host: str) -> None:
    async with loopback_server(answering()) as server:
        with pytest.raises((ForbiddenAddressError, aiohttp.ClientError, httpx.TransportError)):
            await get(f"http://{host}:{server.port}/", OutboundAddressPolicy(allow_http=True))
    assert server.connections == 0


async def test_the_connection_goes_to_the_checked_address_under_the_name_that_was_asked_for(
    get: Get, names: dict[str, list[str]]
) -> None:
    names["partner.example"] = ["127.0.0.1"]
    async with loopback_server(answering()) as server:
        assert (await get(f"http://partner.example:{server.port}/x"))[0] == 200
    assert f"host: partner.example:{server.port}\r\n" in server.requests[0].lower()


async def test_a_name_that_changes_its_address_after_the_check_is_not_looked_up_again(
    get: Get, monkeypatch: pytest.MonkeyPatch
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
    get: Get, names: dict[str, list[str]], addresses: list[str]
) -> None:
    names["mixed.example"] = addresses
    with pytest.raises(ForbiddenAddressError, match=r"127\.0\.0\.1"):
        await get("http://mixed.example/", OutboundAddressPolicy(allow_http=True))


async def test_a_redirect_is_not_followed(get: Get) -> None:
    async with loopback_server(answering()) as elsewhere:
        moved = answering(status="302 Found", headers=(f"Location: {elsewhere.address}/",))
        async with loopback_server(moved) as server:
            assert (await get(server.address))[0] == 302
    assert elsewhere.connections == 0


async def test_no_proxy_of_the_environment_sees_the_call(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    async with loopback_server(answering()) as proxy, loopback_server(answering()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        monkeypatch.setenv("ALL_PROXY", proxy.address)
        await get(server.address)
    assert proxy.connections == 0


async def test_a_user_name_in_the_address_is_refused(get: Get) -> None:
    async with loopback_server(answering()) as server:
        with pytest.raises(ForbiddenAddressError):
            await get(f"http://user:word@127.0.0.1:{server.port}/")
    assert server.connections == 0


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64 + ".example"])
async def test_a_name_that_cannot_be_resolved_is_a_failed_connection(get: Get, host: str) -> None:
    with pytest.raises((aiohttp.ClientError, httpx.TransportError)):
        await get(f"http://{host}/")


async def test_the_next_address_is_tried_when_one_does_not_answer(get: Get, names: dict[str, list[str]]) -> None:
    names["two.example"] = ["127.0.0.2", "127.0.0.1"]
    async with loopback_server(answering()) as server:
        assert (await get(f"http://two.example:{server.port}/"))[0] == 200


async def test_ipv6_addresses_are_called_too(get: Get) -> None:
    async with loopback_server(answering(), host="::1") as server:
        assert (await get(server.address))[0] == 200
