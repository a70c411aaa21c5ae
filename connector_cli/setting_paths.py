"""Paths in settings, made absolute from the folder of the file that they stand in."""

from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

_SQLITE: Final = "sqlite:///"
_Settings = TypeVar("_Settings", bound=BaseModel)


def with_absolute_paths(settings: _Settings, folder: Path) -> _Settings:
    """The settings with every path in them absolute, however deep it stands."""
    changes = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        placed = _placed(value, folder)
        if placed is not value:  # what nobody set stays unset
            changes[name] = placed
    return settings.model_copy(update=changes) if changes else settings


def placed_database(url: str, folder: Path) -> str:
    """The address of a database, with the path of an SQLite file absolute."""
    path = url.removeprefix(_SQLITE)
    return f"{_SQLITE}{folder / path}" if url.startswith(_SQLITE) and path and not path.startswith(":") else url


def _placed(value: object, folder: Path) -> object:
    if isinstance(value, Path):
        return value if value.is_absolute() else folder / value
    if isinstance(value, BaseModel):
        return with_absolute_paths(value, folder)
    if isinstance(value, tuple):
        return _unless_equal(value, tuple(_placed(each, folder) for each in value))
    if isinstance(value, dict):
        return _unless_equal(value, {key: _placed(each, folder) for key, each in value.items()})
    return value


def _unless_equal(before: object, after: object) -> object:
    return before if before == after else after
