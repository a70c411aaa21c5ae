"""What was proven about the counterparty beside its name: `claim:<path>`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connector_spi.errors import InvalidInputError
from control_plane.domain.odrl import AtomicConstraint
from control_plane.domain.odrl_comparison import compare
from control_plane.domain.odrl_truth import Truth
from control_plane.domain.policy_context import PolicyContext, PolicyScope

_PREFIX: Final = "claim:"
_PATH_MAX: Final = 256
_STEPS_MAX: Final = 16
_MISSING: Final = object()


class ParticipantClaim:
    """The fact is the claim at a path, its steps joined by dots (`claim:membership.level`).

    A claim whose own name holds dots is found by the same path: at each step the longest name that is there counts. A
    claim that is missing cannot be told: a permission then does not hold, and a prohibition applies.
    """

    names: frozenset[str] = frozenset({_PREFIX})
    scopes: frozenset[PolicyScope] = frozenset(PolicyScope)

    def check(self, constraint: AtomicConstraint) -> None:
        """See `PolicyFunction`."""
        path = constraint.left.removeprefix(_PREFIX)
        if not path.strip(".") or len(path) > _PATH_MAX or path.count(".") >= _STEPS_MAX:
            raise InvalidInputError(
                field=f"{constraint.where}.leftOperand",
                value=constraint.left,
                problem="names no claim",
                remedy=f"Write claim:name or claim:name.member, at most {_PATH_MAX} characters and {_STEPS_MAX} steps.",
            )

    async def holds(self, constraint: AtomicConstraint, context: PolicyContext) -> Truth:
        """See `PolicyFunction`."""
        path = constraint.left.removeprefix(_PREFIX)[:_PATH_MAX]
        fact = _at(context.counterparty.claims, path.split(".")[:_STEPS_MAX])
        return None if fact is _MISSING else compare(fact, constraint.operator, constraint.right)

    def changes_at(self, constraint: AtomicConstraint, context: PolicyContext) -> datetime | None:
        """Never by time."""
        del constraint, context
        return None


def _at(claims: Any, steps: list[str]) -> Any:
    while steps:
        if not isinstance(claims, Mapping):
            return _MISSING
        names = ((".".join(steps[:count]), count) for count in range(len(steps), 0, -1))
        found = next(((name, count) for name, count in names if name in claims), None)
        if found is None:
            return _MISSING
        claims, steps = claims[found[0]], steps[found[1] :]
    return claims
