"""Reads the configuration: file and environment in, checked settings or a list of all that is wrong out."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from connector_cli.settings import (
    ENVIRONMENT_PREFIX,
    NESTED_DELIMITER,
    ConnectorSettings,
    CounterpartySection,
)
from connector_spi.errors import ConfigurationError, PermanentError
from control_plane.settings import CounterpartySettings
from vault_adapters.settings import LocalVaultSettings, MemoryVaultSettings, VaultSettings

_SQLITE: Final = "sqlite:///"
_UNTITLED: Final = {"missing": "is missing", "extra_forbidden": "is not a known setting"}


class InvalidConfigurationError(PermanentError):
    """The configuration cannot be used; `problems` holds every reason, each with its key."""

    code = "InvalidConfiguration"

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
        location = _without_union_tag(detail["loc"])
        remedy = ""
        if detail["type"] == "extra_forbidden":
            remedy = _suggestion(str(location[-1]), _known_keys(location[:-1]))
        problem = _UNTITLED.get(detail["type"]) or _sentence(detail["msg"])
        yield ConfigurationError(key=_dotted(location), problem=problem, remedy=remedy)


def _environment_problem(error: SettingsError) -> ConfigurationError:
    return ConfigurationError(
        key="environment", problem=_sentence(str(error)), remedy="Lists in variables are written as JSON."
    )


def _sentence(text: str) -> str:
    text = text.removeprefix("Value error, ").rstrip(".")
    return text[:1].lower() + text[1:]


def _without_union_tag(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Pydantic puts the chosen kind of vault between the table and its key."""
    return (location[0], *location[2:]) if location[0] == "vault" and len(location) > 1 else location


def _dotted(location: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys that a table may hold."""
    model: type[BaseModel] | None = ConnectorSettings
    names = [part for part in location if isinstance(part, str)]
    if names:
        model = _TABLES.get(names[0])
    if model is None:
        return sorted({*LocalVaultSettings.model_fields, *MemoryVaultSettings.model_fields}) if names else []
    return sorted(model.model_fields)


def _table_models() -> dict[str, type[BaseModel]]:
    single = {
        name: type(field.default)
        for name, field in ConnectorSettings.model_fields.items()
        if isinstance(field.default, BaseModel)
    }
    return {**single, "counterparties": CounterpartySection}


_TABLES: Final = _table_models()


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known are: {', '.join(known)}." if known else ""


def _placed(settings: ConnectorSettings, folder: Path) -> ConnectorSettings:
    """The settings with every path absolute."""
    data_plane = settings.data_plane
    return settings.model_copy(
        update={
            "vault": _placed_vault(settings.vault, folder),
            "database": settings.database.model_copy(update={"url": _placed_database(settings.database.url, folder)}),
            "data_plane": data_plane.model_copy(
                update={"database_url": _placed_database(data_plane.database_url, folder)}
            ),
            "counterparties": tuple(_placed_counterparty(c, folder) for c in settings.counterparties),
        }
    )


def _placed_vault(vault: VaultSettings, folder: Path) -> VaultSettings:
    if not isinstance(vault, LocalVaultSettings):
        return vault
    key_file = folder / vault.key_file if vault.key_file else None
    return vault.model_copy(update={"file": folder / vault.file, "key_file": key_file})


def _placed_database(url: str, folder: Path) -> str:
    path = url.removeprefix(_SQLITE)
    return f"{_SQLITE}{folder / path}" if url.startswith(_SQLITE) and path and not path.startswith(":") else url


def _placed_counterparty(counterparty: CounterpartySection, folder: Path) -> CounterpartySection:
    if counterparty.public_key_file is None:
        return counterparty
    return counterparty.model_copy(update={"public_key_file": folder / counterparty.public_key_file})


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
