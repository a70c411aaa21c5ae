"""What a message has to be: the schemas' demands, the forms that are read leniently, and refusals that help."""

import json
from typing import Any, Final

import pytest
from pydantic import BaseModel
from starlette.requests import Request

from connector_spi.errors import InvalidInputError
from control_plane.dsp_messages import (
    CONTEXT,
    ContractAgreementMessage,
    ContractRequestMessage,
    PidsMessage,
    TransferRequestMessage,
    TransferStartMessage,
)
from control_plane.protocol_api.exchange import read_message

USE: Final = [{"action": "use"}]
OFFER: Final = {"@type": "Offer", "@id": "o-1", "target": "a-1", "permission": USE}
ADDRESS: Final = {"@type": "DataAddress", "endpointType": "HttpData", "endpoint": "https://them.example"}


def contract_request(**members: Any) -> dict[str, Any]:
    return _message("ContractRequestMessage", consumerPid="c-1", callbackAddress="https://c.example", offer=OFFER) | (
        members
    )


def agreement(**members: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "@type": "Agreement",
        "@id": "a-1",
        "target": "a-1",
        "assigner": "p",
        "assignee": "c",
        "permission": USE,
    }
    pids = {"consumerPid": "c-1", "providerPid": "p-1"}
    body |= {"timestamp": "2026-01-31T12:00:00Z", **members}
    return _message("ContractAgreementMessage", **pids, agreement={k: v for k, v in body.items() if v is not None})


def transfer_request(**members: Any) -> dict[str, Any]:
    known = {"consumerPid": "c-1", "agreementId": "a-1", "format": "HttpData-PUSH", "callbackAddress": "https://c"}
    return _message("TransferRequestMessage", **known, dataAddress=ADDRESS) | members


def start(**members: Any) -> dict[str, Any]:
    return _message("TransferStartMessage", consumerPid="c-1", providerPid="p-1") | members


def _message(name: str, **members: Any) -> dict[str, Any]:
    return {"@context": [CONTEXT], "@type": name, **members}


MODELS: Final[dict[str, type[BaseModel]]] = {
    "ContractRequestMessage": ContractRequestMessage,
    "ContractAgreementMessage": ContractAgreementMessage,
    "TransferRequestMessage": TransferRequestMessage,
    "TransferStartMessage": TransferStartMessage,
}


async def read(body: dict[str, Any], name: str | None = None) -> Any:
    """The message, as an endpoint for `name` reads it."""
    name = name or body["@type"]
    content = [json.dumps(body).encode()]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content.pop(), "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "path_params": {}}
    return await read_message(Request(scope, receive), MODELS.get(name, PidsMessage), name)


GOOD: Final[dict[str, dict[str, Any]]] = {
    "context as a text": start(**{"@context": CONTEXT}),
    "more contexts": start(**{"@context": ["https://w3id.org/edc/dspace/v0.0.1", CONTEXT, {"x": "y"}]}),
    "prefixed type": {**start(), "@type": "dspace:TransferStartMessage"},
    "type as an IRI": {**start(), "@type": "https://w3id.org/dspace/2025/1/TransferStartMessage"},
    "ids as objects": start(consumerPid={"@id": "c-1"}, providerPid={"@id": "p-1"}),
    "unknown members": start(**{"x": {"y": [None, 1.5]}, "@id": "urn:uuid:1"}),
    "one reason without a list": start(reason="why", code="x"),
    "reasons of any kind": start(reason=["why", {"@value": "w", "@language": "en"}, 1, None]),
    "no properties": start(dataAddress=ADDRESS),
    "one property without a list": start(dataAddress={**ADDRESS, "endpointProperties": {"name": "a", "value": "b"}}),
    "prefixed address": start(dataAddress={**ADDRESS, "@type": "dspace:DataAddress"}),
    "format as an object": transfer_request(format={"@id": "HttpData-PUSH"}),
    "a pull": {name: value for name, value in transfer_request().items() if name != "dataAddress"},
    "one rule without a list": contract_request(offer={**OFFER, "permission": {"action": "use"}}),
    "prohibitions alone": contract_request(offer={**OFFER, "permission": [], "prohibition": USE}),
    "prefixed offer": contract_request(offer={**OFFER, "@type": "odrl:Offer"}),
    "target as an object": contract_request(offer={**OFFER, "target": {"@id": "a-1"}}),
    "profile, and what nobody knows": contract_request(offer={**OFFER, "profile": ["p"], "x": {"deep": [1]}}),
    "agreement": agreement(),
    "agreement with a zone": agreement(timestamp="2026-01-31T13:00:00.5+01:00"),
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
async def test_what_real_connectors_write_is_read(body: dict[str, Any]) -> None:
    name = str(body["@type"]).rpartition("/")[2].rpartition(":")[2]
    assert isinstance(await read(body, name), MODELS[name])


BAD: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "no context": ({"@type": "TransferStartMessage"}, "@context: is missing"),
    "context of another version": (
        start(**{"@context": ["https://w3id.org/dspace/2024/1/context.json"]}),
        "@context: is not of this version",
    ),
    "context as an object": (start(**{"@context": {"@vocab": CONTEXT}}), "@context: is not of this version"),
    "no type": ({"@context": [CONTEXT]}, "@type: is missing"),
    "another type": ({**start(), "@type": "TransferCompletionMessage"}, "@type: is not expected here"),
    "a foreign type": ({**start(), "@type": "https://x.example/TransferStartMessage"}, "@type: is not expected"),
    "two types": ({**start(), "@type": ["TransferStartMessage", "X"]}, "@type: is not expected"),
    "type as a number": ({**start(), "@type": 1}, "@type: is not expected here (got 1)"),
    "no pid": (_message("TransferStartMessage", consumerPid="c"), "providerPid: Field required"),
    "empty pid": (start(consumerPid=""), "consumerPid: String should have at least 1"),
    "pid as a number": (start(consumerPid=7), "consumerPid: Input should be a valid string (got 7). Send a text."),
    "pid as a boolean": (start(consumerPid=True), "(got True). Send a text."),
    "pid as an object": (start(consumerPid={"x": "y"}), "consumerPid: Input should be a valid string"),
    "long pid": (start(consumerPid="x" * 513), "at most 512 characters"),
    "long id": (start(**{"@id": "x" * 513}), "@id: String should have at most 512"),
    "id as a number": (start(**{"@id": 1}), "@id: Input should be a valid string (got 1)"),
    "long code": (start(code="x" * 513), "code: String should have at most 512"),
    "many reasons": (start(reason=["x"] * 101), "reason: List should have at most 100"),
    "address without a type": (start(dataAddress={"endpointType": "x"}), "dataAddress.@type: Field required"),
    "address of another type": (start(dataAddress={**ADDRESS, "@type": "X"}), "dataAddress.@type: "),
    "no endpoint type": (start(dataAddress={"@type": "DataAddress"}), "dataAddress.endpointType: Field required"),
    "address as a text": (start(dataAddress="x"), "dataAddress: "),
    "property without a value": (
        start(dataAddress={**ADDRESS, "endpointProperties": [{"name": "x"}]}),
        "dataAddress.endpointProperties.0.value: Field required",
    ),
    "property with a number": (
        start(dataAddress={**ADDRESS, "endpointProperties": [{"name": "x", "value": 1}]}),
        "endpointProperties.0.value: Input should be a valid string (got 1)",
    ),
    "many properties": (
        start(dataAddress={**ADDRESS, "endpointProperties": [{"name": "x", "value": "y"}] * 101}),
        "endpointProperties: List should have at most 100",
    ),
    "no callback": (
        {name: value for name, value in transfer_request().items() if name != "callbackAddress"},
        "callbackAddress: Field required",
    ),
    "long callback": (transfer_request(callbackAddress="https://" + "x" * 2048), "at most 2048"),
    "offer without a type": (contract_request(offer={**OFFER, "@type": 1}), "offer.@type: "),
    "offer that is an agreement": (contract_request(offer={**OFFER, "@type": "Agreement"}), "@type is not 'Offer'"),
    "offer without rules": (contract_request(offer={**OFFER, "permission": []}), "send at least one rule"),
    "rules as a text": (contract_request(offer={**OFFER, "permission": "use"}), "offer.permission.0: "),
    "an action that is none": (
        contract_request(offer={**OFFER, "permission": [{"action": 1}]}),
        "offer: permission[0].action cannot be 1; send a text",
    ),
    "an unknown operator": (
        contract_request(
            offer={
                **OFFER,
                "prohibition": [
                    {
                        "action": "use",
                        "constraint": {"leftOperand": "x", "operator": "almost", "rightOperand": 1},
                    }
                ],
            }
        ),
        "offer: prohibition[0].constraint[0].operator cannot be 'almost'; use one of eq, gt",
    ),
    "many unknown members": (contract_request(offer={**OFFER, **{f"x{n}": n for n in range(101)}}), "more than 100"),
    "agreement without a timestamp": (agreement(timestamp=None), "agreement.timestamp: Field required"),
    "timestamp as a number": (agreement(timestamp=1769860800), "agreement.timestamp: has to be a text"),
    "timestamp that is none": (agreement(timestamp="soon"), "agreement.timestamp: "),
    "agreement without an id": (agreement(**{"@id": None}), "agreement.@id: Field required"),
    "agreement that is an offer": (agreement(**{"@type": "Offer"}), "@type is not 'Agreement'"),
}


@pytest.mark.parametrize(("body", "told"), BAD.values(), ids=BAD.keys())
async def test_what_the_schemas_forbid_is_refused_by_name(body: dict[str, Any], told: str) -> None:
    name = body["@type"] if str(body.get("@type")) in MODELS else "TransferStartMessage"
    with pytest.raises(InvalidInputError) as refused:
        await read(body, name)
    assert told in refused.value.message


async def test_a_secret_is_never_repeated() -> None:
    for address in ({**ADDRESS, "endpointType": ["PLANTED"]}, {**ADDRESS, "endpointProperties": ["PLANTED"]}):
        with pytest.raises(InvalidInputError) as refused:
            await read(start(dataAddress=address))
        assert "PLANTED" not in refused.value.message
