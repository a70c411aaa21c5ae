"""Everything that we send or answer in the Dataspace Protocol has the shape that its schemas demand."""

import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.dsp_client import DspClient
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState, NegotiationType
from control_plane.domain.participant import Counterparty
from control_plane.domain.policy import Policy
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import (
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.ports.dataspace_client import DataspaceClient
from outbound_http.guarded_client import guarded_client
from tests import control_plane_entities as examples
from tests.loopback_server import LoopbackServer, answering, loopback_server
from tests.unit.control_plane.dsp_shapes import problems
from tests.unit.control_plane.keys import identity
from tests.unit.control_plane.protocol_rig import THEM, US, ProtocolRig, contract_request, told, transfer_request

OPEN: Final = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)
ANSWER: Final = {"providerPid": "p", "consumerPid": "c", "state": "STARTED", "secret": "s"}
CONSTRAINT: Final = {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z"}
RICH: Final = Policy(
    permissions=({"action": "use", "constraint": [CONSTRAINT, {"or": [CONSTRAINT]}], "duty": [{"action": "delete"}]},),
    prohibitions=({"action": "sell"},),
    obligations=({"action": "delete"},),
)
WHY: Final = TransferError(code="Why", message="Because.")
SERVED: Final = DataAddress("HttpData", {"endpoint": "https://data.example", "authorization": "t"})
SILENT: Final = {"request_dataset", "fetch_negotiation_state", "fetch_state", "fetch_progress", "renew_credential"}
"""Calls that send no body of the specification: GETs, and an extension of ours."""

Sent = Callable[[DspClient, LoopbackServer], Awaitable[Any]]


def negotiation(server: LoopbackServer, **changes: Any) -> ContractNegotiation:
    known = {"correlation_id": "theirs", "message_id": "urn:uuid:1", "policy": RICH}
    return examples.negotiation(counter_party_address=server.address, **{**known, **changes})


def transfer(server: LoopbackServer, **changes: Any) -> TransferProcess:
    known = {"correlation_id": "theirs", "message_id": "urn:uuid:1"}
    return examples.transfer_process(counter_party_address=server.address, **{**known, **changes})


def them(server: LoopbackServer) -> Counterparty:
    return Counterparty(id=THEM, address=server.address)


PROVIDER: Final[dict[str, Any]] = {"type": NegotiationType.PROVIDER}
SENDS: Final[dict[str, tuple[str, Sent]]] = {
    "catalog": ("request_catalog", lambda dsp, to: dsp.request_catalog(them(to))),
    "catalog, filtered": ("request_catalog", lambda dsp, to: dsp.request_catalog(them(to), QuerySpec(limit=5))),
    "request": ("request_contract", lambda dsp, to: dsp.request_contract(negotiation(to, correlation_id=None))),
    "counter-request": ("send_counter_request", lambda dsp, to: dsp.send_counter_request(negotiation(to))),
    "offer": ("offer_contract", lambda dsp, to: dsp.offer_contract(negotiation(to, **PROVIDER, correlation_id=None))),
    "counter-offer": ("send_counter_offer", lambda dsp, to: dsp.send_counter_offer(negotiation(to, **PROVIDER))),
    "acceptance": ("send_acceptance", lambda dsp, to: dsp.send_acceptance(negotiation(to))),
    "agreement": (
        "send_agreement",
        lambda dsp, to: dsp.send_agreement(negotiation(to, **PROVIDER, agreement=examples.agreement(policy=RICH))),
    ),
    "verification": ("send_verification", lambda dsp, to: dsp.send_verification(negotiation(to))),
    "finalization": ("send_finalization", lambda dsp, to: dsp.send_finalization(negotiation(to, **PROVIDER))),
    "end of a negotiation": ("terminate_negotiation", lambda dsp, to: dsp.terminate_negotiation(negotiation(to))),
    "end of a negotiation, with a reason": (
        "terminate_negotiation",
        lambda dsp, to: dsp.terminate_negotiation(negotiation(to, error_detail="Because.", error_code="Why")),
    ),
    "push": (
        "request_transfer",
        lambda dsp, to: dsp.request_transfer(
            transfer(to), DataAddress("AzureStorage", {"account": "a", "secret": "s", "folderName": "f"})
        ),
    ),
    "push to a bare address": (
        "request_transfer",
        lambda dsp, to: dsp.request_transfer(transfer(to), DataAddress("HttpData", {"endpoint": "https://x.example"})),
    ),
    "pull": ("request_transfer", lambda dsp, to: dsp.request_transfer(transfer(to), None)),
    "start": ("start_transfer", lambda dsp, to: dsp.start_transfer(transfer(to))),
    "start of a pull": ("start_transfer", lambda dsp, to: dsp.start_transfer(transfer(to), SERVED)),
    "completion": ("complete_transfer", lambda dsp, to: dsp.complete_transfer(transfer(to))),
    "suspension": ("suspend_transfer", lambda dsp, to: dsp.suspend_transfer(transfer(to))),
    "suspension with a reason": (
        "suspend_transfer",
        lambda dsp, to: dsp.suspend_transfer(transfer(to, error=WHY)),
    ),
    "termination": ("terminate_transfer", lambda dsp, to: dsp.terminate_transfer(transfer(to), WHY)),
}


def test_every_message_of_the_client_is_checked() -> None:
    methods = {name for name, _ in inspect.getmembers(DataspaceClient, inspect.isfunction) if not name.startswith("_")}
    assert {name for name, _ in SENDS.values()} | SILENT == methods


@pytest.mark.parametrize("send", [send for _, send in SENDS.values()], ids=SENDS.keys())
async def test_what_is_sent_has_the_schemas_shape(send: Sent) -> None:
    async with (
        loopback_server(answering(json.dumps(ANSWER).encode())) as server,
        guarded_client(OPEN, call_seconds=5) as http,
    ):
        client = DspClient(
            http=http, identity=identity(US), callback_address="https://us.example/2025-1", call_seconds=5
        )
        await send(client, server)
    body = json.loads(server.requests[-1].partition("\r\n\r\n")[2])
    assert problems(body) == []


async def test_the_catalog_has_the_schemas_shape(protocol: ProtocolRig) -> None:
    asked = {key: value for key, value in told("CatalogRequestMessage", "", "").items() if key.startswith("@")}
    assert problems((await protocol.call("POST", "catalog/request", json=asked)).json()) == []
    await protocol.offered()
    answers = [
        await protocol.call("POST", "catalog/request", json=asked),
        await protocol.call("GET", "catalog/datasets/asset-1"),
    ]
    for answer in answers:
        assert (answer.status_code, problems(answer.json())) == (200, [])


@pytest.mark.parametrize("side", NegotiationType)
@pytest.mark.parametrize("state", NegotiationState)
@pytest.mark.parametrize("theirs", ["theirs", None])
async def test_a_negotiation_is_shown_in_the_schemas_shape(
    protocol: ProtocolRig, theirs: str | None, state: NegotiationState, side: NegotiationType
) -> None:
    known = examples.negotiation(type=side, state=state, correlation_id=theirs, counter_party_id=THEM)
    await protocol.stores.contract_negotiations.create(known, due_at=None)
    answer = await protocol.call("GET", "negotiations/n-1")
    assert (answer.status_code, problems(answer.json())) == (200, [])


@pytest.mark.parametrize("side", TransferProcessType)
@pytest.mark.parametrize("state", TransferProcessState)
@pytest.mark.parametrize("theirs", ["theirs", None])
async def test_a_transfer_is_shown_in_the_schemas_shape(
    protocol: ProtocolRig, theirs: str | None, state: TransferProcessState, side: TransferProcessType
) -> None:
    known = examples.transfer_process(type=side, state=state, correlation_id=theirs, counter_party_id=THEM)
    await protocol.stores.transfer_processes.create(known, due_at=None)
    answer = await protocol.call("GET", "transfers/t-1")
    assert (answer.status_code, problems(answer.json())) == (200, [])


@pytest.mark.parametrize("path", ["catalog/request", "negotiations/request", "transfers/request", "nowhere"])
async def test_a_refusal_has_the_schemas_shape(protocol: ProtocolRig, path: str) -> None:
    answer = await protocol.call("POST", path, json={})
    assert (answer.status_code in {400, 404}, problems(answer.json())) == (True, [])


async def test_requests_are_answered_in_the_schemas_shape(protocol: ProtocolRig) -> None:
    await protocol.offered()
    await protocol.agreed()
    for path, body in (("negotiations/request", contract_request()), ("transfers/request", transfer_request())):
        answer = await protocol.call("POST", path, json=body)
        assert (answer.status_code, problems(answer.json())) == (201, [])


@pytest.mark.parametrize(
    "body",
    [
        {},
        told("TransferStartMessage", "c", ""),
        told("TransferStartMessage", "c", "p", dataAddress={"endpointType": "x"}),
        told("ContractNegotiation", "c", "p", state="REQUESTING"),
        {**told("TransferCompletionMessage", "c", "p"), "@context": "https://w3id.org/dspace/2025/1/context.jsonld"},
        told("TransferTerminationMessage", "c", "p", reason=[]),
        contract_request(providerPid="p"),
        contract_request(offer={"@type": "Offer", "@id": "x", "target": "y", "permission": []}),
    ],
)
def test_the_tables_find_what_is_wrong(body: dict[str, Any]) -> None:
    assert problems(body)
