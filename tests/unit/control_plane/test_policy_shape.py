"""The shape of policies in messages, as the schemas of the Dataspace Protocol demand it."""

from typing import Any

import pytest

from control_plane.domain.policy_shape import LOGICAL, OPERATORS, check_rules

ATOMIC = {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z"}


def permission(*constraints: Any) -> list[Any]:
    return [{"action": "use", "constraint": list(constraints)}]


@pytest.mark.parametrize("operator", sorted(OPERATORS))
@pytest.mark.parametrize("write", ["{}", "odrl:{}", "http://www.w3.org/ns/odrl/2/{}"])
def test_every_operator_is_read_in_every_spelling(operator: str, write: str) -> None:
    text = write.format(operator)
    check_rules("permission", permission({**ATOMIC, "operator": text}, {**ATOMIC, "operator": {"@id": text}}))


@pytest.mark.parametrize("operand", sorted(LOGICAL))
def test_logical_constraints_hold_others(operand: str) -> None:
    check_rules("permission", permission({operand: [ATOMIC, {"xone": [ATOMIC]}]}, {operand: ATOMIC}))


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "use"},
        {"action": {"@id": "odrl:use"}, "constraint": ATOMIC},
        {"action": "use", "duty": [{"action": "delete", "constraint": [ATOMIC]}], "unknown": 1},
        {"action": "use", "constraint": []},
        permission({**ATOMIC, "rightOperand": ""}, {**ATOMIC, "rightOperand": 0})[0],
        permission({**ATOMIC, "rightOperand": {}}, {**ATOMIC, "rightOperand": []})[0],
    ],
)
def test_what_the_schemas_allow_is_read(rule: Any) -> None:
    check_rules("permission", [rule])


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (["use"], r"permission\[0\] cannot be 'use'; a rule is an object"),
        ([{}], r"permission\[0\]\.action is missing"),
        ([{"action": 1}], r"permission\[0\]\.action cannot be 1"),
        ([{"action": ""}], r"permission\[0\]\.action"),
        ([{"action": {}}], r"permission\[0\]\.action"),
        ([{"action": "x" * 1025}], r"permission\[0\]\.action"),
        (permission(1), r"permission\[0\]\.constraint\[0\] cannot be 1"),
        (permission({}), r"permission\[0\]\.constraint\[0\]\.leftOperand is missing"),
        (
            permission(ATOMIC, {**ATOMIC, "operator": "almost"}),
            r"constraint\[1\]\.operator cannot be 'almost'; use one",
        ),
        (permission({**ATOMIC, "operator": ["eq"]}), r"operator cannot be \['eq'\]"),
        (permission({**ATOMIC, "leftOperand": 1}), r"leftOperand cannot be 1"),
        (permission({**ATOMIC, "rightOperand": None}), r"rightOperand is missing"),
        (permission({"and": [ATOMIC], "or": [ATOMIC]}), r"constraint\[0\] cannot be \['and', 'or'\]"),
        (permission({"and": [ATOMIC], **ATOMIC}), r"constraint\[0\] cannot be \['and'\]"),
        (permission({"and": [{"or": [{**ATOMIC, "operator": 1}]}]}), r"constraint\[0\]\.and\[0\]\.or\[0\]\.operator"),
        ([{"action": "use", "duty": [{}]}], r"permission\[0\]\.duty\[0\]\.action is missing"),
        ([{"action": "use"}] * 1001, r"more than 1000"),
        (permission(*[ATOMIC] * 1000), r"more than 1000"),
    ],
)
def test_what_they_do_not_allow_is_refused_with_place_value_and_remedy(rules: list[Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        check_rules("permission", rules)
