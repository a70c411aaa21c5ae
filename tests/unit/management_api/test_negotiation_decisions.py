"""Decisions about negotiations over HTTP: each is noted for the negotiation, or refused with the reason."""

from typing import Any

import httpx
import pytest

from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.policy import Policy
from tests import control_plane_entities as examples
from tests.unit.management_api.fakes import ControlPlaneOfTests

S, CONSUMER, PROVIDER = NegotiationState, NegotiationType.CONSUMER, NegotiationType.PROVIDER
NEGOTIATIONS = "/v3/contractnegotiations"
TERMS = {
    "@context": "http://www.w3.org/ns/odrl.jsonld",
    "@type": "Offer",
    "permission": [
        {
            "action": "use",
            "constraint": {
                "leftOperand": "inForceDate",
                "operator": {"@id": "odrl:lteq"},
                "rightOperand": "2031-01-01T00:00:00Z",
            },
        }
    ],
}
WINDOW = {"leftOperand": "inForceDate", "operator": "lteq", "rightOperand": "2031-01-01T00:00:00Z"}
COMPACT = {"permission": [{"action": "use", "constraint": [WINDOW]}]}
OFFER = {
    "counterPartyId": "consumer",
    "counterPartyAddress": "https://consumer.example/2025-1",
    "policy": {**TERMS, "target": {"@id": "asset-1"}},
}
DECISIONS = [
    (CONSUMER, S.OFFERED, "accept"),
    (CONSUMER, S.OFFERED, "request"),
    (CONSUMER, S.AGREED, "verify"),
    (PROVIDER, S.REQUESTED, "agree"),
    (PROVIDER, S.REQUESTED, "offer"),
    (PROVIDER, S.ACCEPTED, "agree"),
    (PROVIDER, S.VERIFIED, "finalize"),
]


def body_of(verb: str) -> dict[str, Any] | None:
    return {"policy": TERMS} if verb in {"request", "offer"} else None


async def waiting(plane: ControlPlaneOfTests, side: NegotiationType, state: NegotiationState, **changes: Any) -> None:
    facts: dict[str, Any] = {
        "type": side,
        "state": state,
        "correlation_id": "theirs",
        "participant_id": plane.participant_id,
    }
    await plane.stores.contract_negotiations.create(examples.negotiation(**facts, **changes), due_at=None)


async def noted(plane: ControlPlaneOfTests) -> list[tuple[str, Any]]:
    """What waits in the negotiation's inbox."""
    due = await plane.stores.contract_negotiations.lease_due(
        now=examples.moment(1e6), limit=9, lease_seconds=60, owner="test"
    )
    return [(message.kind, message.payload) for leased in due for message in leased.inbox]


@pytest.mark.parametrize(("side", "state", "verb"), DECISIONS)
async def test_a_decision_is_noted(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, side: NegotiationType, state: NegotiationState, verb: str
) -> None:
    await waiting(plane, side, state)
    answer = await api.post(f"{NEGOTIATIONS}/n-1/{verb}", json=body_of(verb))
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    [(kind, payload)] = await noted(plane)
    assert kind == {"agree": "AGREE", "request": "REQUEST"}.get(verb, verb.upper())
    assert ("2031-01-01" in str(payload)) == (body_of(verb) is not None)


@pytest.mark.parametrize(("side", "state", "verb"), DECISIONS)
async def test_a_decision_of_the_other_side_or_too_late_is_a_conflict(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, side: NegotiationType, state: NegotiationState, verb: str
) -> None:
    await waiting(plane, PROVIDER if side is CONSUMER else CONSUMER, state)
    assert (await api.post(f"{NEGOTIATIONS}/n-1/{verb}", json=body_of(verb))).status_code == 409
    over = examples.negotiation("n-2", type=side, state=S.FINALIZED, participant_id=plane.participant_id)
    await plane.stores.contract_negotiations.create(over, due_at=None)
    assert (await api.post(f"{NEGOTIATIONS}/n-2/{verb}", json=body_of(verb))).status_code == 409
    assert await noted(plane) == []


@pytest.mark.parametrize("verb", ["accept", "agree", "verify", "finalize", "request", "offer"])
async def test_a_negotiation_that_is_not_there_is_not_found(api: httpx.AsyncClient, verb: str) -> None:
    assert (await api.post(f"{NEGOTIATIONS}/none/{verb}", json={"policy": TERMS})).status_code == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [({}, "policy"), ({"policy": 7}, "policy"), ({"policy": {"permission": ["use"]}}, "policy.permission[0]")],
)
async def test_terms_that_cannot_be_read_are_refused_by_name(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, body: Any, path: str
) -> None:
    await waiting(plane, PROVIDER, S.REQUESTED)
    answer = await api.post(f"{NEGOTIATIONS}/n-1/offer", json=body)
    assert (answer.status_code, answer.json()[0]["path"]) == (400, path)


async def test_the_client_sees_that_and_about_what_it_has_to_decide(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests
) -> None:
    policy = Policy(permissions=tuple(COMPACT["permission"]))
    await waiting(plane, CONSUMER, S.OFFERED, pending=True, policy=policy)
    found = (await api.get(f"{NEGOTIATIONS}/n-1")).json()
    assert (found["state"], found["pending"]) == ("OFFERED", True)
    [rule] = found["offer"]["odrl:permission"]
    assert "2031-01-01T00:00:00Z" in str(rule["odrl:constraint"])
    only_pending = {"filterExpression": [{"operandLeft": "pending", "operator": "=", "operandRight": True}]}
    [listed] = (await api.post(f"{NEGOTIATIONS}/request", json=only_pending)).json()
    assert listed["@id"] == "n-1"
    not_pending = {"filterExpression": [{"operandLeft": "pending", "operator": "=", "operandRight": "false"}]}
    assert (await api.post(f"{NEGOTIATIONS}/request", json=not_pending)).json() == []


async def test_an_offer_begins_a_negotiation_once(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    await plane.stores.assets.create(examples.asset(participant_id=plane.participant_id))
    for _ in range(2):
        answer = await api.post(f"{NEGOTIATIONS}/offers", json={**OFFER, "@id": "mine"})
        assert (answer.status_code, answer.json()["@id"]) == (200, "mine"), answer.text
    found = (await api.get(f"{NEGOTIATIONS}/mine")).json()
    assert (found["type"], found["state"], found["counterPartyId"]) == ("PROVIDER", "INITIAL", "consumer")
    assert (await plane.negotiations.get("mine")).policy.rules() == COMPACT
    other = {**OFFER, "@id": "mine", "counterPartyId": "somebody-else"}
    assert (await api.post(f"{NEGOTIATIONS}/offers", json=other)).status_code == 409


@pytest.mark.parametrize(
    ("changes", "status", "path"),
    [
        ({"policy": TERMS}, 400, "policy.target"),
        ({"policy": {**TERMS, "target": "asset-1", "@id": 7}}, 400, "policy.@id"),
        ({"counterPartyId": ""}, 400, "counterPartyId"),
        ({"counterPartyAddress": "consumer"}, 400, "counterPartyAddress"),
        ({"callbackAddresses": [{"uri": "https://client.example"}]}, 400, "callbackAddresses"),
        ({"policy": {**TERMS, "target": "no-such-asset"}}, 404, None),
    ],
)
async def test_an_offer_that_cannot_work_is_refused_by_name(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, changes: dict[str, Any], status: int, path: str | None
) -> None:
    await plane.stores.assets.create(examples.asset(participant_id=plane.participant_id))
    answer = await api.post(f"{NEGOTIATIONS}/offers", json=OFFER | changes)
    assert (answer.status_code, answer.json()[0].get("path")) == (status, path), answer.text
