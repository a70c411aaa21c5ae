"""Messages go where the counterparty's version document says; an address to call back is used as it is."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.client_id_identity import ClientIdIdentity
from control_plane.adapters.dsp_client import DspClient
from control_plane.adapters.version_directory import UnsupportedVersionError, VersionDirectory
from control_plane.domain.contract_negotiation import NegotiationType
from control_plane.domain.participant import Counterparty
from control_plane.domain.transfer_process import TransferProcessType
from outbound_http.guarded_client import guarded_client
from tests import control_plane_entities as examples
from tests.loopback_server import LoopbackServer, answering, loopback_server

OPEN: Final = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)
US, THEM = "did:web:us", "did:web:them"
ACK: Final = b'{"providerPid": "p", "consumerPid": "c"}'


@asynccontextmanager
async def counterparty(*versions: tuple[str, str]) -> AsyncIterator[tuple[DspClient, LoopbackServer]]:
    """It has a version document where it speaks versions, and acknowledges everything else."""
    entries = [{"version": version, "path": path, "binding": "HTTPS"} for version, path in versions]
    document = json.dumps({"protocolVersions": entries}).encode()

    async def respond(writer: asyncio.StreamWriter) -> None:
        asked_for_versions = ".well-known" in server.requests[-1].splitlines()[0]
        if asked_for_versions and not versions:
            await answering(b"", status="404 Not Found")(writer)
        else:
            await answering(document if asked_for_versions else ACK)(writer)

    async with loopback_server(respond) as server, guarded_client(OPEN, call_seconds=5) as http:
        directory = VersionDirectory(http, call_seconds=5)
        yield (
            DspClient(
                http=http,
                identity=ClientIdIdentity(US),
                callback_address="https://us.example/2025-1",
                call_seconds=5,
                versions=directory,
            ),
            server,
        )


def lines(server: LoopbackServer) -> list[str]:
    return [request.split(" HTTP")[0] for request in server.requests]


async def test_the_document_is_read_once_and_every_message_goes_to_its_path() -> None:
    async with counterparty(("2024-1", "/old"), ("2025-1", "/new")) as (dsp, server):
        process = examples.transfer_process(counter_party_address=f"{server.address}/dsp/", correlation_id="p")
        negotiation = examples.negotiation(counter_party_address=f"{server.address}/dsp", correlation_id="p")
        await dsp.request_catalog(Counterparty(id=THEM, address=f"{server.address}/dsp"))
        await dsp.request_contract(negotiation)
        await dsp.request_transfer(process, None)
        await dsp.complete_transfer(process)
    assert lines(server) == [
        "GET /dsp/.well-known/dspace-version",
        "POST /dsp/new/catalog/request",
        "POST /dsp/new/negotiations/request",
        "POST /dsp/new/transfers/request",
        "POST /dsp/new/transfers/p/completion",
    ]
    assert f'"audience":"{server.address}/dsp/new"' in server.requests[-1]


async def test_who_has_no_document_gets_messages_below_the_address_that_was_given() -> None:
    async with counterparty() as (dsp, server):
        for _ in range(2):
            await dsp.request_catalog(Counterparty(id=THEM, address=f"{server.address}/dsp"))
    assert lines(server) == [
        "GET /dsp/.well-known/dspace-version",
        "POST /dsp/catalog/request",
        "POST /dsp/catalog/request",
    ]


async def test_who_speaks_other_versions_alone_gets_no_message() -> None:
    async with counterparty(("2024-1", "/old")) as (dsp, server):
        with pytest.raises(UnsupportedVersionError):
            await dsp.request_catalog(Counterparty(id=THEM, address=server.address))
    assert len(server.requests) == 1


async def test_an_address_to_call_back_is_used_as_the_consumer_gave_it() -> None:
    async with counterparty(("2025-1", "/elsewhere")) as (dsp, server):
        process = examples.transfer_process(
            type=TransferProcessType.PROVIDER, counter_party_address=f"{server.address}/callback", correlation_id="c"
        )
        await dsp.start_transfer(process)
    assert lines(server) == ["POST /callback/transfers/c/start"]


@pytest.mark.parametrize("side", NegotiationType)
async def test_a_negotiation_may_have_begun_on_either_side(side: NegotiationType) -> None:
    async with counterparty(("2025-1", "/new")) as (dsp, server):
        negotiation: dict[str, Any] = {"counter_party_address": server.address, "correlation_id": "theirs"}
        await dsp.terminate_negotiation(examples.negotiation(type=side, **negotiation))
    assert lines(server)[-1] == "POST /new/negotiations/theirs/termination"
