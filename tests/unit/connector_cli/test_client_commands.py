"""Commands that call a running connector."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from connector_cli.commands.contracts import offer_in
from tests.unit.connector_cli.scripted_management import HANG_UP, Script

Connector = Callable[..., Result]

ADDRESS = "https://provider.example/protocol/2025-1"
OFFERS = [{"@id": "offer-1", "permission": [{"action": "use"}]}, {"@id": "offer-2"}]
CATALOG = {
    "dataset": [
        {"@id": "other", "hasPolicy": [{"@id": "offer-0"}], "distribution": [{"format": "AzureStorage-PUSH"}]},
        {"@id": "asset-1", "hasPolicy": OFFERS, "distribution": []},
    ]
}
PROCESS = {
    "@id": "tp-1",
    "type": "CONSUMER",
    "state": "STARTED",
    "stateTimestamp": 1772366400123,
    "assetId": "asset-1",
    "counterPartyId": "provider",
    "dataDestination": {"container": "the-container"},
    "progress": {"bytesCopied": 1_500_000, "bytesTotal": 3_000_000, "objectsCopied": 1},
}
TRANSFERS = "/v3/transferprocesses"


def process(**changes: Any) -> dict[str, Any]:
    return {**PROCESS, **changes}


def test_catalog_shows_assets_and_offers(connector: Connector, management: Script) -> None:
    management.answers["/v3/catalog/request"] = [CATALOG]
    result = connector("catalog", ADDRESS, "provider")
    assert result.exit_code == 0
    assert not [word for word in ("asset-1", "offer-2", "AzureStorage-PUSH") if word not in result.stdout]
    assert json.loads(connector("catalog", ADDRESS, "provider", "--json").stdout) == CATALOG
    assert management.keys == {"the-key"}
    [(_, _, asked), _] = management.requests
    assert (asked["counterPartyAddress"], asked["counterPartyId"]) == (ADDRESS, "provider")


@pytest.mark.parametrize("catalog", [{}, {"dataset": []}, {"dataset": None}, {"dataset": "odd"}])
def test_a_catalog_without_offers_is_told(connector: Connector, management: Script, catalog: dict[str, Any]) -> None:
    management.answers["/v3/catalog/request"] = [catalog]
    assert "Nothing is offered" in connector("catalog", ADDRESS, "provider").stdout


@pytest.mark.parametrize(
    ("asset", "offer", "found"),
    [("asset-1", None, ("asset-1", "offer-1")), (None, "offer-2", ("asset-1", "offer-2")), ("other", "offer-0", None)],
)
def test_an_offer_is_found_by_asset_or_by_its_own_id(asset: str, offer: str, found: tuple[str, str] | None) -> None:
    asset_id, chosen = offer_in(CATALOG, asset, offer) or ("", {})
    assert (asset_id, chosen.get("@id")) == (found or ("other", "offer-0"))


def test_an_offer_of_another_asset_is_not_taken() -> None:
    assert offer_in(CATALOG, "asset-1", "offer-0") is None


def test_negotiate_prints_the_agreement(connector: Connector, management: Script) -> None:
    management.answers |= {
        "/v3/catalog/request": [CATALOG],
        "/v3/contractnegotiations": [{"@id": "n-1"}],
        "/v3/contractnegotiations/n-1": [
            {"state": "REQUESTED"},
            {"state": "FINALIZED", "contractAgreementId": "agreement-1"},
        ],
    }
    result = connector("negotiate", ADDRESS, "provider", "asset-1")
    assert (result.exit_code, result.stdout) == (0, "agreement-1\n")
    asked = next(body for _, path, body in management.requests if path.endswith("/contractnegotiations"))
    assert (asked["policy"]["@id"], asked["policy"]["target"]) == ("offer-1", "asset-1")


def test_a_negotiation_that_is_terminated_fails_with_the_reason(connector: Connector, management: Script) -> None:
    management.answers |= {
        "/v3/catalog/request": [CATALOG],
        "/v3/contractnegotiations": [{"@id": "n-1"}],
        "/v3/contractnegotiations/n-1": [{"state": "TERMINATED", "errorDetail": "not for you"}],
    }
    result = connector("negotiate", ADDRESS, "provider", "asset-1")
    assert (result.exit_code, "not for you" in result.stderr) == (1, True)


def test_a_provider_with_other_terms_is_told_and_nothing_is_accepted(connector: Connector, management: Script) -> None:
    management.answers |= {
        "/v3/catalog/request": [CATALOG],
        "/v3/contractnegotiations": [{"@id": "n-1"}],
        "/v3/contractnegotiations/n-1": [
            {"state": "REQUESTED", "pending": False},
            {"state": "OFFERED", "pending": True, "stateTimestamp": 1},
        ],
    }
    result = connector("negotiate", ADDRESS, "provider", "asset-1")
    assert (result.exit_code, "n-1" in result.stderr) == (1, True), result.stderr
    assert not any(path.endswith("/accept") for _, path, _ in management.requests)


def test_negotiate_needs_an_asset_or_an_offer(connector: Connector) -> None:
    assert connector("negotiate", ADDRESS, "provider").exit_code == 2


def test_transfer_waits_for_the_end(connector: Connector, management: Script) -> None:
    management.answers |= {
        TRANSFERS: [{"@id": "tp-1"}],
        f"{TRANSFERS}/tp-1": [process(), process(), process(state="COMPLETED")],
    }
    result = connector("transfer", ADDRESS, "agreement-1", "--account", "acc", "--id", "tp-1", "--container", "c")
    assert result.exit_code == 0
    assert "tp-1  COMPLETED" in result.stdout
    assert "the-container" in result.stdout
    assert "1.5 MB" in result.stdout
    asked = management.requests[0][2]
    del asked["@context"]
    assert asked == {
        "@id": "tp-1",
        "contractId": "agreement-1",
        "counterPartyAddress": ADDRESS,
        "protocol": "dataspace-protocol-http:2025-1",
        "transferType": "AzureStorage-PUSH",
        "dataDestination": {"type": "AzureStorage", "account": "acc", "container": "c"},
        "managedResources": True,
    }


def test_transfer_into_a_container_that_is_there_says_so_and_shows_what_was_placed(
    connector: Connector, management: Script
) -> None:
    placement = {"objectsPlaced": 3, "objectsRenamed": 1, "objectsSkipped": 2, "bytesPlaced": 1500000}
    management.answers |= {
        TRANSFERS: [{"@id": "tp-1"}],
        f"{TRANSFERS}/tp-1": [process(state="COMPLETED", placement=placement)],
    }
    options = ("--into", "mine", "--folder", "in/here", "--if-exists", "skip", "--access", "staging")
    result = connector("transfer", ADDRESS, "agreement-1", "--account", "acc", *options)
    assert result.exit_code == 0, result.output
    assert "4 objects, 1.5 MB, 1 of them under other names; 2 left out" in result.stdout
    asked = management.requests[0][2]
    assert asked["managedResources"] is False
    assert asked["dataDestination"] == {
        "type": "AzureStorage",
        "account": "acc",
        "container": "mine",
        "folderName": "in/here",
        "ifExists": "skip",
        "access": "staging",
    }


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--folder", "in"), "--folder"),
        (("--if-exists", "skip"), "--if-exists"),
        (("--access", "container"), "--access"),
        (("--into", "mine", "--container", "new"), "--into"),
        (("--into", "mine", "--if-exists", "overwrite"), "--if-exists"),
    ],
)
def test_options_that_do_not_go_together_are_refused_by_name(
    connector: Connector, management: Script, options: tuple[str, ...], named: str
) -> None:
    result = connector("transfer", ADDRESS, "agreement-1", "--account", "acc", *options)
    assert (result.exit_code, named in result.stderr, management.requests) == (2, True, [])


ADDRESS_OF_PULL = {
    "type": "HttpData",
    "endpoint": "https://data.example/public/flows/x/",
    "authorization": "PLANTED-token",
    "refreshToken": "PLANTED-refresh",
    "authType": "bearer",
}


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_a_pull_is_waited_for_until_it_can_be_fetched_and_shows_no_token(
    connector: Connector, management: Script, extra: list[str]
) -> None:
    management.answers |= {
        TRANSFERS: [{"@id": "tp-1"}],
        f"{TRANSFERS}/tp-1": [process(state="REQUESTED"), process(), process(state="COMPLETED")],
        "/v3/edrs/tp-1/dataaddress": [ADDRESS_OF_PULL],
    }
    result = connector("transfer", ADDRESS, "agreement-1", "--type", "HttpData-PULL", *extra)
    assert result.exit_code == 0, result.output
    assert ADDRESS_OF_PULL["endpoint"] in result.stdout
    assert "STARTED" in result.stdout
    assert "PLANTED" not in result.output
    if not extra:
        assert "connector fetch tp-1 --to FOLDER" in result.stderr
    asked = management.requests[0][2]
    assert (asked["transferType"], "dataDestination" in asked) == ("HttpData-PULL", False)


def test_a_pull_into_an_account_is_waited_for_until_its_end(connector: Connector, management: Script) -> None:
    management.answers |= {
        TRANSFERS: [{"@id": "tp-1"}],
        f"{TRANSFERS}/tp-1": [process(), process(state="COMPLETED")],
    }
    result = connector("transfer", ADDRESS, "agreement-1", "--type", "HttpData-PULL", "--account", "acc")
    assert (result.exit_code, "COMPLETED" in result.stdout) == (0, True)
    assert management.requests[0][2]["dataDestination"] == {"type": "AzureStorage", "account": "acc"}


def test_a_push_needs_an_account(connector: Connector, management: Script) -> None:
    result = connector("transfer", ADDRESS, "agreement-1")
    assert (result.exit_code, "--account" in result.stderr, management.requests) == (2, True, [])


def test_address_prints_the_token(connector: Connector, management: Script) -> None:
    management.answers["/v3/edrs/tp-1/dataaddress"] = [ADDRESS_OF_PULL]
    assert json.loads(connector("address", "tp-1", "--json").stdout) == ADDRESS_OF_PULL
    assert "PLANTED-token" in connector("address", "tp-1").stdout
    assert connector("address", "unknown").exit_code == 1


def test_complete_asks_for_the_end(connector: Connector, management: Script) -> None:
    management.answers[f"{TRANSFERS}/tp-1/complete"] = [204]
    assert connector("complete", "tp-1").exit_code == 0
    assert management.requests == [("POST", f"/management{TRANSFERS}/tp-1/complete", None)]


def test_transfer_prints_the_final_state_as_json(connector: Connector, management: Script) -> None:
    management.answers |= {TRANSFERS: [{"@id": "tp-1"}], f"{TRANSFERS}/tp-1": [process(state="COMPLETED")]}
    result = connector("transfer", ADDRESS, "agreement-1", "--account", "acc", "--json")
    assert json.loads(result.stdout) == process(state="COMPLETED")


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_a_transfer_that_is_terminated_fails_with_the_reason(
    connector: Connector, management: Script, extra: list[str]
) -> None:
    ended = process(state="TERMINATED", errorCode="SourceNotFound", errorDetail="no such blob")
    management.answers |= {TRANSFERS: [{"@id": "tp-1"}], f"{TRANSFERS}/tp-1": [process(), ended]}
    result = connector("transfer", ADDRESS, "agreement-1", "--account", "acc", *extra)
    assert result.exit_code == 1
    assert "no such blob (SourceNotFound)" in result.stderr


def test_no_wait_returns_at_once(connector: Connector, management: Script) -> None:
    management.answers |= {TRANSFERS: [{"@id": "tp-1"}], f"{TRANSFERS}/tp-1": [process(state="INITIAL")]}
    result = connector("transfer", ADDRESS, "agreement-1", "--account", "acc", "--no-wait")
    assert (result.exit_code, "tp-1  INITIAL" in result.stdout) == (0, True)


def test_a_transfer_that_takes_too_long_goes_on(connector: Connector, management: Script) -> None:
    management.answers |= {TRANSFERS: [{"@id": "tp-1"}], f"{TRANSFERS}/tp-1": [process()]}
    result = connector("transfer", ADDRESS, "agreement-1", "--account", "acc", "--timeout", "1")
    assert (result.exit_code, "connector status tp-1" in result.stderr) == (1, True)


def test_waiting_outlives_a_connector_that_is_away_for_a_while(connector: Connector, management: Script) -> None:
    management.answers |= {
        TRANSFERS: [{"@id": "tp-1"}],
        f"{TRANSFERS}/tp-1": [process(), HANG_UP, HANG_UP, process(state="COMPLETED")],
    }
    assert connector("transfer", ADDRESS, "agreement-1", "--account", "acc").exit_code == 0


def test_ctrl_c_stops_waiting_and_says_that_the_transfer_goes_on(management: Script) -> None:
    management.answers |= {TRANSFERS: [{"@id": "tp-1"}], f"{TRANSFERS}/tp-1": [process()]}
    # A shell that runs the tests in the background has them ignore the signal, and their children with them.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import connector_cli.__main__"
    command = [sys.executable, "-c", program, "transfer", ADDRESS, "agreement-1", "--account", "acc"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        management.wait_for_request(f"{TRANSFERS}/tp-1")
        waiting.send_signal(signal.SIGINT)
        _, error = waiting.communicate(timeout=60)
    assert (waiting.returncode, "connector status tp-1" in error) == (130, True), error
    assert "Traceback" not in error
    assert not [path for _, path, _ in management.requests if path.endswith("terminate")]


def test_status_shows_one_or_the_recent_ones(connector: Connector, management: Script) -> None:
    management.answers |= {f"{TRANSFERS}/request": [[process()]], f"{TRANSFERS}/tp-1": [process()]}
    listed = connector("status")
    assert (listed.exit_code, "tp-1" in listed.stdout, "STARTED" in listed.stdout) == (0, True, True)
    assert json.loads(connector("status", "--json").stdout) == [process()]
    assert json.loads(connector("status", "tp-1", "--json").stdout) == process()


def test_status_without_transfers_says_so(connector: Connector, management: Script) -> None:
    management.answers[f"{TRANSFERS}/request"] = [[]]
    assert "no transfers" in connector("status").stdout


def test_deprovision_waits_until_it_is_done(connector: Connector, management: Script) -> None:
    management.answers |= {
        f"{TRANSFERS}/tp-1/deprovision": [204],
        f"{TRANSFERS}/tp-1/state": [{"state": "DEPROVISIONING"}, {"state": "DEPROVISIONED"}],
        f"{TRANSFERS}/tp-1": [process(state="DEPROVISIONED")],
    }
    result = connector("deprovision", "tp-1")
    assert (result.exit_code, "DEPROVISIONED" in result.stdout) == (0, True)


@pytest.mark.parametrize(("status", "exit_code"), [(400, 1), (401, 2), (404, 1), (409, 1), (502, 1)])
def test_a_refusal_is_printed_and_tells_by_its_exit_code(
    connector: Connector, management: Script, status: int, exit_code: int
) -> None:
    management.answers[f"{TRANSFERS}/tp-1"] = [status]
    result = connector("status", "tp-1")
    assert result.exit_code == exit_code
    assert f"scripted {status}" in result.stderr
    assert ("CONNECTOR_API_KEY" in result.stderr) is (status == 401)


def test_a_connector_that_is_not_there_is_told(connector: Connector) -> None:
    result = connector("status", "--url", "http://127.0.0.1:1/management")
    assert (result.exit_code, "cannot be reached" in result.stderr) == (2, True)


@pytest.mark.parametrize("url", ["127.0.0.1:19193", "ftp://x"])
def test_an_address_that_is_none_is_wrong_usage(connector: Connector, url: str) -> None:
    assert connector("status", "--url", url).exit_code == 2


def test_the_whole_catalog_is_printed_line_by_line(connector: Connector, management: Script) -> None:
    management.answers["/v3/catalog/request"] = [CATALOG]
    management.links["/v3/catalog/request"] = "?continuationToken=abc="
    management.answers["/v3/catalog/request?continuationToken=abc="] = [{"dataset": [{"@id": "last"}]}]
    lines = connector("catalog", ADDRESS, "provider", "--all", "--limit", "2").stdout.splitlines()
    assert [json.loads(line)["@id"] for line in lines] == ["other", "asset-1", "last"]
    assert [body["querySpec"] for _, _, body in management.requests] == [{"limit": 2}] * 2


def test_a_page_says_that_there_is_more(connector: Connector, management: Script) -> None:
    management.answers["/v3/catalog/request"] = [CATALOG]
    assert "There is more" not in connector("catalog", ADDRESS, "provider").stderr
    management.links["/v3/catalog/request"] = "?continuationToken=abc="
    assert "--all" in connector("catalog", ADDRESS, "provider").stderr
    assert "querySpec" not in management.requests[-1][2]


def test_an_offer_is_looked_for_on_every_page(connector: Connector, management: Script) -> None:
    management.answers |= {
        "/v3/catalog/request": [{"dataset": []}],
        "/v3/catalog/request?continuationToken=abc=": [CATALOG],
        "/v3/contractnegotiations": [{"@id": "n-1"}],
        "/v3/contractnegotiations/n-1": [{"state": "FINALIZED", "contractAgreementId": "agreement-1"}],
    }
    management.links["/v3/catalog/request"] = "?continuationToken=abc="
    assert connector("negotiate", ADDRESS, "provider", "asset-1").stdout == "agreement-1\n"
    result = connector("negotiate", ADDRESS, "provider", "--offer", "unknown")
    assert (result.exit_code, "unknown" in result.stderr) == (1, True)
