"""Time windows: `inForceDate` (EDC's) and `dateTime` (ODRL's), absolute or from the agreement's signing on."""

import re
from datetime import datetime, timedelta
from typing import Final

from control_plane.domain.odrl import EQUALITY, ORDERING, AtomicConstraint
from control_plane.domain.odrl_comparison import compare, instant
from control_plane.domain.odrl_truth import Truth
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.services.policy_functions.refusals import check_operator, refused_right

_RELATIVE: Final = re.compile(r"contract[Aa]greement\s*(?:\+\s*(-)?|(-))\s*([0-9]{1,12})\s*([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_OFFSET_MAX: Final = timedelta(days=100 * 366)
_TICK: Final = timedelta(microseconds=1)


class TimeWindow:
    """The fact is the present instant.

    A right operand is an instant with a zone (`2027-01-01T00:00:00Z`), or an offset from the signing of the agreement
    (`contractAgreement+30d`; units s, m, h and d). Before there is an agreement the offset counts from now.
    """

    names: frozenset[str] = frozenset({"inForceDate", "dateTime"})
    scopes: frozenset[PolicyScope] = frozenset(PolicyScope)

    def check(self, constraint: AtomicConstraint) -> None:
        """See `PolicyFunction`."""
        check_operator(constraint, ORDERING | EQUALITY)
        if instant(constraint.right) is None and _offset(constraint.right) is None:
            raise refused_right(
                constraint,
                "is no instant",
                "Use an instant with a zone, 2027-01-01T00:00:00Z, or an offset of at most 36600 days from the "
                "agreement, contractAgreement+30d with one of the units s, m, h, d.",
            )

    async def holds(self, constraint: AtomicConstraint, context: PolicyContext) -> Truth:
        """See `PolicyFunction`."""
        bound = _bound(constraint, context)
        return None if bound is None else compare(context.now, constraint.operator, bound)

    def changes_at(self, constraint: AtomicConstraint, context: PolicyContext) -> datetime | None:
        """The bound itself, and the moment after it: `lteq` still holds at the bound."""
        bound = _bound(constraint, context)
        return next((at for at in (bound, bound + _TICK) if at > context.now), None) if bound else None


def _bound(constraint: AtomicConstraint, context: PolicyContext) -> datetime | None:
    offset = _offset(constraint.right)
    if offset is None:
        return instant(constraint.right)
    try:
        return (context.agreement.signed_at if context.agreement else context.now) + offset
    except OverflowError:
        return None


def _offset(right: object) -> timedelta | None:
    found = _RELATIVE.fullmatch(right.strip()) if isinstance(right, str) else None
    if found is None:
        return None
    seconds = int(found[3]) * _SECONDS[found[4]]
    if seconds > _OFFSET_MAX.total_seconds():
        return None
    return timedelta(seconds=-seconds if found[1] or found[2] else seconds)
