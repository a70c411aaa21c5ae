"""Negotiations and agreements over HTTP."""

from typing import Any

import httpx
import pytest

from tests.unit.management_api.fakes import NOW_MS, ControlPlaneOfTests

PROVIDER = {"counterPartyId": "provider", "counterPartyAddress": "https://provider.example/2025-1"}
OFFER = {
    "@context": "http://www.w3.org/ns/odrl.jsonld",
    "@id": "offer-1",
    "@type": "Offer",
    "assigner": "provider",
    "target": "asset-1",
    "permission": [{"action": "use"}],
}
REQUEST = {**PROVIDER, "protocol": "dataspace-protocol-http:2025-1", "policy": OFFER}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(REQUEST, id="plain"),
        pytest.param({**REQUEST, "protocol": "dataspace-protocol-http"}, id="protocol without version"),
        pytest.param({k: v for k, v in REQUEST.items() if k != "counterPartyId"}, id="counterparty from the assigner"),
        pytest.param(
            {"connectorId": "provider", "connectorAddress": PROVIDER["counterPartyAddress"], "policy": OFFER},
            id="older names",
        ),
        pytest.param({**REQUEST, "callbackAddresses": []}, id="no call-backs"),
        pytest.param({**REQUEST, "policy": {**OFFER, "target": {"@id": "asset-1"}}}, id="target as reference"),
    ],
)
async def test_every_way_to_ask_for_an_offer_is_read_the_same(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, body: dict[str, Any]
) -> None:
    answer = await api.post("/v3/contractnegotiations", json=body)
    assert answer.status_code == 200, answer.text
    found = await plane.negotiations.get(answer.json()["@id"])
    assert (found.counter_party_id, found.counter_party_address) == ("provider", "https://provider.example/2025-1")
    assert (found.offer_id, found.asset_id, found.protocol) == ("offer-1", "asset-1", "dataspace-protocol-http:2025-1")
    assert found.policy.rules() == {"permission": [{"action": "use"}]}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"policy": {**OFFER, "@id": ""}}, "policy.@id"),
        ({"policy": {**OFFER, "target": {}}}, "policy.target"),
        ({"policy": {**OFFER, "assigner": "somebody-else"}}, "policy.assigner"),
        ({"counterPartyId": "", "policy": {**OFFER, "assigner": ""}}, "policy.assigner"),
        ({"policy": "use"}, "policy"),
        ({"counterPartyAddress": "ftp://provider.example"}, "counterPartyAddress"),
        ({"protocol": "ids-multipart"}, "protocol"),
        ({"@id": "a/b"}, "@id"),
        ({"callbackAddresses": [{"uri": "https://client.example"}]}, "callbackAddresses"),
        ({"@context": 7}, "@context"),
    ],
)
async def test_a_negotiation_that_cannot_work_is_refused_by_name(
    api: httpx.AsyncClient, changes: dict[str, Any], path: str
) -> None:
    answer = await api.post("/v3/contractnegotiations", json=REQUEST | changes)
    assert answer.status_code == 400
    assert [detail["path"] for detail in answer.json()] == [path]


async def test_callbacks_are_refused_with_a_reason(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v3/contractnegotiations", json=REQUEST | {"callbackAddresses": {"uri": "https://x.y"}})
    assert "is not supported yet" in answer.json()[0]["message"]


async def test_the_same_negotiation_again_is_the_same_and_another_one_a_conflict(api: httpx.AsyncClient) -> None:
    body = {**REQUEST, "@id": "mine"}
    for _ in range(2):
        assert (await api.post("/v3/contractnegotiations", json=body)).json()["@id"] == "mine"
    other = await api.post("/v3/contractnegotiations", json={**body, "policy": {**OFFER, "target": "asset-2"}})
    assert other.status_code == 409
    assert len((await api.post("/v3/contractnegotiations/request")).json()) == 1


async def test_a_running_negotiation_is_shown_without_an_agreement(api: httpx.AsyncClient) -> None:
    await api.post("/v3/contractnegotiations", json={**REQUEST, "@id": "mine"})
    found = (await api.get("/v3/contractnegotiations/mine")).json()
    del found["@context"]
    assert found == {
        "@id": "mine",
        "@type": "ContractNegotiation",
        "type": "CONSUMER",
        "protocol": "dataspace-protocol-http:2025-1",
        "state": "INITIAL",
        "stateTimestamp": NOW_MS,
        "createdAt": NOW_MS,
        **PROVIDER,
        "callbackAddresses": [],
        "assetId": "asset-1",
        "offer": {
            "@id": "offer-1",
            "@type": "odrl:Offer",
            "odrl:assigner": {"@id": "provider"},
            "odrl:target": {"@id": "asset-1"},
            "odrl:permission": [{"odrl:action": {"@id": "odrl:use"}}],
            "odrl:prohibition": [],
            "odrl:obligation": [],
        },
        "pending": False,
    }
    state = (await api.get("/v3/contractnegotiations/mine/state")).json()
    assert (state["@type"], state["state"]) == ("NegotiationState", "INITIAL")
    assert (await api.get("/v3/contractnegotiations/mine/agreement")).status_code == 404


async def test_an_agreement_is_found_in_every_way(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    agreement = await plane.agreed("https://provider.example/agreements/1")
    direct = (await api.get(f"/v3/contractagreements/{agreement.id}")).json()
    assert direct["@type"] == "ContractAgreement"
    assert (direct["@id"], direct["agreementId"]) == (agreement.id, agreement.id)
    assert (direct["assetId"], direct["providerId"], direct["consumerId"]) == ("asset-1", "provider", "consumer")
    assert direct["contractSigningDate"] == NOW_MS // 1000
    assert direct["policy"]["odrl:assignee"] == {"@id": "consumer"}
    assert (await api.post("/v3/contractagreements/request")).json() == [direct]
    through = (await api.get(f"/v3/contractagreements/{agreement.id}/negotiation")).json()
    assert (through["state"], through["contractAgreementId"]) == ("FINALIZED", agreement.id)


async def test_the_agreement_of_a_negotiation_is_shown_once_it_is_finalized(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests
) -> None:
    agreement = await plane.agreed()
    found = (await api.get(f"/v3/contractnegotiations/{agreement.negotiation_id}/agreement")).json()
    assert found["@id"] == agreement.id
    query = {"filterExpression": [{"operandLeft": "state", "operator": "=", "operandRight": 1200}]}
    [negotiation] = (await api.post("/v3/contractnegotiations/request", json=query)).json()
    assert negotiation["contractAgreementId"] == agreement.id


async def test_terminate_answers_204_and_what_has_ended_a_conflict(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests
) -> None:
    agreement = await plane.agreed()
    await api.post("/v3/contractnegotiations", json={**REQUEST, "@id": "mine"})
    answer = await api.post("/v3/contractnegotiations/mine/terminate", json={"@id": "mine", "reason": "enough"})
    assert (answer.status_code, answer.content) == (204, b"")
    ended = await api.post(f"/v3/contractnegotiations/{agreement.negotiation_id}/terminate")
    assert ended.status_code == 409
    assert (await api.post("/v3/contractnegotiations/none/terminate")).status_code == 404
