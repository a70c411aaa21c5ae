"""Who the counterparty is, by its participant id: `participantId` (EDC's) and `assignee` (ODRL's)."""

from datetime import datetime
from typing import Final

from control_plane.domain.odrl import EQUALITY, AtomicConstraint, Operator
from control_plane.domain.odrl_comparison import compare
from control_plane.domain.odrl_truth import Truth
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.services.policy_functions.refusals import check_operator, refused_right

_OPERATORS: Final = EQUALITY | {Operator.IS_ANY_OF, Operator.IS_NONE_OF, Operator.IS_PART_OF}
_DSPACE: Final = "https://w3id.org/dspace/2025/1/participantId"


class ParticipantIdentity:
    """The fact is the proven participant id of the consumer."""

    names: frozenset[str] = frozenset({"participantId", "assignee", "dspace:participantId", _DSPACE})
    scopes: frozenset[PolicyScope] = frozenset(PolicyScope)

    def check(self, constraint: AtomicConstraint) -> None:
        """See `PolicyFunction`."""
        check_operator(constraint, _OPERATORS)
        wanted = constraint.right if isinstance(constraint.right, tuple) else (constraint.right,)
        if not all(isinstance(name, str) and name for name in wanted):
            raise refused_right(constraint, "is no participant id", "Use the id, or a list of ids.")

    async def holds(self, constraint: AtomicConstraint, context: PolicyContext) -> Truth:
        """See `PolicyFunction`."""
        return compare(context.counterparty.id, constraint.operator, constraint.right)

    def changes_at(self, constraint: AtomicConstraint, context: PolicyContext) -> datetime | None:
        """Never by time."""
        del constraint, context
        return None
