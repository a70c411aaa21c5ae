"""Reading ODRL: every notation means the same, and what is not understood is refused by its place."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from connector_spi.errors import InvalidInputError
from control_plane.domain.odrl import AtomicConstraint, LogicalConstraint, LogicalOperator, Operator, RuleSet
from control_plane.domain.odrl_reader import CONSTRAINTS_MAX, DEPTH_MAX, read_rules
from control_plane.domain.policy import Policy
from tests import control_plane_entities as examples

ODRL = "http://www.w3.org/ns/odrl/2/"
COUNT = {"leftOperand": "count", "operator": "lteq", "rightOperand": 3}


def permitting(constraint: Any, **members: Any) -> Policy:
    return Policy(permissions=({"action": "use", "constraint": constraint, **members},))


def first(rules: RuleSet) -> Any:
    return rules.permissions[0].constraints[0]


def refusal(policy: Policy) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        read_rules(policy)
    return caught.value


@pytest.mark.parametrize(
    "constraint",
    [
        [COUNT],
        COUNT,
        {"@list": [COUNT]},
        {**COUNT, "@type": "Constraint", "@id": "c-1", "uid": "c-1"},
        {"odrl:leftOperand": "odrl:count", "odrl:operator": "odrl:lteq", "odrl:rightOperand": 3},
        {
            ODRL + "leftOperand": [{"@id": ODRL + "count"}],
            ODRL + "operator": [{"@id": ODRL + "lteq"}],
            ODRL + "rightOperand": {"@value": 3, "@type": "xsd:integer"},
        },
        {"leftOperand": {"@value": "https://w3id.org/edc/v0.0.1/ns/count"}, "operator": "term-lteq", "rightOperand": 3},
    ],
)
def test_every_notation_of_a_constraint_means_the_same(constraint: Any) -> None:
    read = first(read_rules(permitting(constraint)))
    assert read == AtomicConstraint("count", Operator.LTEQ, 3, "policy.permission[0].constraint[0]")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("text", "text"),
        ("odrl:text", "odrl:text"),
        (1.5, 1.5),
        (True, True),
        ({"@value": "x"}, "x"),
        ({"@id": "did:web:them"}, "did:web:them"),
        (["a", {"@value": "b"}, {"@id": "c"}], ("a", "b", "c")),
        ({"@list": ["a"]}, "a"),
        ([{"@value": 3}], 3),
    ],
)
def test_right_operands(written: Any, read: Any) -> None:
    assert first(read_rules(permitting({**COUNT, "rightOperand": written}))).right == read


@pytest.mark.parametrize(
    "action", ["use", "odrl:use", ODRL + "use", {"@id": "odrl:use"}, ["use"], {"odrl:type": "use"}]
)
def test_every_notation_of_use_is_use(action: Any) -> None:
    assert len(read_rules(Policy(permissions=({"action": action},))).permissions) == 1


def test_logical_constraints_nest() -> None:
    read = first(read_rules(permitting({"odrl:or": [{"and": [COUNT, COUNT]}, {"xone": {"andSequence": COUNT}}]})))
    assert isinstance(read, LogicalConstraint)
    assert read.operator is LogicalOperator.OR
    assert str(read) == "or(and(count lteq 3; count lteq 3); xone(andSequence(count lteq 3)))"
    atom = read.operands[1].operands[0].operands[0]  # type: ignore[union-attr]
    assert atom.where == "policy.permission[0].constraint[0].or[1].xone[0].andSequence[0]"  # type: ignore[union-attr]


def test_duties_obligations_and_prohibitions_are_read() -> None:
    duty = {"action": "use", "constraint": COUNT}
    rules = read_rules(
        Policy(permissions=({"action": "use", "duty": duty},), prohibitions=(duty,), obligations=(duty, duty))
    )
    assert [len(rules.permissions[0].duties), len(rules.prohibitions), len(rules.obligations)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        (Policy(), "policy.permission"),
        (Policy(prohibitions=({"action": "use"},)), "policy.permission"),
        (Policy(permissions=("use",)), "policy.permission[0]"),  # type: ignore[arg-type]
        (Policy(permissions=({},)), "policy.permission[0].action"),
        (Policy(permissions=({"action": "use"}, {"action": "sell"})), "policy.permission[1].action"),
        (Policy(permissions=({"action": ["use", "sell"]},)), "policy.permission[0].action"),
        (
            Policy(permissions=({"action": {"@id": "use", "refinement": []}},)),
            "policy.permission[0].action.refinement",
        ),
        (Policy(permissions=({"action": "use", "target": "other"},)), "policy.permission[0].target"),
        (Policy(permissions=({"action": "use", "constrain": []},)), "policy.permission[0].constrain"),
        (
            Policy(permissions=({"action": "use", "odrl:action": "sell"},)),
            "policy.permission[0].action",
        ),
        (Policy(permissions=examples.USE.permissions, extra={"prohibitions": []}), "policy.prohibitions"),
        (Policy(permissions=examples.USE.permissions, extra={"odrl:inheritFrom": "p"}), "policy.inheritFrom"),
        (Policy(permissions=examples.USE.permissions, extra={"conflict": "perm"}), "policy.conflict"),
        (
            Policy(permissions=examples.USE.permissions, obligations=({"action": "use"},)),
            "policy.obligation[0].constraint",
        ),
        (
            Policy(permissions=examples.USE.permissions, obligations=({"action": "delete", "constraint": COUNT},)),
            "policy.obligation[0].action",
        ),
        (
            Policy(permissions=examples.USE.permissions, prohibitions=({"action": "use", "remedy": []},)),
            "policy.prohibition[0].remedy",
        ),
        (
            Policy(permissions=examples.USE.permissions, prohibitions=({"action": "use", "duty": []},)),
            "policy.prohibition[0].duty",
        ),
        (permitting([], duty={"action": "compensate"}), "policy.permission[0].duty[0].action"),
        (permitting("x"), "policy.permission[0].constraint[0]"),
        (permitting([COUNT, {}]), "policy.permission[0].constraint[1].leftOperand"),
        (permitting({**COUNT, "leftOperand": 5}), "policy.permission[0].constraint[0].leftOperand"),
        (permitting({**COUNT, "leftOperand": ""}), "policy.permission[0].constraint[0].leftOperand"),
        (permitting({**COUNT, "operator": "like"}), "policy.permission[0].constraint[0].operator"),
        (permitting({**COUNT, "unit": "m"}), "policy.permission[0].constraint[0].unit"),
        (permitting({**COUNT, "rightOperand": None}), "policy.permission[0].constraint[0].rightOperand"),
        (permitting({**COUNT, "rightOperand": []}), "policy.permission[0].constraint[0].rightOperand"),
        (permitting({**COUNT, "rightOperand": float("nan")}), "policy.permission[0].constraint[0].rightOperand"),
        (permitting({**COUNT, "rightOperand": {"a": 1}}), "policy.permission[0].constraint[0].rightOperand"),
        (permitting({**COUNT, "rightOperand": ["a", ["b"]]}), "policy.permission[0].constraint[0].rightOperand[1]"),
        (permitting({**COUNT, "rightOperand": "x" * 3000}), "policy.permission[0].constraint[0].rightOperand"),
        (permitting({"or": []}), "policy.permission[0].constraint[0].or"),
        (permitting({"or": [COUNT], "and": [COUNT]}), "policy.permission[0].constraint[0].or"),
        (permitting({"or": [COUNT], **COUNT}), "policy.permission[0].constraint[0].leftOperand"),
        (permitting({"or": [COUNT, {"xone": [5]}]}), "policy.permission[0].constraint[0].or[1].xone[0]"),
        (permitting([COUNT] * (CONSTRAINTS_MAX + 1)), f"policy.permission[0].constraint[{CONSTRAINTS_MAX}]"),
    ],
)
def test_what_is_not_understood_is_refused_by_its_place(policy: Policy, place: str) -> None:
    assert refusal(policy).field == place


def test_labels_and_other_vocabularies_are_let_pass() -> None:
    extra = {"profile": "https://profile.example/", "uid": "p", "http://purl.org/dc/terms/title": "A title"}
    assert read_rules(Policy(permissions=examples.USE.permissions, extra=extra)).permissions


def test_the_depth_is_limited() -> None:
    nested: dict[str, Any] = COUNT
    for _ in range(DEPTH_MAX - 1):
        nested = {"and": [nested]}
    read_rules(permitting(nested))
    assert "nested deeper" in refusal(permitting({"and": [nested]})).problem


@pytest.mark.parametrize("member", ["constraint", "leftOperand", "rightOperand", "action", "unknown"])
def test_a_very_deep_policy_is_refused_before_it_exhausts_the_stack(member: str) -> None:
    nested: dict[str, Any] = {}
    for _ in range(100_000):
        nested = {"and": [nested]}
    try:
        constraint = {**COUNT, member: nested} if member != "constraint" else nested
        policy = Policy(permissions=({"action": nested},)) if member == "action" else permitting(constraint)
        assert refusal(policy).field.startswith("policy.permission[0]")
    finally:
        while nested:
            nested = nested.pop("and")[0]


@given(examples.policies)
def test_any_json_is_read_or_refused(policy: Policy) -> None:
    with suppress(InvalidInputError):
        assert read_rules(policy).permissions
