"""One text over every store: which names a client may query by, and what is refused."""

from typing import Any

import pytest

from connector_spi.data_address import EDC_NAMESPACE
from connector_spi.errors import InvalidInputError
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.query import QuerySpec
from control_plane.ports.stores import Stores
from tests import control_plane_entities as examples
from tests.conformance.store_queries import NOW_MS, found, processes, where
from tests.control_plane_entities import moment

PROCESS_CASES: list[tuple[str, Any, list[str]]] = [
    ("id", "two", ["two"]),
    ("type", "CONSUMER", ["one", "two", "three"]),
    ("type", "PROVIDER", []),
    ("state", "INITIAL", ["one"]),
    ("state", 100, ["one"]),
    ("state", "100", ["one"]),
    ("state", "DEPROVISIONED", ["two"]),
    ("state", 1000, ["two"]),
    ("state", "COMPLETED", []),
    ("stateTimestamp", NOW_MS + 1000, ["two"]),
    ("createdAt", NOW_MS, ["one"]),
    ("createdAt", str(NOW_MS), ["one"]),
    ("updatedAt", NOW_MS + 1000.0, ["two"]),
    ("correlationId", "theirs", ["two"]),
    ("assetId", "asset-2", ["two"]),
    ("contractId", "contract-2", ["two"]),
    ("contractAgreementId", "contract-2", ["two"]),
    ("agreementId", "contract-2", ["two"]),
    ("counterPartyId", "did:web:third", ["two"]),
    ("counterPartyAddress", "https://third.example", ["two"]),
    ("transferType", "HttpData-PULL", ["two"]),
    ("protocol", "another", ["two"]),
    ("errorDetail", "The disk is full.", ["three"]),
    ("privateProperties.colour", "red", ["two"]),
    ("privateProperties.'colour'", "red", ["two"]),
    (f"privateProperties.'{EDC_NAMESPACE}colour'", "red", ["two"]),
]


async def test_transfer_processes_are_found_by_every_name(stores: Stores) -> None:
    store = await processes(stores)
    for prefix in ("", EDC_NAMESPACE):
        for left, right, expected in PROCESS_CASES:
            assert await found(store, where(prefix + left, "=", right)) == expected, (prefix, left, right)


NEGOTIATION_CASES: list[tuple[str, Any, list[str]]] = [
    ("type", "PROVIDER", ["two"]),
    ("state", "AGREED", ["two"]),
    ("state", 850, ["two"]),
    ("createdAt", NOW_MS + 1000, ["two"]),
    ("offerId", "offer-2", ["two"]),
    ("assetId", "asset-1", ["one", "two"]),
    ("contractAgreement.assetId", "asset-1", ["two"]),
    ("contractAgreementId", "agreed", ["two"]),
    ("contractAgreement.id", "agreed", ["two"]),
    ("errorDetail", "why", ["two"]),
    ("pending", True, ["two"]),
    ("pending", "false", ["one"]),
]


async def test_negotiations_are_found_by_every_name(stores: Stores) -> None:
    store = stores.contract_negotiations
    await store.create(examples.negotiation("one"), due_at=None)
    other = examples.negotiation(
        "two",
        type=NegotiationType.PROVIDER,
        state=NegotiationState.AGREED,
        created_at=moment(1),
        offer_id="offer-2",
        agreement=examples.agreement("agreed", negotiation_id="two"),
        error_detail="why",
        pending=True,
    )
    await store.create(other, due_at=None)
    for left, right, expected in NEGOTIATION_CASES:
        assert await found(store, where(left, "=", right)) == expected, (left, right)


async def test_a_truth_is_asked_for_by_a_truth(stores: Stores) -> None:
    with pytest.raises(InvalidInputError, match="Use true or false"):
        await stores.contract_negotiations.query(where("pending", "=", "maybe"))


AGREEMENT_CASES: list[tuple[str, Any]] = [
    ("id", "agreed"),
    ("assetId", "asset-1"),
    ("providerId", "did:web:them"),
    ("consumerId", "did:web:us"),
    ("contractSigningDate", NOW_MS // 1000),
]


async def test_agreements_are_found_by_every_name(stores: Stores) -> None:
    store = stores.contract_negotiations
    agreement = examples.agreement("agreed", negotiation_id="one")
    await store.create(examples.negotiation("one", state=NegotiationState.FINALIZED, agreement=agreement), due_at=None)
    for left, right in AGREEMENT_CASES:
        assert await store.query_agreements(where(left, "=", right)) == [agreement], left
        assert await store.query_agreements(where(left, "!=", right)) == [], left


async def test_contract_definitions_are_found_by_every_name(stores: Stores) -> None:
    store = stores.contract_definitions
    await store.create(examples.contract_definition("one"))
    await store.create(
        examples.contract_definition(
            "two", access_policy_id="a", contract_policy_id="b", private_properties={"x": 1}, created_at=moment(1)
        )
    )
    for left, right in (
        ("id", "two"),
        ("accessPolicyId", "a"),
        ("contractPolicyId", "b"),
        ("privateProperties.x", 1),
        ("createdAt", NOW_MS + 1000),
    ):
        assert await found(store, where(left, "=", right)) == ["two"], left


async def test_policy_definitions_are_found_by_every_name(stores: Stores) -> None:
    store = stores.policy_definitions
    await store.create(examples.policy_definition("one"))
    await store.create(examples.policy_definition("two", private_properties={"x": True}, created_at=moment(1)))
    for left, right in (("id", "two"), ("privateProperties.x", True), ("createdAt", NOW_MS + 1000)):
        assert await found(store, where(left, "=", right)) == ["two"], left


IRI = "https://example.org/vocabulary#part.of"


PROPERTY_NAMES = [
    "name",
    "'name'",
    f"{EDC_NAMESPACE}name",
    f"'{EDC_NAMESPACE}name'",
    "properties.name",
    "properties.'name'",
    f"properties.'{EDC_NAMESPACE}name'",
    "stored-in-full",
    f"{EDC_NAMESPACE}stored-in-full",
    IRI,
    f"'{IRI}'",
    f"properties.'{IRI}'",
    'quoted "key" \\ with $ and [0]',
    "naïve.clé",
    "privateProperties.name2",
]


async def test_assets_are_found_by_property_however_it_is_named(stores: Stores) -> None:
    properties = {
        "name": "wanted",
        f"{EDC_NAMESPACE}stored-in-full": "wanted",
        IRI: "wanted",
        'quoted "key" \\ with $ and [0]': "wanted",
        "naïve.clé": "wanted",
    }
    await stores.assets.create(
        examples.asset("one", properties=properties, private_properties={"name2": "wanted", "name": "hidden"})
    )
    await stores.assets.create(examples.asset("two", properties={"another": "wanted"}))
    for left in PROPERTY_NAMES:
        assert await found(stores.assets, where(left, "=", "wanted")) == ["one"], left


async def test_assets_are_found_by_id_and_time(stores: Stores) -> None:
    await stores.assets.create(examples.asset("one", properties={"id": "not this"}))
    await stores.assets.create(examples.asset("two", created_at=moment(1)))
    for left in ("id", f"{EDC_NAMESPACE}id", f"'{EDC_NAMESPACE}id'"):
        assert await found(stores.assets, where(left, "=", "one")) == ["one"]
    assert await found(stores.assets, where("createdAt", ">", NOW_MS)) == ["two"]


REFUSED: list[tuple[QuerySpec, str]] = [
    (where("nothing", "=", "x"), "operandLeft"),
    (where("", "=", "x"), "operandLeft"),
    (where("privateProperties", "=", "x"), "operandLeft"),
    (where("privateProperties.", "=", "x"), "operandLeft"),
    (where("shown_state", "=", "x"), "operandLeft"),
    (QuerySpec(sort_field="nothing"), "sortField"),
    (QuerySpec(sort_field=""), "sortField"),
    (where("state", "=", "NO_SUCH_STATE"), "operandRight"),
    (where("createdAt", "=", "yesterday"), "operandRight"),
    (where("createdAt", "=", 1.5), "operandRight"),
    (where("createdAt", "=", 2**63), "operandRight"),
    (where("createdAt", "=", float("inf")), "operandRight"),
    (where("assetId", "=", {"a": 1}), "operandRight"),
    (where("assetId", "in", [["a"]]), "operandRight"),
    (where("assetId", "=", "a\0"), "operandRight"),
    (where("assetId", "=", "\ud800"), "operandRight"),
    (where("assetId", "like", 5), "operandRight"),
    (where("state", "like", "ST%"), "operator"),
    (where("assetId", "contains", "x"), "operator"),
]


async def test_what_makes_no_sense_is_refused_by_the_name_of_the_member(stores: Stores) -> None:
    for query, named in REFUSED:
        with pytest.raises(InvalidInputError) as refused:
            await stores.transfer_processes.query(query)
        assert refused.value.field == named, query


async def test_an_unknown_field_is_answered_with_the_known_ones(stores: Stores) -> None:
    with pytest.raises(InvalidInputError, match=r"contractSigningDate.*providerId"):
        await stores.contract_negotiations.query_agreements(where("nothing", "=", "x"))
