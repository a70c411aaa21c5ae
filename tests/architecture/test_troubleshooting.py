"""Every error says why it happens and what to do about it, and docs/troubleshooting.md says the same."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

from connector_cli.ending_reasons import ENDING_REASONS
from connector_cli.error_areas import AREAS
from connector_cli.error_catalogue import PACKAGES, area_of, by_area, entries, errors
from connector_cli.error_checks import CHECKS
from connector_cli.main import app
from connector_cli.settings import ConnectorSettings
from connector_spi.errors import ConnectorError, PermanentError, TransientError
from tests.architecture import source_tree
from tests.architecture.test_error_tree import ERRORS
from tests.architecture.troubleshooting import PAGE, SYMPTOMS, page

TEXTS = {found.code: (found.cause, found.remedy, *found.checks) for found in entries()}
_FILLER = re.compile(
    r"(contact|ask) (your|the|an) (system |vault )?administrator|see the documentation|try again later"
)
_QUOTED = re.compile(r"`([^`]+)`")
_SETTING = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_COMMAND = re.compile(r"connector ([a-z][a-z-]*)(?: ([a-z-]+))?")


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_catalogue_knows_every_error_of_the_tree() -> None:
    assert set(errors()) >= set(ERRORS)
    assert PACKAGES == source_tree.PACKAGES


def test_every_error_stands_on_the_page_once_and_no_section_is_empty() -> None:
    assert [error.__name__ for error in errors() if area_of(error) is None] == []
    told = [found.code for _, found_here in by_area() for found in found_here]
    assert sorted(told) == sorted([*(error.code for error in errors()), *ENDING_REASONS])
    assert all(found for _, found in by_area())


def test_areas_symptoms_and_checks_speak_of_errors_that_exist() -> None:
    names, codes = {error.__name__ for error in errors()}, {error.code for error in errors()}
    assert {name for area in AREAS for name in area.classes} - names == set()
    assert {code for _, told in SYMPTOMS for code in told} - codes == set()
    assert set(CHECKS) - codes == set()


@pytest.mark.parametrize("error", errors(), ids=lambda error: error.__name__)
def test_an_error_has_a_cause_and_a_remedy(error: type[ConnectorError]) -> None:
    """Its own, or those of another leaf that it refines; the roots have none."""
    cause, remedy = error.cause, error.remedy
    assert cause, "state `cause`"
    assert remedy, "state `remedy`"
    assert not cause.endswith("."), "a clause: the page and messages add the full stop"
    assert cause[0].islower() or cause.split()[0] in {"Azurite,", "Entra", "HTTP"}, "a clause: no capital"
    assert remedy.endswith((".", "?")), "whole sentences"


def test_the_roots_promise_no_remedy() -> None:
    assert [root.remedy for root in (ConnectorError, TransientError, PermanentError)] == ["", "", ""]


@pytest.mark.parametrize("code", TEXTS)
def test_a_text_is_short_and_has_no_filler(code: str) -> None:
    for text in TEXTS[code]:
        assert len(text) <= 320
        assert not _FILLER.search(text.lower())


@pytest.mark.parametrize("code", TEXTS)
def test_commands_and_settings_in_the_texts_exist(code: str) -> None:
    settings, commands = set(_settings(ConnectorSettings, "")), set(_commands())
    for quoted in (match for text in TEXTS[code] for match in _QUOTED.findall(text)):
        if _SETTING.fullmatch(quoted):
            assert quoted in settings, f"there is no setting {quoted}"
        if (command := _COMMAND.match(quoted)) is not None:
            assert {command[1], f"{command[1]} {command[2]}"} & commands, f"there is no command {quoted}"


def _settings(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in _models(field.annotation):
            yield from _settings(inner, f"{prefix}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _commands() -> Iterator[str]:
    group = typer.main.get_group(app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        yield from (f"{name} {each}" for each in inner) if inner else (name,)
