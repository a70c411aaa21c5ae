"""The client for outsiders' addresses reads within limits, and keeps no connection for another name."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest

from connector_spi.errors import PeerUnavailableError
from outbound_http.guarded_client import RESPONSE_MAX_BYTES, guarded_client, read_limited
from tests.loopback_server import answering, loopback_server
from tests.unit.outbound_http.conftest import OPEN


async def get(url: str) -> tuple[int, bytes]:
    async with guarded_client(OPEN, call_seconds=5) as client, client.stream("GET", url) as response:
        return response.status_code, await read_limited(response)


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
