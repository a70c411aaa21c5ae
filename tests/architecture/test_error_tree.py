"""Every error is exactly one of transient and permanent, and clients can tell any two apart by their code."""

import inspect
from collections import Counter

import pytest

from connector_spi.errors import ConnectorError, PermanentError, TransientError
from tests.architecture.source_tree import PACKAGES, modules

BRANCHES: tuple[type[ConnectorError], ...] = (TransientError, PermanentError)


def _errors() -> list[type[ConnectorError]]:
    found = {
        member
        for module in modules()
        for member in vars(module).values()
        if inspect.isclass(member) and issubclass(member, ConnectorError)
    }
    return sorted(found - {ConnectorError, *BRANCHES}, key=lambda error: f"{error.__module__}.{error.__name__}")


ERRORS = _errors()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_is_either_transient_or_permanent(error: type[ConnectorError]) -> None:
    assert sum(issubclass(error, branch) for branch in BRANCHES) == 1


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_has_a_code_of_its_own_and_says_when_it_is_raised(error: type[ConnectorError]) -> None:
    assert "code" in vars(error), "its code is inherited"
    assert vars(error)["code"].isidentifier()
    assert vars(error).get("__doc__"), "it has no docstring"


@pytest.mark.parametrize(
    "error",
    [error for error in ERRORS if error.__module__.split(".")[0] in {"entra_identity", "vault_adapters"}],
    ids=lambda error: error.__name__,
)
def test_an_error_about_our_vault_or_identity_has_words_for_the_counterparty(error: type[ConnectorError]) -> None:
    assert error.outward


def test_no_two_errors_share_a_code() -> None:
    codes = Counter(error.code for error in [*BRANCHES, *ERRORS])
    assert [code for code, uses in codes.items() if uses > 1] == []


def test_every_exception_of_ours_is_in_the_tree() -> None:
    strangers = {
        f"{module.__name__}.{name}"
        for module in modules()
        for name, member in vars(module).items()
        if inspect.isclass(member)
        and issubclass(member, BaseException)
        and not issubclass(member, ConnectorError)
        and member.__module__.split(".")[0] in PACKAGES
    }
    assert strangers == set()
