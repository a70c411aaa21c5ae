"""The sending side of negotiations: what is sent to whom, in the protocol's form."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from connector_spi.errors import PeerRefusedError, PeerUnavailableError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.dsp_client import DspClient
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationType
from control_plane.domain.policy import Policy
from control_plane.dsp_messages import CONTEXT
from outbound_http.guarded_client import guarded_client
from tests import control_plane_entities as examples
from tests.loopback_server import LoopbackServer, answering, loopback_server
from tests.unit.control_plane.keys import identity

US, THEM = "did:web:us", "did:web:them"
OPEN = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)
ACK = json.dumps({"providerPid": "the-provider's", "consumerPid": "the-consumer's"}).encode()
CALLBACK = "https://us.example/2025-1"
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
TERMS = Policy(
    permissions=({"action": "use"}, {"action": "read"}),
    prohibitions=({"action": "sell"},),
    extra={"profile": "https://example.org/profile"},
)
OFFER = {
    "@id": "offer-1",
    "@type": "Offer",
    "target": "asset-1",
    "profile": "https://example.org/profile",
    "permission": [{"action": "use"}, {"action": "read"}],
    "prohibition": [{"action": "sell"}],
}


@asynccontextmanager
async def client() -> AsyncIterator[DspClient]:
    async with guarded_client(OPEN, call_seconds=5) as http:
        yield DspClient(http=http, identity=identity(US), callback_address=CALLBACK, call_seconds=5)


def negotiation(server: LoopbackServer, **changes: Any) -> ContractNegotiation:
    facts = {"counter_party_address": f"{server.address}/2025-1/", "message_id": "urn:uuid:1", "policy": TERMS}
    return examples.negotiation(**{**facts, **changes})


def sent(server: LoopbackServer) -> tuple[str, dict[str, Any]]:
    head, _, body = server.requests[-1].partition("\r\n\r\n")
    return head.split(" HTTP/1.1")[0], json.loads(body)


def head(message_type: str) -> dict[str, Any]:
    return {"@context": [CONTEXT], "@type": message_type, "@id": "urn:uuid:1"}


async def test_an_opening_request_names_where_to_call_back() -> None:
    async with loopback_server(answering(ACK)) as server, client() as dsp:
        assert await dsp.request_contract(negotiation(server, type=CONSUMER)) == "the-provider's"
    assert sent(server) == (
        "POST /2025-1/negotiations/request",
        {
            **head("ContractRequestMessage"),
            "consumerPid": "n-1",
            "callbackAddress": CALLBACK,
            "offer": {**OFFER, "assigner": THEM, "assignee": US},
        },
    )


async def test_names_that_an_edc_has_shortened_are_written_out_and_values_stay_as_they_are() -> None:
    edc = "https://w3id.org/edc/v0.0.1/ns/"
    rules = {
        "action": {"@id": "edc:use"},
        "constraint": [
            {"or": [{"leftOperand": "edc:region", "operator": "odrl:eq", "rightOperand": "edc:north"}]},
            {"leftOperand": {"@id": "edc:tier"}, "operator": "eq", "rightOperand": 3, "edc:note": ["edc:x"]},
        ],
    }
    agreement = replace(examples.agreement(), policy=Policy(permissions=(rules,), extra={"edc:version": "1"}))
    async with loopback_server(answering(b"")) as server, client() as dsp:
        await dsp.send_agreement(negotiation(server, type=PROVIDER, correlation_id="theirs", agreement=agreement))
    told = sent(server)[1]["agreement"]
    assert told[f"{edc}version"] == "1"
    assert told["permission"] == [
        {
            "action": {"@id": f"{edc}use"},
            "constraint": [
                {"or": [{"leftOperand": f"{edc}region", "operator": "odrl:eq", "rightOperand": "edc:north"}]},
                {
                    "leftOperand": {"@id": f"{edc}tier"},
                    "operator": "eq",
                    "rightOperand": 3,
                    f"{edc}note": ["edc:x"],
                },
            ],
        }
    ]


@pytest.mark.parametrize("progress", ["half", {"bytesCopied": -1}])
async def test_what_another_connector_calls_progress_spoils_no_acknowledgement(progress: Any) -> None:
    answer = json.dumps({**json.loads(ACK), "progress": progress}).encode()
    async with loopback_server(answering(answer)) as server, client() as dsp:
        assert await dsp.request_contract(negotiation(server, type=CONSUMER)) == "the-provider's"


async def test_an_opening_offer_names_where_to_call_back() -> None:
    async with loopback_server(answering(ACK)) as server, client() as dsp:
        assert await dsp.offer_contract(negotiation(server, type=PROVIDER)) == "the-consumer's"
    assert sent(server) == (
        "POST /2025-1/negotiations/offers",
        {
            **head("ContractOfferMessage"),
            "providerPid": "n-1",
            "callbackAddress": CALLBACK,
            "offer": {**OFFER, "assigner": US, "assignee": THEM},
        },
    )


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"providerPid": "p"}'])
async def test_an_answer_to_an_opening_without_process_ids_is_none(answer: bytes) -> None:
    async with loopback_server(answering(answer)) as server, client() as dsp:
        with pytest.raises(PeerUnavailableError):
            await dsp.offer_contract(negotiation(server, type=PROVIDER))


@pytest.mark.parametrize(
    ("call", "side", "path", "message_type", "members"),
    [
        (
            "send_counter_request",
            CONSUMER,
            "request",
            "ContractRequestMessage",
            {"offer": {**OFFER, "assigner": THEM, "assignee": US}},
        ),
        (
            "send_counter_offer",
            PROVIDER,
            "offers",
            "ContractOfferMessage",
            {"offer": {**OFFER, "assigner": US, "assignee": THEM}},
        ),
        ("send_acceptance", CONSUMER, "events", "ContractNegotiationEventMessage", {"eventType": "ACCEPTED"}),
        ("send_verification", CONSUMER, "agreement/verification", "ContractAgreementVerificationMessage", {}),
        ("send_finalization", PROVIDER, "events", "ContractNegotiationEventMessage", {"eventType": "FINALIZED"}),
        (
            "terminate_negotiation",
            CONSUMER,
            "termination",
            "ContractNegotiationTerminationMessage",
            {"code": "PolicyDenied", "reason": ["Not you."]},
        ),
    ],
)
async def test_a_message_about_a_negotiation_names_both_processes(
    call: str, side: NegotiationType, path: str, message_type: str, members: dict[str, Any]
) -> None:
    async with loopback_server(answering(b"")) as server, client() as dsp:
        facts = {"correlation_id": "their/pid?", "error_code": "PolicyDenied", "error_detail": "Not you."}
        send: Callable[[ContractNegotiation], Coroutine[Any, Any, None]] = getattr(dsp, call)
        await send(negotiation(server, type=side, **facts))
    pids = ("n-1", "their/pid?") if side is CONSUMER else ("their/pid?", "n-1")
    assert sent(server) == (
        f"POST /2025-1/negotiations/their%2Fpid%3F/{path}",
        {**head(message_type), "consumerPid": pids[0], "providerPid": pids[1], **members},
    )


async def test_a_termination_without_a_reason_has_a_code() -> None:
    async with loopback_server(answering(b"")) as server, client() as dsp:
        await dsp.terminate_negotiation(negotiation(server, correlation_id="theirs"))
    body = sent(server)[1]
    assert (body["code"], "reason" in body) == ("Terminated", False)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"providerPid": "n-1", "consumerPid": "their/pid?", "state": "FINALIZED"}, "FINALIZED"),
        ({"providerPid": "n-1", "consumerPid": "their/pid?", "state": "dspace:VERIFIED"}, "VERIFIED"),
        ({"providerPid": "n-1", "consumerPid": "their/pid?"}, ""),
        ({"state": "FINALIZED"}, ""),
        ("<html>", ""),
    ],
)
async def test_a_counterparty_is_asked_what_it_shows(answer: Any, shown: str) -> None:
    async with loopback_server(answering(json.dumps(answer).encode())) as server, client() as dsp:
        asked = negotiation(server, type=PROVIDER, correlation_id="their/pid?")
        assert await dsp.fetch_negotiation_state(asked) == shown
    assert server.requests[-1].startswith("GET /2025-1/negotiations/their%2Fpid%3F HTTP/1.1")


@pytest.mark.parametrize(("status", "error"), [("404 Not Found", PeerRefusedError), ("503 Busy", PeerUnavailableError)])
async def test_a_counterparty_that_shows_nothing_says_for_how_long(status: str, error: type[Exception]) -> None:
    async with loopback_server(answering(b"", status=status)) as server, client() as dsp:
        with pytest.raises(error):
            await dsp.fetch_negotiation_state(negotiation(server, correlation_id="theirs"))
