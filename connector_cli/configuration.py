"""Reads the configuration: file and environment in, checked settings or a list of all that is wrong out."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from connector_cli.azure_environment import with_azure_environment
from connector_cli.setting_paths import placed_database, with_absolute_paths
from connector_cli.setting_places import known_keys, written_place
from connector_cli.settings import (
    ENVIRONMENT_PREFIX,
    NESTED_DELIMITER,
    ConnectorSettings,
    CounterpartySection,
)
from connector_spi.errors import ConfigurationError, PermanentError
from control_plane.settings import CounterpartySettings

_UNTITLED: Final = {"missing": "is missing", "extra_forbidden": "is not a known setting"}


class InvalidConfigurationError(PermanentError):
    """The configuration cannot be used; `problems` holds every reason, each with its key."""

    code = "InvalidConfiguration"
    cause = "the configuration has problems, each of which is named with its key"
    remedy = (
        "Correct them and run `connector config check --config FILE`; environment variables (CONNECTOR_TABLE__KEY) "
        "count before the file."
    )

    def __init__(self, problems: Sequence[ConfigurationError]) -> None:
        super().__init__("\n".join(problem.message for problem in problems))
        self.problems = tuple(problems)


def load_settings(file: Path) -> ConnectorSettings:
    """The settings, relative paths made absolute from the file's folder and key files read.

    Raises:
        InvalidConfigurationError: the file cannot be read, or something in it or in the environment is wrong.
    """
    document = _document(file)
    unknown = list(_unknown_variables())
    try:
        settings = ConnectorSettings(**document)
    except ValidationError as error:
        raise InvalidConfigurationError([*unknown, *_problems(error)]) from None
    except SettingsError as error:
        raise InvalidConfigurationError([*unknown, _environment_problem(error)]) from None
    if unknown:
        raise InvalidConfigurationError(unknown)
    try:
        settings = with_azure_environment(settings, os.environ)
    except ConfigurationError as error:
        raise InvalidConfigurationError([error]) from None
    return _placed(settings, file.resolve().parent)


def counterparties_of(settings: ConnectorSettings) -> tuple[CounterpartySettings, ...]:
    """The counterparties with their public keys, read from files where they stand there.

    Raises:
        InvalidConfigurationError: files that cannot be read.
    """
    found, problems = [], []
    for index, counterparty in enumerate(settings.counterparties):
        try:
            found.append(counterparty.with_key(_public_key(counterparty, f"counterparties[{index}]")))
        except ConfigurationError as error:
            problems.append(error)
    if problems:
        raise InvalidConfigurationError(problems)
    return tuple(found)


def _document(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problem = ConfigurationError(key=str(file), problem=f"cannot be read ({error.strerror})")
    except UnicodeDecodeError:
        problem = ConfigurationError(key=str(file), problem="is not UTF-8 text")
    except tomllib.TOMLDecodeError as error:
        problem = ConfigurationError(key=str(file), problem=f"is not TOML: {error}")
    raise InvalidConfigurationError([problem])


def _unknown_variables() -> Iterable[ConfigurationError]:
    """pydantic-settings passes over variables that name no table; a misspelt one would be lost silently."""
    for name in sorted(os.environ):
        table, delimiter, _ = name.upper().removeprefix(ENVIRONMENT_PREFIX).partition(NESTED_DELIMITER)
        if name.upper().startswith(ENVIRONMENT_PREFIX) and delimiter:
            known = [field.upper() for field in ConnectorSettings.model_fields]
            if table not in known:
                yield ConfigurationError(
                    key=name, problem="names no table of the configuration", remedy=_suggestion(table, known)
                )


def _problems(error: ValidationError) -> Iterable[ConfigurationError]:
    for detail in error.errors(include_input=False, include_url=False):
        location = detail["loc"]
        remedy = ""
        if detail["type"] == "extra_forbidden":
            remedy = _suggestion(str(location[-1]), known_keys(location[:-1]))
        problem = _UNTITLED.get(detail["type"]) or _sentence(detail["msg"])
        yield ConfigurationError(key=written_place(location), problem=problem, remedy=remedy)


def _environment_problem(error: SettingsError) -> ConfigurationError:
    return ConfigurationError(
        key="environment", problem=_sentence(str(error)), remedy="Lists in variables are written as JSON."
    )


def _sentence(text: str) -> str:
    text = text.removeprefix("Value error, ").rstrip(".")
    return text[:1].lower() + text[1:]


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known are: {', '.join(known)}." if known else ""


def _placed(settings: ConnectorSettings, folder: Path) -> ConnectorSettings:
    """The settings with every path absolute, those in database addresses included."""
    settings = with_absolute_paths(settings, folder)
    own = settings.data_plane
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(update={"url": placed_database(settings.database.url, folder)}),
            "data_plane": own.model_copy(update={"database_url": placed_database(own.database_url, folder)}),
        }
    )


def _public_key(counterparty: CounterpartySection, key: str) -> str | None:
    if counterparty.public_key_file is None:
        return counterparty.public_key
    try:
        return counterparty.public_key_file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            key=f"{key}.public_key_file",
            problem=f"{counterparty.public_key_file} cannot be read as text ({type(error).__name__})",
            remedy="Put the PEM there that `connector identity create` printed at the counterparty.",
        ) from error
