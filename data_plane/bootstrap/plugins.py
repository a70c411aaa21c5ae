"""Loads the plug-ins of installed packages: see `data_plane.ports.plugin` for what a plug-in is."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from data_plane.ports.plugin import PluginContext

_log = logging.getLogger(__name__)

Factory = TypeVar("Factory")


@dataclass(frozen=True, slots=True)
class LoadedPlugins(Generic[Factory]):
    """What a group of entry points gave, by address type."""

    factories: Mapping[str, Factory] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    """Why a plug-in is not there: one that does not load stops only those who ask for its type."""


def load_plugins(
    group: str,
    factory_type: Callable[[Any], Factory],
    *,
    context: Callable[[str], PluginContext],
    built_in: Collection[str],
) -> LoadedPlugins[Factory]:
    """Load every entry point of the group; `context` makes what the plug-in of an address type gets.

    `factory_type` returns its argument as what it has to be, and raises TypeError when it is not. A plug-in that does
    not load, one of two that claim the same type, and one that claims a built-in type, is reported by name and left
    out.
    """
    claims: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=group):
        if point.name in built_in:
            _report(group, point.name, f"{point.value} claims an address type that is built in; it is not used")
            continue
        claims.setdefault(point.name, []).append(point)
    factories: dict[str, Factory] = {}
    broken: dict[str, str] = {}
    for name, points in claims.items():
        try:
            factories[name] = factory_type(_only(points).load()(context(name)))
        except Exception as error:  # noqa: BLE001 - whatever a foreign package raises must not stop the others
            broken[name] = f"{type(error).__name__}: {error}"
            _report(group, name, broken[name])
    return LoadedPlugins(factories, broken)


def _report(group: str, name: str, reason: str) -> None:
    _log.error("a plug-in is left out", extra={"plugin": f"{group}:{name}", "reason": reason})


def _only(points: list[EntryPoint]) -> EntryPoint:
    distinct = {point.value for point in points}
    if len(distinct) > 1:
        raise LookupError(f"several packages claim it: {', '.join(sorted(distinct))}")
    return points[0]
