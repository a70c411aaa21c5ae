"""Policy: an ODRL policy in its compact form, kept as it came so that an agreement can echo an offer exactly.

Only unconditional policies are understood so far. A rule that carries a constraint, a duty or an action other than
`use` is refused when it is defined and denies when it is evaluated: what is not understood is never permitted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from connector_spi.errors import InvalidInputError

_USE: Final = frozenset({"use", "odrl:use", "http://www.w3.org/ns/odrl/2/use"})


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a policy: three lists of ODRL rules in compact JSON."""

    permissions: tuple[Mapping[str, Any], ...] = ()
    prohibitions: tuple[Mapping[str, Any], ...] = ()
    obligations: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Other members of the policy, such as `profile`; echoed, never interpreted."""

    @property
    def permits_use(self) -> bool:
        """Whether the policy, evaluated without any facts, permits use."""
        return any(_is_plain_use(rule) for rule in self.permissions) and not self.prohibitions and not self.obligations

    def check_understood(self) -> None:
        """Refuse what could not be enforced later.

        Raises:
            InvalidInputError: no permission to use, or a rule that this connector cannot evaluate.
        """
        if not self.permits_use or not all(_is_plain_use(rule) for rule in self.permissions):
            raise InvalidInputError(
                field="policy",
                value=self.rules(),
                problem="holds a rule that this connector cannot evaluate, or no permission to use",
                remedy='Use {"permission": [{"action": "use"}]} without constraint, duty, prohibition or obligation.',
            )

    def rules(self) -> dict[str, Any]:
        """The policy as compact ODRL; empty lists are left out, as the Dataspace Protocol demands."""
        lists = {
            "permission": self.permissions,
            "prohibition": self.prohibitions,
            "obligation": self.obligations,
        }
        return {**self.extra, **{name: [dict(r) for r in rules] for name, rules in lists.items() if rules}}


def _is_plain_use(rule: Mapping[str, Any]) -> bool:
    action = rule.get("action")
    if isinstance(action, Mapping):
        action = action.get("type") or action.get("@id") or action.get("odrl:type")
    return action in _USE and not rule.get("constraint") and not rule.get("duty")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDefinition:
    """A policy under an id, for use in contract definitions."""

    id: str
    participant_id: str
    policy: Policy
    created_at: datetime
    private_properties: Mapping[str, Any] = field(default_factory=dict)
