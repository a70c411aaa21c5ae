"""Texts of errors name what to change, and stay short whatever was sent."""

from connector_spi.errors import (
    ConfigurationError,
    InvalidInputError,
    InvalidTransitionError,
    NotFoundError,
    SecretNotFoundError,
)


def test_what_was_sent_is_shown_shortened() -> None:
    error = InvalidInputError(field="name", value="x" * 500, problem="is too long", remedy="Shorten it.")
    assert error.message == f"name: is too long (got {repr('x' * 500)[:120]}...). Shorten it."


def test_what_was_sent_cannot_forge_a_line_of_a_log() -> None:
    assert "\n" not in InvalidInputError(field="name", value="a\nERROR b", problem="is wrong").message
    assert "\n" not in NotFoundError(kind="Asset", object_id="a\nERROR b").message


def test_each_error_names_what_it_is_about() -> None:
    errors = [
        ConfigurationError(key="storage.sas_seconds", problem="is too small", remedy="Use 60 or more."),
        InvalidTransitionError(entity_id="t-1", state="STARTED", event="RESUME"),
        SecretNotFoundError(alias="acme"),
    ]
    assert [error.message for error in errors] == [
        "storage.sas_seconds: is too small. Use 60 or more.",
        "t-1: RESUME is not possible in state STARTED.",
        "The vault holds no secret under the alias 'acme'. Store it there and start again.",
    ]
