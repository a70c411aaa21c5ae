"""Negotiation endpoints of the Dataspace Protocol: what counterparties may ask, and what they are answered."""

from collections.abc import Mapping
from typing import Any

import pytest

from connector_spi.errors import ConnectorError
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.policy import Policy
from tests import control_plane_entities as examples
from tests.unit.control_plane.protocol_rig import OFFER, OTHERS, THEM, US, ProtocolRig, contract_request, told

S = NegotiationState
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
PATHS = {
    "agreement": "ContractAgreementMessage",
    "agreement/verification": "ContractAgreementVerificationMessage",
    "events": "ContractNegotiationEventMessage",
    "termination": "ContractNegotiationTerminationMessage",
}
AGREEMENT = {
    "@id": "agreement-1",
    "@type": "Agreement",
    "target": "asset-1",
    "assigner": THEM,
    "assignee": US,
    "timestamp": "2026-03-01T12:00:00+01:00",
    "permission": [{"action": "use"}],
}
OWN_MEMBERS: dict[str, dict[str, Any]] = {
    "agreement": {"agreement": AGREEMENT},
    "events": {"eventType": "FINALIZED"},
}


async def known(protocol: ProtocolRig, side: NegotiationType, state: S, **changes: Any) -> None:
    found = examples.negotiation(type=side, state=state, correlation_id="their-pid", **changes)
    await protocol.stores.contract_negotiations.create(found, due_at=None)


def message(path: str, side: NegotiationType, **members: Any) -> dict[str, Any]:
    pids = ("n-1", "their-pid") if side is CONSUMER else ("their-pid", "n-1")
    return told(PATHS[path], *pids, **{**OWN_MEMBERS.get(path, {}), **members})


async def waiting(protocol: ProtocolRig) -> list[tuple[str, Mapping[str, Any]]]:
    leased = await protocol.stores.contract_negotiations.lease_due(
        now=examples.moment(1e9), limit=9, lease_seconds=60, owner="test"
    )
    return [(note.kind, note.payload) for found in leased for note in found.inbox]


async def test_a_request_for_an_offer_is_taken(protocol: ProtocolRig) -> None:
    await protocol.offered()
    answer = await protocol.call("POST", "negotiations/request", json=contract_request())
    assert answer.status_code == 201
    body = answer.json()
    assert (body["@type"], body["consumerPid"], body["state"]) == ("ContractNegotiation", "consumer-pid", "REQUESTED")
    found = await protocol.stores.contract_negotiations.find(body["providerPid"])
    assert found is not None
    assert (found.type, found.state, found.asset_id, found.counter_party_id) == (PROVIDER, S.REQUESTED, "asset-1", THEM)


async def test_the_same_request_again_is_the_same_negotiation(protocol: ProtocolRig) -> None:
    await protocol.offered()
    answers = [(await protocol.call("POST", "negotiations/request", json=contract_request())).json() for _ in range(2)]
    assert answers[0]["providerPid"] == answers[1]["providerPid"]


def offer(**changes: Any) -> dict[str, Any]:
    members = {"@id": OFFER, "target": "asset-1", "permission": [{"action": "use"}], **changes}
    return {"offer": {name: value for name, value in members.items() if value is not None}}


@pytest.mark.parametrize(
    ("changes", "status", "named"),
    [
        ({"offer": None}, 400, "offer"),
        (offer(**{"@id": "not-base64!"}), 400, "offer.@id"),
        (offer(**{"@id": str(OfferId(definition_id="c-1", asset_id="other"))}), 404, "Offer"),
        (offer(**{"@id": str(OfferId(definition_id="other", asset_id="asset-1"))}), 404, "Offer"),
        (offer(target="asset-2"), 400, "offer.target"),
        (offer(permission=[{"action": "use", "constraint": []}]), 400, "other rules"),
        (offer(permission=[]), 400, "other rules"),
        (offer(prohibition=[{"action": "use"}]), 400, "other rules"),
        ({"callbackAddress": None}, 400, "callbackAddress"),
        ({"callbackAddress": None, "providerPid": "n-1"}, 400, "callbackAddress"),
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
    assert "dataset" not in (await protocol.call("POST", "catalog/request", json={})).json()


@pytest.mark.parametrize(
    ("side", "state", "path", "kind"),
    [
        (CONSUMER, S.REQUESTED, "agreement", "AGREE"),
        (CONSUMER, S.REQUESTING, "agreement", "AGREE"),
        (CONSUMER, S.VERIFIED, "events", "FINALIZE"),
        (CONSUMER, S.VERIFYING, "events", "FINALIZE"),
        (CONSUMER, S.REQUESTED, "termination", "TERMINATE_BY_COUNTERPARTY"),
        (PROVIDER, S.AGREED, "agreement/verification", "VERIFY"),
        (PROVIDER, S.AGREEING, "agreement/verification", "VERIFY"),
        (PROVIDER, S.FINALIZING, "termination", "TERMINATE_BY_COUNTERPARTY"),
    ],
)
async def test_a_message_whose_turn_it_is_is_noted_once(
    protocol: ProtocolRig, side: NegotiationType, state: S, path: str, kind: str
) -> None:
    await known(protocol, side, state)
    for _ in range(2):
        answer = await protocol.call("POST", f"negotiations/n-1/{path}", json=message(path, side, **{"@id": "m-1"}))
        assert (answer.status_code, answer.json()) == (200, {})
    assert [kind for kind, _ in await waiting(protocol)] == [kind]


@pytest.mark.parametrize(
    ("side", "state", "path"),
    [
        (CONSUMER, S.AGREED, "agreement"),
        (CONSUMER, S.VERIFYING, "agreement"),
        (CONSUMER, S.FINALIZED, "events"),
        (PROVIDER, S.FINALIZED, "agreement/verification"),
        (PROVIDER, S.TERMINATED, "termination"),
    ],
)
async def test_a_repeated_message_is_acknowledged_and_changes_nothing(
    protocol: ProtocolRig, side: NegotiationType, state: S, path: str
) -> None:
    await known(protocol, side, state)
    assert (await protocol.call("POST", f"negotiations/n-1/{path}", json=message(path, side))).status_code == 200
    assert await waiting(protocol) == []


@pytest.mark.parametrize(
    ("side", "state", "path"),
    [
        (CONSUMER, S.REQUESTED, "events"),
        (CONSUMER, S.TERMINATED, "agreement"),
        (CONSUMER, S.FINALIZED, "termination"),
        (PROVIDER, S.REQUESTED, "agreement/verification"),
        (PROVIDER, S.FINALIZED, "termination"),
        # These events have moves in the provider's table, or the consumer's, that are its own to make.
        (PROVIDER, S.REQUESTED, "agreement"),
        (PROVIDER, S.VERIFIED, "events"),
        (CONSUMER, S.AGREED, "agreement/verification"),
    ],
)
async def test_what_state_or_role_do_not_allow_is_refused_and_changes_nothing(
    protocol: ProtocolRig, side: NegotiationType, state: S, path: str
) -> None:
    await known(protocol, side, state)
    agreement = {**AGREEMENT, "assigner": THEM, "assignee": US}
    changes = {"agreement": agreement} if path == "agreement" else {}
    answer = await protocol.call("POST", f"negotiations/n-1/{path}", json=message(path, side, **changes))
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidTransition")
    assert await waiting(protocol) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "asset-2"},
        {"assigner": OTHERS},
        {"assignee": OTHERS},
        {"permission": [{"action": "use", "constraint": [{"leftOperand": "x"}]}]},
        {"obligation": [{"action": "pay"}]},
        {"@id": ""},
        {"timestamp": "yesterday"},
        {"timestamp": "0001-01-01T00:00:00+14:00"},
        {"timestamp": "9999-12-31T23:59:59-14:00"},
    ],
)
async def test_an_agreement_other_than_the_offer_is_refused(protocol: ProtocolRig, changes: dict[str, Any]) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    body = message("agreement", CONSUMER, agreement={**AGREEMENT, **changes})
    answer = await protocol.call("POST", "negotiations/n-1/agreement", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert await waiting(protocol) == []


async def test_the_id_of_another_agreement_is_refused(protocol: ProtocolRig) -> None:
    await protocol.agreed("taken", consumer=US, provider=THEM)
    await known(protocol, CONSUMER, S.REQUESTED)
    body = message("agreement", CONSUMER, agreement={**AGREEMENT, "@id": "taken"})
    answer = await protocol.call("POST", "negotiations/n-1/agreement", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert await waiting(protocol) == []


async def test_the_time_of_an_agreement_is_kept_in_utc(protocol: ProtocolRig) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    await protocol.call("POST", "negotiations/n-1/agreement", json=message("agreement", CONSUMER))
    [(_, payload)] = await waiting(protocol)
    assert payload == {"agreementId": "agreement-1", "timestamp": "2026-03-01T11:00:00+00:00"}


async def test_an_event_other_than_finalized_is_refused(protocol: ProtocolRig) -> None:
    await known(protocol, CONSUMER, S.VERIFIED)
    body = message("events", CONSUMER, eventType="ACCEPTED")
    assert (await protocol.call("POST", "negotiations/n-1/events", json=body)).status_code == 400


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("pids", [("n-1", "other"), ("other", "their-pid"), ("their-pid", "n-1")])
async def test_pids_that_are_not_those_of_the_negotiation_are_refused(
    protocol: ProtocolRig, path: str, pids: tuple[str, str]
) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    body = message(path, CONSUMER, consumerPid=pids[0], providerPid=pids[1])
    answer = await protocol.call("POST", f"negotiations/n-1/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")


@pytest.mark.parametrize("path", ["", *PATHS])
async def test_the_negotiation_of_somebody_else_does_not_exist(protocol: ProtocolRig, path: str) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    method, body = ("POST", message(path, CONSUMER)) if path else ("GET", None)
    answer = await protocol.call(method, f"negotiations/n-1/{path}".rstrip("/"), json=body, sender=OTHERS)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("INITIAL REQUESTING REQUESTED AGREEING", "REQUESTED"),
        ("AGREED VERIFYING", "AGREED"),
        ("VERIFIED FINALIZING", "VERIFIED"),
        ("FINALIZED", "FINALIZED"),
        ("TERMINATING TERMINATED", "TERMINATED"),
    ],
)
async def test_a_negotiation_is_shown_in_the_protocols_words(protocol: ProtocolRig, state: str, shown: str) -> None:
    for name in state.split():
        found = examples.negotiation(name, state=NegotiationState[name], correlation_id=f"pid-{name}", type=PROVIDER)
        await protocol.stores.contract_negotiations.create(found, due_at=None)
        body = (await protocol.call("GET", f"negotiations/{name}")).json()
        assert (body["state"], body["providerPid"], body["consumerPid"]) == (shown, name, f"pid-{name}")


async def test_the_catalog_shows_what_is_offered_and_not_where_it_lies(protocol: ProtocolRig) -> None:
    await protocol.offered()
    answer = await protocol.call("POST", "catalog/request", json={"@type": "CatalogRequestMessage"})
    body = answer.json()
    assert (answer.status_code, body["@type"], body["participantId"]) == (200, "Catalog", US)
    [dataset] = body["dataset"]
    assert (dataset["@id"], dataset["@type"], dataset["name"]) == ("asset-1", "Dataset", "An asset")
    assert dataset["hasPolicy"] == [{"@id": OFFER, "@type": "Offer", "permission": [{"action": "use"}]}]
    assert dataset["distribution"][0]["format"] == "AzureStorage-PUSH"
    assert dataset["distribution"][0]["accessService"]["endpointURL"] == "https://us.example/2025-1"
    assert "account-key" not in answer.text


async def test_a_filter_of_the_catalog_is_refused_and_not_ignored(protocol: ProtocolRig) -> None:
    answer = await protocol.call("POST", "catalog/request", json={"@type": "CatalogRequestMessage", "filter": ["x"]})
    assert (answer.status_code, answer.json()["@type"]) == (400, "CatalogError")


async def test_an_empty_catalog_has_no_datasets(protocol: ProtocolRig) -> None:
    assert "dataset" not in (await protocol.call("POST", "catalog/request", json={})).json()


@pytest.mark.parametrize(("dataset_id", "status"), [("asset-1", 200), ("a/b c", 200), ("unknown", 404)])
async def test_one_dataset_can_be_asked_for(protocol: ProtocolRig, dataset_id: str, status: int) -> None:
    await protocol.offered()
    await protocol.stores.assets.create(examples.asset("a/b c"))
    answer = await protocol.call("GET", f"catalog/datasets/{dataset_id}")
    assert answer.status_code == status
    if status == 200:
        assert (answer.json()["@type"], answer.json()["@id"]) == ("Dataset", dataset_id)
    else:
        assert set(answer.json()) == {"@context", "@type", "code", "reason"}


async def test_the_version_document_needs_no_token(protocol: ProtocolRig) -> None:
    async with protocol.http() as client:
        answer = await client.get("https://us.example/.well-known/dspace-version")
    entry = {"version": "2025-1", "path": "/2025-1", "binding": "HTTPS"}
    assert (answer.status_code, answer.json()) == (200, {"protocolVersions": [entry]})


@pytest.mark.parametrize("text", ["", "a:b", "YQ==:YQ==", "YQ==:YQ==:MQ==:MQ==", "\u00e9:b:c", "/w==:YQ==:MQ=="])
def test_an_id_that_is_not_one_of_our_offers_is_refused(text: str) -> None:
    with pytest.raises(ConnectorError, match=r"offer\.@id"):
        OfferId.parse(text)
