"""Negotiation endpoints of the Dataspace Protocol: what counterparties may ask, and what they are answered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from connector_spi.clock import SystemClock
from control_plane.adapters.memory_stores import MemoryContractNegotiationStore, memory_stores
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.policy import Policy
from control_plane.dsp_messages import CONTEXT
from tests import control_plane_entities as examples
from tests.unit.control_plane.negotiation_messages import (
    AGREEMENT,
    OFFERED,
    OTHER_RULES,
    RULES,
    known,
    message,
    path_of,
    waiting,
)
from tests.unit.control_plane.protocol_rig import CALLBACK, OFFER, OTHERS, THEM, US, ProtocolRig, contract_request

S = NegotiationState
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER


def contract_offer(**changes: Any) -> dict[str, Any]:
    body = {
        "@context": [CONTEXT],
        "@type": "ContractOfferMessage",
        "providerPid": "provider-pid",
        "callbackAddress": CALLBACK,
        "offer": OFFERED,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


async def test_a_request_for_an_offer_is_taken(protocol: ProtocolRig) -> None:
    await protocol.offered()
    answer = await protocol.call("POST", "negotiations/request", json=contract_request())
    assert answer.status_code == 201
    body = answer.json()
    assert (body["@type"], body["consumerPid"], body["state"]) == ("ContractNegotiation", "consumer-pid", "REQUESTED")
    found = await protocol.stores.contract_negotiations.find(body["providerPid"])
    assert found is not None
    assert (found.type, found.state, found.asset_id, found.counter_party_id) == (PROVIDER, S.REQUESTED, "asset-1", THEM)
    assert (found.offer_id, found.own_policy, found.counter_party_address) == (OFFER, None, CALLBACK)


def offer(**changes: Any) -> dict[str, Any]:
    members = {"@id": OFFER, "@type": "Offer", "target": "asset-1", **RULES, **changes}
    return {"offer": {name: value for name, value in members.items() if value is not None}}


@pytest.mark.parametrize("changes", [OTHER_RULES, {"prohibition": [{"action": "sell"}]}, {"assignee": THEM}])
async def test_a_request_under_other_terms_is_a_counter_proposal(
    protocol: ProtocolRig, changes: dict[str, Any]
) -> None:
    await protocol.offered()
    answer = await protocol.call("POST", "negotiations/request", json=contract_request(**offer(**changes)))
    assert (answer.status_code, answer.json()["state"]) == (201, "REQUESTED")
    found = await protocol.stores.contract_negotiations.find(answer.json()["providerPid"])
    assert found is not None
    without = {"assignee"}
    assert found.policy.rules() == {**RULES, **{k: v for k, v in changes.items() if k not in without}}


async def test_a_request_without_target_is_about_the_offers_asset(protocol: ProtocolRig) -> None:
    await protocol.offered()
    answer = await protocol.call("POST", "negotiations/request", json=contract_request(**offer(target=None)))
    found = await protocol.stores.contract_negotiations.find(answer.json()["providerPid"])
    assert found is not None
    assert found.asset_id == "asset-1"


@pytest.mark.parametrize(
    ("path", "body"), [("request", contract_request(**{"@id": "m-1"})), ("offers", contract_offer())]
)
async def test_the_same_opening_again_is_the_same_negotiation(
    protocol: ProtocolRig, path: str, body: dict[str, Any]
) -> None:
    await protocol.offered()
    answers = [await protocol.call("POST", f"negotiations/{path}", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    ("changes", "status", "named"),
    [
        ({"offer": None}, 400, "offer"),
        (offer(**{"@id": "not-base64!"}), 404, "Offer"),
        (offer(**{"@id": str(OfferId(definition_id="c-1", asset_id="other"))}), 404, "Offer"),
        (offer(**{"@id": str(OfferId(definition_id="other", asset_id="asset-1"))}), 404, "Offer"),
        (offer(target="asset-2"), 400, "offer.target"),
        (offer(permission=[]), 400, "permission"),
        ({"callbackAddress": None}, 400, "callbackAddress"),
        ({"callbackAddress": None, "providerPid": "n-1"}, 400, "callbackAddress"),
        ({"callbackAddress": ""}, 400, "callbackAddress"),
        ({"providerPid": "n-1"}, 400, "callbackAddress"),
        ({"callbackAddress": "http://them.example"}, 400, "scheme"),
        ({"consumerPid": ""}, 400, "consumerPid"),
        ({"@type": "ContractOfferMessage"}, 400, "@type"),
    ],
)
async def test_a_request_that_cannot_work_is_refused_by_name(
    protocol: ProtocolRig, changes: Mapping[str, Any], status: int, named: str
) -> None:
    await protocol.offered()
    answer = await protocol.call("POST", "negotiations/request", json=contract_request(**changes))
    body = answer.json()
    assert (answer.status_code, body["@type"]) == (status, "ContractNegotiationError")
    assert named in body["reason"][0]
    assert await protocol.stores.contract_negotiations.find_by_correlation(THEM, "consumer-pid") is None


async def test_an_offer_whose_access_policy_permits_nothing_is_not_made(protocol: ProtocolRig) -> None:
    await protocol.offered()
    closed = examples.policy_definition("access", policy=Policy())
    await protocol.stores.policy_definitions.replace(closed)
    assert (await protocol.call("POST", "negotiations/request", json=contract_request())).status_code == 404


async def test_an_offer_that_nobody_asked_for_is_taken(protocol: ProtocolRig) -> None:
    answer = await protocol.call("POST", "negotiations/offers", json=contract_offer())
    body = answer.json()
    assert answer.status_code == 201
    assert (body["@type"], body["providerPid"], body["state"]) == ("ContractNegotiation", "provider-pid", "OFFERED")
    found = await protocol.stores.contract_negotiations.find(body["consumerPid"])
    assert found is not None
    assert (found.type, found.state, found.asset_id, found.counter_party_id) == (CONSUMER, S.OFFERED, "asset-1", THEM)
    assert (found.offer_id, found.own_policy, found.counter_party_address) == ("their-offer", None, CALLBACK)
    assert found.policy.rules() == OTHER_RULES


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"offer": None}, "offer"),
        ({"offer": {**OFFERED, "@id": ""}}, "@id"),
        ({"offer": {**OFFERED, "target": ""}}, "target"),
        ({"offer": {**OFFERED, "permission": []}}, "permission"),
        ({"providerPid": None}, "providerPid"),
        ({"callbackAddress": None}, "callbackAddress"),
        ({"consumerPid": "n-1"}, "callbackAddress"),
        ({"callbackAddress": None, "consumerPid": "n-1"}, "callbackAddress"),
        ({"callbackAddress": "http://them.example"}, "scheme"),
    ],
)
async def test_an_offer_that_cannot_work_is_refused_by_name(
    protocol: ProtocolRig, changes: Mapping[str, Any], named: str
) -> None:
    answer = await protocol.call("POST", "negotiations/offers", json=contract_offer(**changes))
    assert (answer.status_code, answer.json()["@type"]) == (400, "ContractNegotiationError")
    assert named in answer.json()["reason"][0]
    assert await protocol.stores.contract_negotiations.find_by_correlation(THEM, "provider-pid") is None


@pytest.mark.parametrize(
    ("side", "path", "body"),
    [
        (PROVIDER, "offers", contract_offer(providerPid="their-pid")),
        (CONSUMER, "request", contract_request(consumerPid="their-pid")),
    ],
)
async def test_one_process_of_theirs_has_one_role(
    protocol: ProtocolRig, side: NegotiationType, path: str, body: dict[str, Any]
) -> None:
    await protocol.offered()
    await known(protocol, side, S.REQUESTED)
    answer = await protocol.call("POST", f"negotiations/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "Conflict")


@pytest.mark.parametrize(("side", "name"), [(PROVIDER, "request"), (CONSUMER, "offer")])
async def test_a_second_proposal_is_refused_until_the_first_is_answered(
    protocol: ProtocolRig, side: NegotiationType, name: str
) -> None:
    await known(protocol, side, S.OFFERING if side is PROVIDER else S.REQUESTING)
    answers = [
        (await protocol.call("POST", path_of(name), json=message(name, side, **{"@id": message_id}))).status_code
        for message_id in ("m-1", "m-1", "m-2")
    ]
    assert answers == [200, 200, 400]


@pytest.mark.parametrize(("side", "name"), [(PROVIDER, "request"), (CONSUMER, "offer")])
async def test_a_proposal_is_kept_as_it_came(protocol: ProtocolRig, side: NegotiationType, name: str) -> None:
    await known(protocol, side, S.OFFERED if side is PROVIDER else S.REQUESTED, offer_id="ours")
    assert (await protocol.call("POST", path_of(name), json=message(name, side))).status_code == 200
    [(_, payload)] = await waiting(protocol)
    terms = {"permissions": OTHER_RULES["permission"], "prohibitions": [], "obligations": []}
    assert payload["terms"] == {**terms, "extra": {"profile": OTHER_RULES["profile"]}}
    assert payload.get("offerId") == (None if name == "request" else "their-offer")


@pytest.mark.parametrize(("side", "name"), [(PROVIDER, "request"), (CONSUMER, "offer")])
async def test_a_call_back_address_changes_nothing_in_a_running_negotiation(
    protocol: ProtocolRig, side: NegotiationType, name: str
) -> None:
    await known(protocol, side, S.OFFERED if side is PROVIDER else S.REQUESTED, counter_party_address=CALLBACK)
    body = message(name, side, callbackAddress="https://elsewhere.example")
    assert (await protocol.call("POST", path_of(name), json=body)).status_code == 200
    found = await protocol.stores.contract_negotiations.find("n-1")
    assert found is not None
    assert found.counter_party_address == CALLBACK


@pytest.mark.parametrize(("side", "name"), [(PROVIDER, "request"), (CONSUMER, "offer")])
@pytest.mark.parametrize(
    "changes",
    [
        {"offer": {**OFFERED, "target": "asset-2"}},
        {"offer": {**OFFERED, "permission": []}},
        {"offer": None},
    ],
)
async def test_a_proposal_that_cannot_work_is_refused(
    protocol: ProtocolRig, side: NegotiationType, name: str, changes: dict[str, Any]
) -> None:
    await known(protocol, side, S.OFFERED if side is PROVIDER else S.REQUESTED)
    body = {k: v for k, v in message(name, side, **changes).items() if v is not None}
    answer = await protocol.call("POST", path_of(name), json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert await waiting(protocol) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "asset-2"},
        {"assigner": OTHERS},
        {"assignee": OTHERS},
        {"permission": [{"action": "use", "constraint": [{"leftOperand": "x"}]}]},
        {"obligation": [{"action": "pay"}]},
        {"profile": "https://example.org/profile"},
        OTHER_RULES,
        {"@id": ""},
        {"timestamp": "yesterday"},
        {"timestamp": "0001-01-01T00:00:00+14:00"},
        {"timestamp": "9999-12-31T23:59:59-14:00"},
    ],
)
async def test_an_agreement_other_than_the_offer_is_refused(protocol: ProtocolRig, changes: dict[str, Any]) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    body = message("agreement", CONSUMER, agreement={**AGREEMENT, **changes})
    answer = await protocol.call("POST", path_of("agreement"), json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert await waiting(protocol) == []


@pytest.mark.parametrize(
    "rules",
    [
        {"permission": {"action": "use"}},
        {"permission": [{"action": "odrl:use", "@type": "Permission"}], "prohibition": [], "obligation": []},
        {"permission": [{"action": {"@id": "http://www.w3.org/ns/odrl/2/use"}, "constraint": []}]},
    ],
)
async def test_an_agreement_may_be_written_in_another_way(protocol: ProtocolRig, rules: dict[str, Any]) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    body = message("agreement", CONSUMER, agreement={**AGREEMENT, **rules})
    assert (await protocol.call("POST", path_of("agreement"), json=body)).status_code == 200
    [(_, payload)] = await waiting(protocol)
    assert payload["agreementId"] == "agreement-1"


async def test_the_id_of_another_agreement_is_refused(protocol: ProtocolRig) -> None:
    await protocol.agreed("taken", consumer=US, provider=THEM)
    await known(protocol, CONSUMER, S.REQUESTED)
    body = message("agreement", CONSUMER, agreement={**AGREEMENT, "@id": "taken"})
    answer = await protocol.call("POST", path_of("agreement"), json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert await waiting(protocol) == []


class OvertakingStore(MemoryContractNegotiationStore):
    """Has the terms of `n-1` change while a message about them is being checked."""

    async def find_agreement(self, agreement_id: str) -> ContractAgreement | None:
        [leased] = await self.lease_due(now=examples.moment(1e9), limit=1, lease_seconds=60, owner="test")
        changed = replace(leased.entity, policy=Policy(permissions=({"action": "read"},)))
        await self.save(changed, epoch=leased.epoch, applied=(), due_at=None)
        return await super().find_agreement(agreement_id)


async def test_an_agreement_to_terms_that_were_overtaken_is_refused() -> None:
    store = OvertakingStore(SystemClock())
    protocol = ProtocolRig(stores=replace(memory_stores(), contract_negotiations=store))
    found = examples.negotiation(state=S.REQUESTED, correlation_id="their-pid")
    await store.create(found, due_at=examples.moment(0))
    answer = await protocol.call("POST", path_of("agreement"), json=message("agreement", CONSUMER))
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert await waiting(protocol) == []


@pytest.mark.parametrize(("agreement_id", "status"), [("agreement-1", 200), ("agreement-2", 400)])
async def test_a_second_agreement_is_not_mistaken_for_the_first(
    protocol: ProtocolRig, agreement_id: str, status: int
) -> None:
    await known(protocol, CONSUMER, S.VERIFIED, agreement=examples.agreement("agreement-1"))
    body = message("agreement", CONSUMER, agreement={**AGREEMENT, "@id": agreement_id})
    assert (await protocol.call("POST", path_of("agreement"), json=body)).status_code == status


async def test_the_time_of_an_agreement_is_kept_in_utc(protocol: ProtocolRig) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    await protocol.call("POST", path_of("agreement"), json=message("agreement", CONSUMER))
    [(_, payload)] = await waiting(protocol)
    assert payload == {"agreementId": "agreement-1", "timestamp": "2026-03-01T11:00:00+00:00", "claims": {}}


@pytest.mark.parametrize("event_type", ["REJECTED", "", "accepted"])
async def test_an_unknown_event_is_refused(protocol: ProtocolRig, event_type: str) -> None:
    await known(protocol, CONSUMER, S.VERIFIED)
    body = message("finalization", CONSUMER, eventType=event_type)
    answer = await protocol.call("POST", path_of("finalization"), json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert await waiting(protocol) == []


async def test_an_event_may_come_with_its_namespace(protocol: ProtocolRig) -> None:
    await known(protocol, CONSUMER, S.VERIFIED)
    for event_type in ("dspace:FINALIZED", "https://w3id.org/dspace/2025/1/FINALIZED"):
        body = message("finalization", CONSUMER, eventType=event_type, **{"@id": "m-1"})
        assert (await protocol.call("POST", path_of("finalization"), json=body)).status_code == 200


async def test_why_a_negotiation_was_ended_is_kept_without_secrets(protocol: ProtocolRig) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    reason = ["no", {"@value": "see https://a.example/b?sig=PLANTED"}]
    body = message("termination", CONSUMER, code="42", reason=reason)
    await protocol.call("POST", path_of("termination"), json=body)
    [(_, payload)] = await waiting(protocol)
    assert payload["code"] == "42"
    assert payload["message"].startswith("no; see https://a.example/b")
    assert "PLANTED" not in payload["message"]


@pytest.mark.parametrize(
    ("state", "before", "shown"),
    [
        (S.REQUESTED, None, "REQUESTED"),
        (S.OFFERING, S.INITIAL, "OFFERED"),
        (S.OFFERING, S.REQUESTED, "REQUESTED"),
        (S.OFFERED, S.OFFERING, "OFFERED"),
        (S.ACCEPTED, S.OFFERED, "ACCEPTED"),
        (S.AGREEING, S.REQUESTED, "REQUESTED"),
        (S.AGREEING, S.ACCEPTED, "ACCEPTED"),
        (S.AGREED, S.AGREEING, "AGREED"),
        (S.VERIFIED, S.AGREED, "VERIFIED"),
        (S.FINALIZING, S.VERIFIED, "VERIFIED"),
        (S.FINALIZED, S.FINALIZING, "FINALIZED"),
        (S.TERMINATING, S.REQUESTED, "TERMINATED"),
        (S.TERMINATED, S.TERMINATING, "TERMINATED"),
    ],
)
async def test_a_providers_negotiation_is_shown_in_the_protocols_words(
    protocol: ProtocolRig, state: S, before: S | None, shown: str
) -> None:
    await known(protocol, PROVIDER, state, previous_state=before)
    body = (await protocol.call("GET", "negotiations/n-1")).json()
    assert (body["@type"], body["state"]) == ("ContractNegotiation", shown)
    assert (body["providerPid"], body["consumerPid"]) == ("n-1", "their-pid")


@pytest.mark.parametrize(
    ("state", "before", "shown"),
    [
        (S.REQUESTING, S.INITIAL, "REQUESTED"),
        (S.REQUESTING, S.OFFERED, "OFFERED"),
        (S.ACCEPTING, S.OFFERED, "OFFERED"),
        (S.ACCEPTED, S.ACCEPTING, "ACCEPTED"),
        (S.VERIFYING, S.AGREED, "AGREED"),
        (S.VERIFIED, S.VERIFYING, "VERIFIED"),
    ],
)
async def test_a_consumers_negotiation_is_shown_in_the_protocols_words(
    protocol: ProtocolRig, state: S, before: S, shown: str
) -> None:
    await known(protocol, CONSUMER, state, previous_state=before)
    body = (await protocol.call("GET", "negotiations/n-1")).json()
    assert (body["state"], body["consumerPid"], body["providerPid"]) == (shown, "n-1", "their-pid")
