"""The policy engine with its functions: built in, given by the composing program, and of installed packages."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from connector_spi.clock import Clock
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from control_plane.ports.policy_function import POLICY_FUNCTIONS_GROUP, PolicyFunction, PolicyPluginContext
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.policy_functions import built_in

_log = logging.getLogger(__name__)


PluginContexts = Callable[[str], PolicyPluginContext]
"""What the plug-in of an entry point gets, by the entry point's name."""


def plugin_contexts(
    settings: Mapping[str, Mapping[str, Any]], vault: Vault, clock: Clock, outbound: OutboundAddressPolicy
) -> PluginContexts:
    """Contexts in which each plug-in finds its own settings."""

    def context(name: str) -> PolicyPluginContext:
        return PolicyPluginContext(vault=vault, clock=clock, outbound=outbound, settings=settings.get(name, {}))

    return context


def policy_engine(
    processes: TransferProcessStore, given: Iterable[PolicyFunction], contexts: PluginContexts
) -> PolicyEngine:
    """The engine with every function that there is.

    Raises:
        ConfigurationError: a function that was given answers to a name that another one answers to.
    """
    functions = (*built_in(processes), *given)
    taken = frozenset(name for function in functions for name in function.names)
    return PolicyEngine((*functions, *_unclaimed(_plugins(contexts), taken)))


def _plugins(contexts: PluginContexts) -> dict[str, PolicyFunction]:
    """The function of every entry point that works; the others are named in the log and left out."""
    found: dict[str, PolicyFunction] = {}
    points = {(point.name, point.value): point for point in entry_points(group=POLICY_FUNCTIONS_GROUP)}
    names = Counter(name for name, _value in points)
    for (name, _value), point in sorted(points.items()):
        if names[name] > 1:
            _left_out(name, "several packages claim this name")
            continue
        try:
            found[name] = _checked(point.load()(contexts(name)))
        except Exception as error:  # noqa: BLE001 - whatever a foreign package raises must not stop the others
            _left_out(name, f"{type(error).__name__}: {error}")
    return found


def _checked(function: Any) -> PolicyFunction:
    """The function, if it looks like one.

    Raises:
        TypeError: it does not.
    """
    if not isinstance(function.names, frozenset) or not all(isinstance(name, str) for name in function.names):
        raise TypeError("names must be a frozenset of texts")
    if not isinstance(function.scopes, frozenset):
        raise TypeError("scopes must be a frozenset of PolicyScope")
    for method in ("check", "holds", "changes_at"):
        if not callable(getattr(function, method, None)):
            raise TypeError(f"{method} is missing")
    plugin: PolicyFunction = function
    return plugin


def _unclaimed(plugins: dict[str, PolicyFunction], taken: frozenset[str]) -> list[PolicyFunction]:
    """The plug-ins whose left operands nobody else answers to; of two that claim the same, neither is used."""
    claims = Counter(operand for function in plugins.values() for operand in function.names)
    accepted = []
    for name, function in plugins.items():
        contested = sorted(operand for operand in function.names if operand in taken or claims[operand] > 1)
        if contested:
            _left_out(name, f"another function answers to {', '.join(contested)}")
        else:
            accepted.append(function)
    return accepted


def _left_out(name: str, reason: str) -> None:
    _log.error("a plug-in is left out", extra={"plugin": f"{POLICY_FUNCTIONS_GROUP}:{name}", "reason": reason})
