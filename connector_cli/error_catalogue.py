"""Every kind of error with cause and remedy, read off the classes: for `connector explain` and docs/troubleshooting.md.

What stands here beside the classes is the order of the page and, for the errors that people meet most, what to look
at one after the other.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from connector_cli.ending_reasons import ENDING_REASONS
from connector_cli.error_areas import AREAS, Area
from connector_cli.error_checks import CHECKS
from connector_spi.errors import ConnectorError, PermanentError, TransientError

PACKAGES: Final = (
    "azure_storage",
    "connector_cli",
    "connector_spi",
    "control_plane",
    "data_plane",
    "entra_identity",
    "management_api",
    "outbound_http",
    "sql_storage",
    "vault_adapters",
)
_ENDINGS: Final = Area(title="Why a process ended or paused without an error")
_ROOTS: Final = frozenset({ConnectorError, TransientError, PermanentError})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kind of error."""

    code: str
    retried: bool
    """Whether the same call is tried again; else the process ends."""
    cause: str
    remedy: str
    checks: tuple[str, ...] = ()
    """What to look at one after the other."""

    @property
    def document(self) -> dict[str, object]:
        """The entry for programs."""
        told = {"code": self.code, "retried": self.retried, "cause": self.cause, "remedy": self.remedy}
        return {**told, "checks": list(self.checks)}


def entry(code: str) -> Entry | None:
    """The entry of this code, in any case of letters; None when there is none."""
    return next((found for found in entries() if found.code.lower() == code.lower()), None)


@cache
def entries() -> tuple[Entry, ...]:
    """All of them, by code."""
    return tuple(sorted((*map(_entry, errors()), *_endings()), key=lambda found: found.code.lower()))


def by_area() -> Iterator[tuple[Area, tuple[Entry, ...]]]:
    """The entries in the order of the page."""
    for area in AREAS:
        found = [_entry(error) for error in errors() if area_of(error) is area]
        yield area, tuple(sorted(found, key=lambda told: told.code.lower()))
    yield _ENDINGS, _endings()


def area_of(error: type[ConnectorError]) -> Area | None:
    """Where the error belongs: the first area that names it by class, or else by the beginning of its module."""
    named = (area for area in AREAS if error.__name__ in area.classes)
    living = (area for area in AREAS if f"{error.__module__}.".startswith(tuple(f"{m}." for m in area.modules)))
    return next(named, None) or next(living, None)


@cache
def errors() -> tuple[type[ConnectorError], ...]:
    """Every class of the tree but its roots, in the packages of the product."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    return tuple(sorted(_below(ConnectorError) - _ROOTS, key=lambda error: error.code))


def _below(error: type[ConnectorError]) -> set[type[ConnectorError]]:
    ours = {error} if error.__module__.split(".")[0] in PACKAGES else set()
    return ours.union(*(_below(child) for child in error.__subclasses__()))


def _entry(error: type[ConnectorError]) -> Entry:
    return Entry(
        code=error.code,
        retried=issubclass(error, TransientError),
        cause=error.cause,
        remedy=error.remedy,
        checks=CHECKS.get(error.code, ()),
    )


def _endings() -> tuple[Entry, ...]:
    return tuple(
        Entry(code=code, retried=False, cause=cause, remedy=remedy) for code, (cause, remedy) in ENDING_REASONS.items()
    )
