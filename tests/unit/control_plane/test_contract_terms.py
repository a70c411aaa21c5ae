"""Which policies are the same terms: an agreement is compared with them, and a consent."""

from typing import Any

import pytest
from hypothesis import given

from control_plane.domain.contract_terms import same_terms
from control_plane.domain.policy import Policy
from tests import control_plane_entities as examples


def rule(left: Any = "claim:a", operator: Any = "eq", right: Any = "x", **members: Any) -> dict[str, Any]:
    constraint = {"leftOperand": left, "operator": operator, "rightOperand": right}
    return {"action": "use", "constraint": [constraint], **members}


def permits(*rules: dict[str, Any], **members: Any) -> Policy:
    return Policy(permissions=rules, extra=members)


WRITTEN = rule()
[CONSTRAINT] = WRITTEN["constraint"]


@pytest.mark.parametrize(
    "other",
    [
        permits(rule(operator="odrl:eq")),
        permits(rule(operator={"@id": "http://www.w3.org/ns/odrl/2/eq"})),
        permits(rule(right={"@value": "x", "@type": "http://www.w3.org/2001/XMLSchema#string"})),
        permits(rule(right=["x"])),
        permits({**WRITTEN, "constraint": CONSTRAINT}),
        permits({"odrl:action": {"@id": "odrl:use"}, "odrl:constraint": [{"@type": "Constraint", **CONSTRAINT}]}),
        permits({**WRITTEN, "duty": [], "@type": "Permission"}),
        permits(WRITTEN, profile=None),
    ],
)
def test_what_is_only_written_differently_is_the_same(other: Policy) -> None:
    assert same_terms(permits(WRITTEN), other)
    assert same_terms(other, permits(WRITTEN))


@pytest.mark.parametrize(
    "other",
    [
        permits(),
        permits(WRITTEN, WRITTEN),
        permits({"action": "use"}),
        permits({**WRITTEN, "action": "read"}),
        permits(rule(left="claim:b")),
        permits(rule(operator="neq")),
        permits(rule(right="X")),
        permits(rule(right="odrl:x")),
        permits(rule(right=["x", "y"])),
        permits(rule(right=1)),
        permits(rule(duty=[{"action": "inform"}])),
        permits(rule(target="another-asset")),
        permits(rule(assignee="somebody")),
        permits(WRITTEN, profile="https://example.org/profile"),
        Policy(prohibitions=(WRITTEN,)),
        Policy(permissions=(WRITTEN,), prohibitions=({"action": "sell"},)),
        Policy(permissions=(WRITTEN,), obligations=({"action": "pay"},)),
    ],
)
def test_other_terms_are_not_the_same(other: Policy) -> None:
    assert not same_terms(permits(WRITTEN), other)
    assert not same_terms(other, permits(WRITTEN))


def test_the_order_counts() -> None:
    assert not same_terms(permits(WRITTEN, {"action": "read"}), permits({"action": "read"}, WRITTEN))


def test_a_flag_is_no_number() -> None:
    assert not same_terms(permits(rule(right=1)), permits(rule(right=True)))


@given(policy=examples.policies)
def test_any_policy_is_the_same_as_itself(policy: Policy) -> None:
    assert same_terms(policy, policy)
