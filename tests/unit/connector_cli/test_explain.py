"""`connector explain`."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from azure_storage.errors import AuthenticationFailedError
from connector_cli.error_catalogue import entries
from connector_spi.errors import StoreUnavailableError

Connector = Callable[..., Result]


@pytest.mark.parametrize("code", ["AuthenticationFailed", "authenticationfailed"])
def test_a_code_is_explained_with_what_to_look_at(connector: Connector, code: str) -> None:
    result = connector("explain", code)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"AuthenticationFailed: {AuthenticationFailedError.cause}.\nIt is final")
    assert AuthenticationFailedError.remedy in result.stdout
    assert "white space" in result.stdout
    assert "Clock skew" in result.stdout


def test_what_is_tried_again_is_said(connector: Connector) -> None:
    assert "It is tried again." in connector("explain", "VaultSealed").stdout


def test_programs_get_an_entry_or_all_of_them(connector: Connector) -> None:
    one = json.loads(connector("explain", "StoreUnavailable", "--json").stdout)
    assert one == {
        "code": "StoreUnavailable",
        "retried": True,
        "cause": StoreUnavailableError.cause,
        "remedy": StoreUnavailableError.remedy,
        "checks": [],
    }
    everything = json.loads(connector("explain", "--json").stdout)
    assert one in everything
    assert len(everything) == len(entries())


def test_all_are_listed_by_area(connector: Connector) -> None:
    lines = connector("explain").stdout.splitlines()
    assert lines.index("Vaults:") < lines.index("Data plane:")
    assert any(line.startswith("  VaultSealed: ") for line in lines)


@pytest.mark.parametrize(("code", "near"), [("SecretNotFond", "SecretNotFound"), ("sealed", "VaultSealed")])
def test_a_code_that_is_not_known_is_answered_with_those_near_it(connector: Connector, code: str, near: str) -> None:
    result = connector("explain", code)
    assert result.exit_code == 2
    assert near in result.stderr


def test_why_a_process_ended_without_an_error_is_explained_too(connector: Connector) -> None:
    assert "deadline" in connector("explain", "DeadlineExceeded").stdout


def test_a_code_like_no_other_points_to_the_list(connector: Connector) -> None:
    assert "`connector explain` lists all" in connector("explain", "xqzw").stderr
