"""DataPlaneRegistration: what a data plane said of itself by `PUT /dataplanes`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerCredentials:
    """How this control plane proves itself to the data plane (OAuth 2.0 client credentials), and knows its tokens."""

    token_endpoint: str
    client_id: str
    secret_alias: str
    """Vault alias of the client's secret."""
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneRegistration:
    """The newest registration of a data plane; it replaces what the settings say of address and transfer types."""

    id: str
    participant_id: str
    endpoint: str
    """Base address, without /dataflows."""
    transfer_types: tuple[str, ...]
    labels: tuple[str, ...] = ()
    credentials: CallerCredentials | None = None
    """None: the credentials of the settings count."""
    registered_at: datetime
