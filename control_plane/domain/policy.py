"""Policy: an ODRL policy in its compact form, kept as it came so that an agreement can echo an offer exactly.

What its rules mean is read by `odrl_reader` and judged by the policy engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a policy: three lists of ODRL rules in compact JSON."""

    permissions: tuple[Mapping[str, Any], ...] = ()
    prohibitions: tuple[Mapping[str, Any], ...] = ()
    obligations: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Other members of the policy, such as `profile`; echoed, never interpreted."""

    def document(self) -> dict[str, Any]:
        """The policy as JSON of our own, for stores and messages between our parts; `of_document` reads it back."""
        return {
            "permissions": [dict(rule) for rule in self.permissions],
            "prohibitions": [dict(rule) for rule in self.prohibitions],
            "obligations": [dict(rule) for rule in self.obligations],
            "extra": dict(self.extra),
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """The policy that `document` wrote."""
        return cls(
            permissions=tuple(document["permissions"]),
            prohibitions=tuple(document["prohibitions"]),
            obligations=tuple(document["obligations"]),
            extra=document["extra"],
        )

    def rules(self) -> dict[str, Any]:
        """The policy as compact ODRL; empty lists are left out, as the Dataspace Protocol demands."""
        lists = {
            "permission": self.permissions,
            "prohibition": self.prohibitions,
            "obligation": self.obligations,
        }
        return {**self.extra, **{name: [dict(r) for r in rules] for name, rules in lists.items() if rules}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDefinition:
    """A policy under an id, for use in contract definitions."""

    id: str
    participant_id: str
    policy: Policy
    created_at: datetime
    private_properties: Mapping[str, Any] = field(default_factory=dict)
