"""RegisteredControlPlane: a control plane that made itself known, and how the two planes prove themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredControlPlane:
    """Its flows are its alone. Never holds a secret: that of its token endpoint rests in the vault."""

    id: str
    endpoint: str
    """Base URL of its signaling API, where call-backs go."""
    token_endpoint: str = ""
    """Where tokens for call-backs come from; empty: none are sent."""
    client_id: str = ""
    secret_alias: str = ""
    jwks: Mapping[str, Any] | None = None
    """Keys of the tokens that it sends; else `jwks_uri`; with neither, its tokens cannot be checked."""
    jwks_uri: str = ""
