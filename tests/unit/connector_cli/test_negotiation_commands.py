"""`connector negotiation`: looking at negotiations, and deciding."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.unit.connector_cli.scripted_management import Script

Connector = Callable[..., Result]

NEGOTIATIONS = "/v3/contractnegotiations"
OFFERED = {
    "@id": "n-1",
    "type": "CONSUMER",
    "counterPartyId": "provider",
    "assetId": "asset-1",
    "state": "OFFERED",
    "pending": True,
    "offer": {"odrl:permission": [{"odrl:action": {"@id": "odrl:use"}}]},
}


def test_the_list_says_which_ones_wait(connector: Connector, management: Script) -> None:
    management.answers[f"{NEGOTIATIONS}/request"] = [[OFFERED, {**OFFERED, "@id": "n-2", "pending": False}]]
    result = connector("negotiation", "list")
    assert result.exit_code == 0
    assert (result.stdout.count("for you"), "n-2" in result.stdout) == (1, True)
    assert json.loads(connector("negotiation", "list", "--json").stdout)[0] == OFFERED


def test_only_those_that_wait_are_asked_for(connector: Connector, management: Script) -> None:
    management.answers[f"{NEGOTIATIONS}/request"] = [[]]
    assert "no such negotiations" in connector("negotiation", "list", "--pending").stdout
    [(_, _, query)] = management.requests
    assert query["filterExpression"] == [{"operandLeft": "pending", "operator": "=", "operandRight": True}]


def test_the_terms_on_the_table_are_shown(connector: Connector, management: Script) -> None:
    management.answers[f"{NEGOTIATIONS}/n-1"] = [OFFERED]
    result = connector("negotiation", "show", "n-1")
    assert ("odrl:use" in result.stdout, "OFFERED" in result.stdout, "waits for you" in result.stderr) == (True,) * 3


@pytest.mark.parametrize("verb", ["accept", "agree", "verify", "finalize", "terminate"])
def test_a_decision_is_passed_on(connector: Connector, management: Script, verb: str) -> None:
    management.answers[f"{NEGOTIATIONS}/n-1/{verb}"] = [204]
    assert connector("negotiation", verb, "n-1").exit_code == 0
    assert [(method, path.rpartition("/")[2]) for method, path, _ in management.requests] == [("POST", verb)]


def test_a_reason_reaches_the_counterparty(connector: Connector, management: Script) -> None:
    management.answers[f"{NEGOTIATIONS}/n-1/terminate"] = [204]
    assert connector("negotiation", "terminate", "n-1", "--reason", "too dear").exit_code == 0
    assert management.requests[0][2] == {"reason": "too dear"}


@pytest.mark.parametrize(("side", "verb"), [("CONSUMER", "request"), ("PROVIDER", "offer")])
def test_other_terms_go_by_the_name_of_the_own_role(
    connector: Connector, management: Script, tmp_path: Path, side: str, verb: str
) -> None:
    management.answers |= {f"{NEGOTIATIONS}/n-1": [{**OFFERED, "type": side}], f"{NEGOTIATIONS}/n-1/{verb}": [204]}
    terms: dict[str, Any] = {"permission": [{"action": "use"}]}
    (tmp_path / "terms.json").write_text(json.dumps(terms))
    assert connector("negotiation", "counter", "n-1", "--policy", tmp_path / "terms.json").exit_code == 0
    method, path, body = management.requests[-1]
    assert (method, path.rpartition("/")[2], body["policy"]["permission"]) == ("POST", verb, terms["permission"])


@pytest.mark.parametrize("content", ["{", "[]", "7"])
def test_terms_that_are_no_object_are_wrong_usage(
    connector: Connector, management: Script, tmp_path: Path, content: str
) -> None:
    (tmp_path / "terms.json").write_text(content)
    assert connector("negotiation", "counter", "n-1", "--policy", tmp_path / "terms.json").exit_code == 2
    assert management.requests == []


def test_a_decision_that_the_state_forbids_fails_with_the_reason(connector: Connector, management: Script) -> None:
    management.answers[f"{NEGOTIATIONS}/n-1/accept"] = [409]
    result = connector("negotiation", "accept", "n-1")
    assert (result.exit_code, "scripted 409" in result.stderr) == (1, True)
