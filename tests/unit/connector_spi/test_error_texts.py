"""What our own operator is told beside an error's message."""

from connector_spi.errors import ConfigurationError, InvalidInputError, SecretNotFoundError, StoreUnavailableError


def test_the_advice_is_the_remedy() -> None:
    assert StoreUnavailableError("No answer.").advice == StoreUnavailableError.remedy != ""


def test_a_remedy_within_the_message_is_not_told_twice() -> None:
    assert StoreUnavailableError(f"No answer. {StoreUnavailableError.remedy}").advice == ""


def test_a_hint_for_this_very_value_stands_for_the_general_remedy() -> None:
    hinted = InvalidInputError(field="limit", value=0, problem="is too small", remedy="Use 1 or more.")
    assert (hinted.advice, "Use 1 or more." in hinted.message) == ("", True)
    assert InvalidInputError(field="limit", value=0, problem="is too small").advice == InvalidInputError.remedy
    assert ConfigurationError(key="vault.file", problem="is missing", remedy="Name a file.").advice == ""
    assert ConfigurationError(key="vault.file", problem="is missing").advice == ConfigurationError.remedy


def test_a_remedy_names_no_single_case() -> None:
    error = SecretNotFoundError(alias="planted-alias")
    assert "planted-alias" in error.message
    assert "planted-alias" not in error.advice


def test_the_counterparty_does_not_read_what_names_our_inside() -> None:
    error = SecretNotFoundError(alias="planted-alias")
    assert "planted-alias" not in error.told_outside
    assert error.told_inside == f"{error.message} {error.advice}"


def test_what_names_nothing_of_ours_is_told_to_both_sides_once() -> None:
    error = StoreUnavailableError("No answer.")
    assert (error.told_outside, error.told_inside) == (error.message, error.advice)
