"""Participants of a dataspace, as this connector knows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CLAIMS_MAX_BYTES: Final = 8192
"""What is known about one participant, as JSON; it is kept with each of its processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Whoever sent a message, as its proof of identity says."""

    id: str
    claims: Mapping[str, Any] = field(default_factory=dict)
    """What was proven about it beside its name; policies may ask for it. JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterparty:
    """Whom to call: its participant id and its Dataspace Protocol address (base address, or the root above it)."""

    id: str
    address: str
    called_back: bool = False
    """Whether the counterparty itself named the address, as the one to call back: it is used as it is."""
