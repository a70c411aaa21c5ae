"""How often an agreement has been used: `count`."""

import re
from datetime import datetime
from typing import Final

from control_plane.domain.odrl import ORDERING, AtomicConstraint, Operator
from control_plane.domain.odrl_truth import Truth
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.domain.transfer_process import TransferProcess, TransferProcessType
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.policy_functions.refusals import check_operator, refused_right

COUNT_MAX: Final = 1_000_000
_DIGITS: Final = re.compile(r"[0-9]{1,7}")


class UsageCount:
    """The fact is the place of a transfer among all that have begun under its agreement, counted from 1.

    `count lteq 3` therefore allows three transfers, whatever became of them. A transfer keeps its place: what was
    admitted goes on. Before there is a transfer the fact is the place that it would take.
    """

    names: frozenset[str] = frozenset({"count"})
    scopes: frozenset[PolicyScope] = frozenset(PolicyScope)

    def __init__(self, processes: TransferProcessStore) -> None:
        self._processes = processes

    def check(self, constraint: AtomicConstraint) -> None:
        """See `PolicyFunction`."""
        check_operator(constraint, ORDERING)
        if _bound(constraint) is None:
            raise refused_right(constraint, f"is no whole number from 0 to {COUNT_MAX}", "Use a number such as 3.")

    async def holds(self, constraint: AtomicConstraint, context: PolicyContext) -> Truth:
        """See `PolicyFunction`. Reads one row: whether so many are there, not how many there are."""
        bound = _bound(constraint)
        if bound is None:
            return None
        match constraint.operator:
            case Operator.LTEQ:
                return not await self._have_begun(bound, context)
            case Operator.LT:
                return not await self._have_begun(bound - 1, context)
            case Operator.GT:
                return await self._have_begun(bound, context)
            case Operator.GTEQ:
                return await self._have_begun(bound - 1, context)
            case _:
                return None

    def changes_at(self, constraint: AtomicConstraint, context: PolicyContext) -> datetime | None:
        """Never by time."""
        del constraint, context
        return None

    async def _have_begun(self, number: int, context: PolicyContext) -> bool:
        """Whether at least so many transfers have begun before the one in question."""
        if number <= 0:
            return True
        if context.agreement is None:
            return False
        criteria = (
            Criterion(operand_left="contractId", operator="=", operand_right=context.agreement.id),
            Criterion(operand_left="type", operator="=", operand_right=TransferProcessType.PROVIDER.value),
        )
        found = await self._processes.query(QuerySpec(offset=number - 1, limit=1, criteria=criteria))
        return bool(found) and (context.transfer is None or _order(found[0]) < _order(context.transfer))


def _order(process: TransferProcess) -> tuple[datetime, str]:
    """The order in which transfers take their places; it is also the stores' default order."""
    return process.created_at, process.id


def _bound(constraint: AtomicConstraint) -> int | None:
    right = constraint.right
    if isinstance(right, str) and _DIGITS.fullmatch(right):
        right = int(right)
    if isinstance(right, bool) or not isinstance(right, int):
        return None
    return right if 0 <= right <= COUNT_MAX else None
