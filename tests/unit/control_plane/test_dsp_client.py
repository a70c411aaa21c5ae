"""The sending side of the Dataspace Protocol: what is sent, and what each kind of answer means."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import ForbiddenAddressError, PeerRefusedError, PeerUnavailableError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.dsp_client import DspClient
from control_plane.domain.contract_negotiation import NegotiationType
from control_plane.domain.participant import Counterparty
from control_plane.domain.transfer_process import TransferError, TransferProcess, TransferProcessType
from outbound_http.guarded_client import guarded_client
from tests import control_plane_entities as examples
from tests.loopback_server import LoopbackServer, Respond, answering, loopback_server
from tests.unit.control_plane.keys import identity

US, THEM = "did:web:us", "did:web:them"
OPEN = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)
ACK = json.dumps({"providerPid": "their-pid", "consumerPid": "ours"}).encode()


@asynccontextmanager
async def client(*, call_seconds: float = 5) -> AsyncIterator[DspClient]:
    async with guarded_client(OPEN, call_seconds=5) as http:
        yield DspClient(
            http=http, identity=identity(US), callback_address="https://us.example/2025-1", call_seconds=call_seconds
        )


def transfer(server: LoopbackServer, **changes: Any) -> TransferProcess:
    facts = {"counter_party_address": f"{server.address}/2025-1/", "message_id": "urn:uuid:1", **changes}
    return examples.transfer_process(**facts)


def sent(server: LoopbackServer) -> tuple[str, dict[str, Any]]:
    head, _, body = server.requests[-1].partition("\r\n\r\n")
    assert "authorization: bearer " in head.lower()
    return head.split(" HTTP/1.1")[0], json.loads(body) if body else {}


async def test_a_transfer_request_carries_everything_in_the_protocols_form() -> None:
    destination = DataAddress("AzureStorage", {"account": "a", "secret": "sas"})
    async with loopback_server(answering(ACK)) as server, client() as dsp:
        assert await dsp.request_transfer(transfer(server), destination) == "their-pid"
    line, body = sent(server)
    assert line == "POST /2025-1/transfers/request"
    names = {p["name"]: p["value"] for p in body.pop("dataAddress")["endpointProperties"]}
    assert names == {
        "https://w3id.org/edc/v0.0.1/ns/account": "a",
        "https://w3id.org/edc/v0.0.1/ns/secret": "sas",
    }
    assert body == {
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@type": "TransferRequestMessage",
        "@id": "urn:uuid:1",
        "consumerPid": "t-1",
        "agreementId": "contract-1",
        "format": "AzureStorage-PUSH",
        "callbackAddress": "https://us.example/2025-1",
    }


@pytest.mark.parametrize(
    ("named", "header", "value"),
    [
        ({"authType": "bearer"}, "Authorization", "Bearer t"),
        ({}, "Authorization", "t"),
        ({"authHeader": "X-Key"}, "X-Key", "t"),
    ],
)
async def test_where_a_push_goes_is_told_in_the_specifications_words_and_in_edcs(
    named: dict[str, str], header: str, value: str
) -> None:
    inbox = DataAddress("HttpData", {"endpoint": "https://us.example/inbox/", "authorization": "t", **named})
    async with loopback_server(answering(ACK)) as server, client() as dsp:
        await dsp.request_transfer(transfer(server), inbox)
    address = sent(server)[1]["dataAddress"]
    assert (address["endpointType"], address["endpoint"]) == ("HttpData", "https://us.example/inbox/")
    edc = "https://w3id.org/edc/v0.0.1/ns/"
    assert {p["name"].removeprefix(edc): p["value"] for p in address["endpointProperties"]} == {
        "authorization": "t",
        **named,
        "baseUrl": "https://us.example/inbox/",
        "authKey": header,
        "authCode": value,
    }
    assert all(p["name"].startswith(edc) for p in address["endpointProperties"])


async def test_where_a_pull_is_served_is_told_in_the_specifications_words_and_in_edcs() -> None:
    served_at = DataAddress(
        "HttpData", {"endpoint": "https://data.example", "authorization": "t", "authType": "bearer"}
    )
    async with loopback_server(answering(ACK)) as server, client() as dsp:
        await dsp.start_transfer(transfer(server, correlation_id="theirs"), served_at)
    address = sent(server)[1]["dataAddress"]
    assert (address["@type"], address["endpointType"]) == ("DataAddress", "HttpData")
    assert address["endpoint"] == "https://data.example"
    edc = "https://w3id.org/edc/v0.0.1/ns/"
    assert {p["name"]: p["value"] for p in address["endpointProperties"]} == {
        "authorization": "t",
        "authType": "bearer",
        f"{edc}authorization": "t",
        f"{edc}authType": "bearer",
        f"{edc}endpoint": "https://data.example",
        f"{edc}endpointType": "HttpData",
    }


@pytest.mark.parametrize("side", TransferProcessType)
@pytest.mark.parametrize(
    ("name", "message_type"),
    [
        ("start", "TransferStartMessage"),
        ("completion", "TransferCompletionMessage"),
        ("suspension", "TransferSuspensionMessage"),
        ("termination", "TransferTerminationMessage"),
    ],
)
async def test_a_message_names_both_processes_from_either_side(
    side: TransferProcessType, name: str, message_type: str
) -> None:
    error = TransferError(code="Why", message="Because.")
    async with loopback_server(answering(b"")) as server, client() as dsp:
        process = transfer(server, type=side, correlation_id="their/pid?")
        calls: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "start": lambda: dsp.start_transfer(process),
            "completion": lambda: dsp.complete_transfer(process),
            "suspension": lambda: dsp.suspend_transfer(process),
            "termination": lambda: dsp.terminate_transfer(process, error),
        }
        await calls[name]()
    line, body = sent(server)
    assert line == f"POST /2025-1/transfers/their%2Fpid%3F/{name}"
    pids = ("t-1", "their/pid?") if side is TransferProcessType.CONSUMER else ("their/pid?", "t-1")
    assert (body["@type"], body["consumerPid"], body["providerPid"]) == (message_type, *pids)
    assert (body.get("code"), body.get("reason")) == (("Why", ["Because."]) if name == "termination" else (None, None))


async def test_the_counterparty_is_not_told_what_our_operator_should_do() -> None:
    error = TransferError(code="Why", message="Because.", remedy="Look into our vault.")
    async with loopback_server(answering(b"")) as server, client() as dsp:
        await dsp.terminate_transfer(transfer(server, correlation_id="theirs"), error)
    assert "our vault" not in "".join(server.requests)


async def test_an_agreement_is_sent_as_it_was_reached() -> None:
    async with loopback_server(answering()) as server, client() as dsp:
        agreement = examples.agreement(provider_id=US, consumer_id=THEM)
        negotiation = examples.negotiation(
            type=NegotiationType.PROVIDER,
            correlation_id="their-pid",
            agreement=agreement,
            counter_party_address=server.address,
        )
        await dsp.send_agreement(negotiation)
    line, body = sent(server)
    assert line == "POST /negotiations/their-pid/agreement"
    assert body["agreement"] == {
        "@id": "a-1",
        "@type": "Agreement",
        "target": "asset-1",
        "assigner": US,
        "assignee": THEM,
        "timestamp": "2026-03-01T12:00:00.123Z",
        "permission": [{"action": "use"}],
    }


@pytest.mark.parametrize("status", ["500 No", "503 No", "408 No", "425 No", "429 No"])
async def test_a_counterparty_that_cannot_now_is_a_passing_trouble(status: str) -> None:
    respond = answering(b'{"reason": ["busy"]}', status=status, headers=("Retry-After: 17",))
    async with loopback_server(respond) as server, client() as dsp:
        with pytest.raises(PeerUnavailableError, match="busy") as failed:
            await dsp.start_transfer(transfer(server))
    assert failed.value.retry_after_seconds == 17


@pytest.mark.parametrize("retry_after", ["Fri, 31 Dec 2027 23:59:59 GMT", "-1", "soon"])
async def test_a_retry_after_that_is_no_number_of_seconds_is_ignored(retry_after: str) -> None:
    respond = answering(status="503 No", headers=(f"Retry-After: {retry_after}",))
    async with loopback_server(respond) as server, client() as dsp:
        with pytest.raises(PeerUnavailableError) as failed:
            await dsp.start_transfer(transfer(server))
    assert failed.value.retry_after_seconds is None


@pytest.mark.parametrize("status", ["400 No", "401 No", "403 No", "404 No", "409 No", "302 Found"])
async def test_a_counterparty_that_refuses_is_told_with_its_reason(status: str) -> None:
    respond = answering(b'{"reason": ["no such thing"], "code": "X"}', status=status)
    async with loopback_server(respond) as server, client() as dsp:
        with pytest.raises(PeerRefusedError, match="no such thing") as failed:
            await dsp.start_transfer(transfer(server))
    assert failed.value.status == int(status[:3])


async def test_a_reason_is_cut_and_cleaned_of_signatures() -> None:
    reason = "PUT https://a.example/x?sig=PLANTED " + "x" * 5000
    async with (
        loopback_server(answering(json.dumps({"reason": reason}).encode(), status="400 No")) as server,
        client() as dsp,
    ):
        with pytest.raises(PeerRefusedError) as failed:
            await dsp.start_transfer(transfer(server))
    assert "PLANTED" not in failed.value.message
    assert len(failed.value.message) < 600


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b"[]", b"{}", b'{"providerPid": ""}', b"[" * 100_000, b'{"providerPid": {"a": 1}}']
)
async def test_an_answer_without_a_process_id_is_a_passing_trouble(body: bytes) -> None:
    async with loopback_server(answering(body)) as server, client() as dsp:
        with pytest.raises(PeerUnavailableError):
            await dsp.request_transfer(transfer(server), DataAddress("AzureStorage"))


async def test_a_counterparty_that_is_down_is_a_passing_trouble() -> None:
    async with loopback_server(answering()) as server:
        pass
    async with client() as dsp:
        with pytest.raises(PeerUnavailableError, match="cannot be reached"):
            await dsp.start_transfer(transfer(server))


async def trickles(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silent(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


@pytest.mark.parametrize("respond", [trickles, silent])
async def test_a_call_has_one_limit_however_its_answer_trickles_in(respond: Respond) -> None:
    async with loopback_server(respond) as server, client(call_seconds=0.2) as dsp:
        async with asyncio.timeout(3):
            with pytest.raises(PeerUnavailableError):
                await dsp.start_transfer(transfer(server))


@pytest.mark.parametrize(
    "address", ["https://", "not a url", "https://ex ample/", "http://[", "ftp://them", "https://a\x01b/"]
)
async def test_an_address_that_cannot_be_called_is_refused(address: str) -> None:
    async with client() as dsp:
        with pytest.raises(ForbiddenAddressError):
            await dsp.request_catalog(Counterparty(id=THEM, address=address))


async def test_a_catalog_is_returned_as_it_came() -> None:
    catalog = {"@type": "Catalog", "dataset": [{"@id": "a", "extra": {"x": [1, 2.5, None]}}]}
    async with loopback_server(answering(json.dumps(catalog).encode())) as server, client() as dsp:
        found = await dsp.request_catalog(Counterparty(id=THEM, address=server.address))
    assert found.body == catalog
    assert sent(server)[0] == "POST /catalog/request"


async def test_a_datasets_id_is_one_segment_of_the_path() -> None:
    async with loopback_server(answering(b'{"@id": "a/b"}')) as server, client() as dsp:
        await dsp.request_dataset(Counterparty(id=THEM, address=server.address), "a/b ?#")
    assert server.requests[0].startswith("GET /catalog/datasets/a%2Fb%20%3F%23 ")


@pytest.mark.parametrize(
    ("progress", "copied"),
    [({"bytesCopied": 5, "new": True}, 5), (None, None), ({}, 0)],
)
async def test_progress_is_read_where_the_counterparty_tells_it(progress: Any, copied: int | None) -> None:
    body = json.dumps({"providerPid": "p", "consumerPid": "c", "progress": progress}).encode()
    async with loopback_server(answering(body)) as server, client() as dsp:
        found = await dsp.fetch_progress(transfer(server, correlation_id="their-pid"))
    assert (found.bytes_copied if found else None) == copied


@pytest.mark.parametrize("progress", ['{"bytesPerSecond": 1e999}', '{"bytesCopied": -1}', '{"etaSeconds": NaN}', '"x"'])
async def test_progress_that_makes_no_sense_is_an_error_and_is_not_passed_on(progress: str) -> None:
    body = f'{{"providerPid": "p", "consumerPid": "c", "progress": {progress}}}'.encode()
    async with loopback_server(answering(body)) as server, client() as dsp:
        with pytest.raises(PeerUnavailableError):
            await dsp.fetch_progress(transfer(server, correlation_id="their-pid"))
