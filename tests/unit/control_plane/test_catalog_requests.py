"""Asking counterparties for their catalogs: what is sent, and how far links are followed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connector_spi.clock import SystemClock
from connector_spi.errors import PeerUnavailableError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.dsp_client import DspClient
from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.participant import Counterparty
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.services.catalog_service import CatalogService
from control_plane.services.policy_engine import PolicyEngine
from outbound_http.guarded_client import CATALOG_MAX_BYTES, ResponseTooLargeError, guarded_client
from tests.loopback_server import LoopbackServer, answering, loopback_server
from tests.unit.control_plane.catalog_rig import EDC
from tests.unit.control_plane.keys import identity

US, THEM = "did:web:us", "did:web:them"
OPEN = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)


def catalog(*ids: str) -> bytes:
    return json.dumps({"@type": "Catalog", "dataset": [{"@id": name} for name in ids]}).encode()


@asynccontextmanager
async def service() -> AsyncIterator[CatalogService]:
    async with guarded_client(OPEN, call_seconds=20) as http:
        client = DspClient(
            http=http, identity=identity(US), callback_address="https://us.example/2025-1", call_seconds=20
        )
        yield CatalogService(memory_stores(), client, PolicyEngine(), SystemClock())


@asynccontextmanager
async def pages(*contents: bytes, links: tuple[str, ...]) -> AsyncIterator[tuple[LoopbackServer, Counterparty]]:
    """A counterparty that gives one page after the other; the last one again and again."""
    numbers = iter(range(10**9))

    async def respond(writer: asyncio.StreamWriter) -> None:
        number = next(numbers)
        of_page = links[min(number, len(links) - 1)]
        headers = (f"Link: {of_page}",) if of_page else ()
        await answering(contents[min(number, len(contents) - 1)], headers=headers)(writer)

    async with loopback_server(respond) as server:
        yield server, Counterparty(id=THEM, address=f"{server.address}/2025-1")


def lines(server: LoopbackServer) -> list[str]:
    return [request.partition(" HTTP/1.1")[0] for request in server.requests]


def sent(server: LoopbackServer, number: int = -1) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(server.requests[number].partition("\r\n\r\n")[2])
    return body


def next_at(target: str) -> str:
    return f'<{target}>; rel="next"'


async def test_a_query_is_sent_as_edc_sends_it() -> None:
    red = Criterion(operand_left="colour", operator="=", operand_right="red")
    query = QuerySpec(offset=3, limit=7, descending=True, criteria=(red,), sort_field="createdAt")
    async with pages(catalog("a"), links=("",)) as (server, them), service() as ours:
        await ours.request_catalog(them, query)
    [spec] = sent(server)["filter"]
    assert spec == {
        "@type": f"{EDC}QuerySpec",
        f"{EDC}offset": 3,
        f"{EDC}limit": 7,
        f"{EDC}sortOrder": "DESC",
        f"{EDC}sortField": "createdAt",
        f"{EDC}filterExpression": [
            {
                "@type": f"{EDC}Criterion",
                f"{EDC}operandLeft": "colour",
                f"{EDC}operator": "=",
                f"{EDC}operandRight": "red",
            }
        ],
    }


async def test_without_a_query_there_is_one_answer_and_no_filter() -> None:
    link = next_at("/2025-1/catalog/request?token=2")
    async with pages(catalog("a"), links=(link,)) as (server, them), service() as ours:
        found = await ours.request_catalog(them)
    assert (found.body, found.next) == (json.loads(catalog("a")), "catalog/request?token=2")
    assert lines(server) == ["POST /2025-1/catalog/request"]
    assert "filter" not in sent(server)


async def test_links_are_followed_until_as_much_is_there_as_was_asked_for() -> None:
    links = (next_at("?token=2"), next_at("request?token=3"), next_at("?token=4"))
    contents = (catalog("a", "b"), catalog("c", "d"), catalog("e", "f"))
    async with pages(*contents, links=links) as (server, them), service() as ours:
        found = await ours.request_catalog(them, QuerySpec(limit=6))
    assert [each["@id"] for each in found.body["dataset"]] == ["a", "b", "c", "d", "e", "f"]
    assert found.next == "catalog/request?token=4"
    tokens = [line.partition("?")[2] for line in lines(server)]
    assert tokens == ["", "token=2", "token=3"]


async def test_never_more_than_was_asked_for_is_returned() -> None:
    async with pages(catalog("a", "b"), links=(next_at("?token=2"),)) as (_, them), service() as ours:
        found = await ours.request_catalog(them, QuerySpec(limit=3))
    assert ([each["@id"] for each in found.body["dataset"]], found.next) == (["a", "b", "a"], None)


async def test_a_counterparty_whose_links_never_end_is_left() -> None:
    async with pages(b'{"@type": "Catalog"}', links=(next_at("?token=2"),)) as (server, them), service() as ours:
        found = await ours.request_catalog(them, QuerySpec(limit=3))
    assert (found.body, found.next) == ({"@type": "Catalog"}, "catalog/request?token=2")
    assert 1 < len(server.requests) <= 20


@pytest.mark.parametrize(
    ("link", "line"),
    [
        ("https://elsewhere.example/2025-1/catalog/request?token=2", "POST /2025-1/catalog/request?token=2"),
        ("https://internal.example/behind/proxy?token=2", "POST /2025-1/catalog/request?token=2"),
        ("/2025-1/catalog?token=2", "POST /2025-1/catalog?token=2"),
        ("/2025-1/../admin?token=2", "POST /2025-1/catalog/request?token=2"),
        ("?a=%2F..&b=%3D", "POST /2025-1/catalog/request?a=%2F..&b=%3D"),
    ],
)
async def test_the_next_page_is_asked_of_the_counterparty_and_of_nobody_else(link: str, line: str) -> None:
    async with pages(catalog("a"), links=(next_at(link),)) as (server, them), service() as ours:
        first = await ours.request_catalog(them)
        await ours.request_catalog(them, continuation=first.next)
    assert lines(server)[1] == line


@pytest.mark.parametrize(
    "header",
    [
        "",
        '<?token=2>; rel="previous"',
        "<?token=2>",
        "<>; rel=next",
        '</2025-1/catalog/request>; rel="next"',
        "<http://[>; rel=next",
        '<?x=next>; title="rel=next"',
    ],
)
async def test_what_is_no_link_to_a_next_page_is_none(header: str) -> None:
    async with pages(catalog("a"), links=(header,)) as (_, them), service() as ours:
        assert (await ours.request_catalog(them)).next is None


@pytest.mark.parametrize(
    "header",
    [
        '<?token=1>; rel="previous", <?token=2>; rel="next"',
        "<?token=2>;rel=next",
        '<?token=2>; title="a, b; c"; REL="first next"',
        '<?token=1>; rel="previous"\r\nLink: <?token=2>; rel="next"',
    ],
)
async def test_the_next_page_is_found_among_other_links(header: str) -> None:
    async with pages(catalog("a"), links=(header,)) as (_, them), service() as ours:
        assert (await ours.request_catalog(them)).next == "catalog/request?token=2"


async def test_a_catalog_that_is_too_large_says_what_to_do() -> None:
    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {2 * CATALOG_MAX_BYTES}\r\n\r\n".encode())
        for _ in range(2 * CATALOG_MAX_BYTES // 2**20):
            writer.write(b" " * 2**20)
            await writer.drain()

    async with loopback_server(respond) as server, service() as ours:
        with pytest.raises(ResponseTooLargeError, match="limit") as raised:
            await ours.request_catalog(Counterparty(id=THEM, address=server.address))
    assert isinstance(raised.value, PeerUnavailableError)
