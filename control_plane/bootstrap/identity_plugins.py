"""Counterparty identities of installed packages.

A package that brings one (the Decentralized Claims Protocol, say) declares an entry point whose name is the value of
`identity.mode`:

    [project.entry-points."dataspace_connector.counterparty_identities"]
    dcp = "their_package.identity:open_identity"

It names a function that takes an `IdentityContext` and returns a `CounterpartyIdentity`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Final

import httpx

from connector_spi.clock import Clock
from connector_spi.errors import ConfigurationError
from connector_spi.vault import Vault
from control_plane.ports.counterparty_identity import CounterpartyIdentity

GROUP: Final = "dataspace_connector.counterparty_identities"
_METHODS: Final = ("authorization_for", "refused", "authenticate")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityContext:
    """What a plug-in gets."""

    participant_id: str
    counterparties: tuple[str, ...]
    """The ids of `[[counterparties]]`."""
    settings: Mapping[str, Any]
    """The table `[identity.plugin]`, unchecked."""
    vault: Vault
    clock: Clock
    guarded: httpx.AsyncClient
    """For every call to a third party: it goes only where the operator allows."""


def installed_names() -> frozenset[str]:
    """The values of `identity.mode` that installed packages serve."""
    return frozenset(point.name for point in entry_points(group=GROUP))


def plugged_identity(name: str, context: IdentityContext) -> CounterpartyIdentity:
    """The identity of an installed package.

    Raises:
        ConfigurationError: it is not there, claimed twice, cannot be loaded, or returns something else.
    """
    points = entry_points(group=GROUP, name=name)
    if len({point.value for point in points}) != 1:
        raise ConfigurationError(key="identity.mode", problem=f"{name!r} is served by {len(points)} installed packages")
    try:
        made = next(iter(points)).load()(context)
    except ConfigurationError:
        raise
    except Exception as error:
        problem = f"the plug-in {name!r} cannot be opened ({type(error).__name__}: {error})"
        raise ConfigurationError(key="identity.mode", problem=problem) from error
    if not all(callable(getattr(made, method, None)) for method in _METHODS):
        raise ConfigurationError(key="identity.mode", problem=f"the plug-in {name!r} returns no CounterpartyIdentity")
    identity: CounterpartyIdentity = made
    return identity
