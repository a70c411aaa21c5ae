from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_spi.errors import InvalidInputError
from control_plane.domain.odrl import Operator
from control_plane.domain.odrl_reader import read_rules
from control_plane.domain.policy import Policy
from management_api import json_ld
from management_api.odrl import policy_of, shown_policy

ODRL = "http://www.w3.org/ns/odrl/2/"
USE = Policy(permissions=({"action": "use"},))


def policy_read(document: dict[str, Any]) -> Policy:
    return policy_of(json_ld.read(document, max_depth=32))


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"permission": [{"action": "use"}]}, id="compact"),
        pytest.param({"permission": {"action": "use"}}, id="single rule"),
        pytest.param(
            {"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", "permission": [{"action": "use"}]},
            id="with ODRL's context",
        ),
        pytest.param(
            {"@context": {"odrl": ODRL}, "odrl:permission": [{"odrl:action": {"@id": "odrl:use"}}]}, id="prefixed"
        ),
        pytest.param(
            {
                "@context": "http://www.w3.org/ns/odrl.jsonld",
                "@type": [ODRL + "Offer"],
                ODRL + "permission": [{ODRL + "action": [{"@id": ODRL + "use"}], ODRL + "constraint": []}],
                ODRL + "prohibition": [],
                ODRL + "obligation": [],
            },
            id="expanded",
        ),
        pytest.param({"@context": {"@vocab": ODRL}, "permission": {"action": "odrl:use"}}, id="vocabulary"),
        pytest.param(
            {"@id": "p", "assigner": "a", "target": {"@id": "t"}, "permission": [{"action": "use", "duty": []}]},
            id="with what it is about",
        ),
    ],
)
def test_every_way_to_write_a_policy_is_read_the_same(document: dict[str, Any]) -> None:
    assert policy_read(document) == USE


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param(
            {
                "odrl:leftOperand": {"@id": "odrl:dateTime"},
                "odrl:operator": {"@id": "odrl:lt"},
                "odrl:rightOperand": {"@value": "2027-01-01T00:00:00Z"},
            },
            {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z"},
            id="prefixed",
        ),
        pytest.param(
            {
                ODRL + "leftOperand": [{"@value": "https://w3id.org/edc/v0.0.1/ns/inForceDate"}],
                ODRL + "operator": [{"@id": ODRL + "lteq"}],
                ODRL + "rightOperand": [{"@value": "contractAgreement+30d"}],
            },
            {
                "leftOperand": "https://w3id.org/edc/v0.0.1/ns/inForceDate",
                "operator": "lteq",
                "rightOperand": "contractAgreement+30d",
            },
            id="expanded",
        ),
        pytest.param(
            {"leftOperand": "edc:inForceDate", "operator": "eq", "rightOperand": "odrl:untouched"},
            {
                "leftOperand": "https://w3id.org/edc/v0.0.1/ns/inForceDate",
                "operator": "eq",
                "rightOperand": "odrl:untouched",
            },
            id="a value of the client's is not shortened",
        ),
        pytest.param(
            {"leftOperand": "claim:role", "operator": "isAnyOf", "rightOperand": {"@list": ["a", {"@value": "b"}]}},
            {"leftOperand": "claim:role", "operator": "isAnyOf", "rightOperand": ["a", "b"]},
            id="list",
        ),
        pytest.param(
            {"leftOperand": "assignee", "operator": "eq", "rightOperand": {"@id": "did:web:them"}},
            {"leftOperand": "assignee", "operator": "eq", "rightOperand": {"@id": "did:web:them"}},
            id="identifier",
        ),
        pytest.param(
            {"odrl:or": {"leftOperand": "count", "operator": "odrl:lteq", "rightOperand": 3}},
            {"or": [{"leftOperand": "count", "operator": "lteq", "rightOperand": 3}]},
            id="logical, with a single operand",
        ),
        pytest.param(
            {ODRL + "and": [{"@list": [{"leftOperand": "count", "operator": "lt", "rightOperand": 3}]}]},
            {"and": [{"leftOperand": "count", "operator": "lt", "rightOperand": 3}]},
            id="logical, expanded list",
        ),
    ],
)
def test_a_constraint_survives_in_every_notation(written: dict[str, Any], kept: dict[str, Any]) -> None:
    policy = policy_read({"permission": {"action": "use", "odrl:constraint": written}})
    assert policy.permissions == ({"action": "use", "constraint": [kept]},)
    read_rules(policy)
    assert policy_read(shown_policy(policy, "Set")) == policy


def test_a_member_in_two_spellings_is_refused() -> None:
    rules = {"permission": [{"action": "use"}], "odrl:permission": []}
    with pytest.raises(InvalidInputError, match=r"policy\.permission: is given twice"):
        policy_read(rules)


def test_rules_must_be_objects() -> None:
    with pytest.raises(InvalidInputError, match=r"policy\.permission"):
        policy_read({"permission": ["use"]})


def test_answers_carry_edc_notation() -> None:
    assert shown_policy(USE, "Agreement", assigner="p", target="t") == {
        "@type": "odrl:Agreement",
        "odrl:assigner": {"@id": "p"},
        "odrl:target": {"@id": "t"},
        "odrl:permission": [{"odrl:action": {"@id": "odrl:use"}}],
        "odrl:prohibition": [],
        "odrl:obligation": [],
    }


def test_what_is_shown_is_read_back() -> None:
    policy = Policy(
        permissions=({"action": "use", "constraint": [{"leftOperand": "x", "operator": "eq", "rightOperand": 1}]},),
        extra={"profile": "https://profile.example/"},
    )
    assert policy_read(shown_policy(policy, "Set")) == policy


_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
_scalars = _texts | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
_right_operands = _scalars | st.builds(lambda text: {"@id": text}, _texts) | st.lists(_scalars, min_size=2, max_size=3)
_atoms = st.builds(
    lambda left, operator, right: {"leftOperand": left, "operator": operator, "rightOperand": right},
    st.sampled_from(["inForceDate", "https://w3id.org/edc/v0.0.1/ns/inForceDate", "claim:a.b", "count"]),
    st.sampled_from(Operator).map(str),
    _right_operands,
)
_constraints: st.SearchStrategy[dict[str, Any]] = st.recursive(
    _atoms,
    lambda inner: st.builds(
        lambda name, operands: {name: operands},
        st.sampled_from(["and", "or", "xone", "andSequence"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
_rules = st.builds(
    lambda constraints: {"action": "use", **({"constraint": constraints} if constraints else {})},
    st.lists(_constraints, max_size=2),
)


@given(st.lists(_rules, min_size=1, max_size=2), st.lists(_rules, max_size=2), st.lists(_rules, max_size=2))
def test_any_policy_survives_the_way_out_and_in_again(
    permissions: list[Any], prohibitions: list[Any], obligations: list[Any]
) -> None:
    policy = Policy(tuple(permissions), tuple(prohibitions), tuple(obligations))
    assert policy_read(shown_policy(policy, "Set")) == policy
    assert policy_read(policy.rules()) == policy
