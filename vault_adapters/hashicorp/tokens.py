"""Tokens of the vault, and the calls about them."""

from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from hvac.api.auth_methods import Token
from requests import Response

from connector_spi.errors import VaultUnavailableError
from vault_adapters.hashicorp.connections import VaultAdapter
from vault_adapters.hashicorp.errors import VaultRefusedError


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token, and for how many seconds from its issue on it works; 0: for ever."""

    text: str = field(repr=False)
    lease_seconds: float
    renewable: bool


def issued(response: Response) -> IssuedToken:
    """The token in the answer to a login or a renewal.

    Raises:
        VaultUnavailableError: there is none.
    """
    auth = part_of(response, "auth")
    return IssuedToken(str(auth["client_token"]), float(auth["lease_duration"]), bool(auth.get("renewable")))


def looked_up(adapter: VaultAdapter) -> IssuedToken | None:
    """What the vault knows of the adapter's token; None when it does not take it, or takes it for other paths alone."""
    about: Any = Token(adapter)
    try:
        data = part_of(about.lookup_self(), "data")
    except VaultRefusedError as refusal:
        if refusal.status == HTTPStatus.FORBIDDEN:
            return None
        raise
    return IssuedToken(str(adapter.token), float(data.get("ttl") or 0), bool(data.get("renewable")))


def renewed(adapter: VaultAdapter) -> IssuedToken:
    """The adapter's token with a new lease, no longer than its role allows."""
    about: Any = Token(adapter)
    return issued(about.renew_self())


def revoke(adapter: VaultAdapter) -> None:
    """End the adapter's token."""
    about: Any = Token(adapter)
    about.revoke_self()


def part_of(response: Response, name: str) -> dict[str, Any]:
    """One object of an answer.

    Raises:
        VaultUnavailableError: the answer is not one of a vault.
    """
    part = None
    with suppress(ValueError, AttributeError):  # no JSON, or no object
        part = response.json().get(name)
    if not isinstance(part, dict):
        raise VaultUnavailableError(f"The answer has no {name!r}: it is not one of a vault. Check vault.url.")
    return part
