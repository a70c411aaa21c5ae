"""Participants of a dataspace, as this connector knows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Whoever sent a message, as its proof of identity says."""

    id: str
    claims: Mapping[str, Any] = field(default_factory=dict)
    """What was proven about it beside its name; policies may ask for it. JSON values, bounded by the adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterparty:
    """Whom to call: its participant id and its Dataspace Protocol base address (with the version path)."""

    id: str
    address: str
