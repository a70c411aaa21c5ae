from typing import Any

import pytest

from connector_spi.errors import InvalidInputError
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


def test_a_constraint_is_kept_so_that_it_can_be_refused() -> None:
    constraint = {
        "odrl:leftOperand": {"@id": "odrl:dateTime"},
        "odrl:operator": {"@id": "odrl:lt"},
        "odrl:rightOperand": {"@value": "2027-01-01"},
    }
    policy = policy_read({"permission": {"action": "use", "odrl:constraint": constraint}})
    assert policy.permissions[0]["constraint"] == [
        {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01"}
    ]
    with pytest.raises(InvalidInputError):
        policy.check_understood()


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
