"""PolicyEngine: whether a policy permits use in a context. What is not understood is never permitted.

A policy permits use when it has a permission, the constraints and duties of all its permissions hold, no prohibition
applies, and every obligation holds. What cannot be told denies: in a permission it does not hold, in a prohibition it
applies.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import Final

from connector_spi.errors import InvalidInputError, TransientError
from control_plane.domain.odrl import (
    AtomicConstraint,
    Constraint,
    LogicalConstraint,
    LogicalOperator,
    Rule,
    RuleSet,
    atoms,
)
from control_plane.domain.odrl_reader import read_rules
from control_plane.domain.odrl_truth import Truth, every, exactly_one, some
from control_plane.domain.policy import Policy
from control_plane.domain.policy_context import PolicyContext
from control_plane.ports.policy_function import PolicyFunction
from control_plane.services.policy_function_registry import PolicyFunctionRegistry

_log = logging.getLogger(__name__)

_FUNCTION_SECONDS: Final = 10.0
_REASON_MAX: Final = 1000
_LOGIC: Final[dict[LogicalOperator, Callable[[Iterable[Truth]], Truth]]] = {
    LogicalOperator.AND: every,
    LogicalOperator.AND_SEQUENCE: every,
    LogicalOperator.OR: some,
    LogicalOperator.XONE: exactly_one,
}


class PolicyFunctionUnavailableError(TransientError):
    """A policy function did not tell in time whether a constraint holds."""

    code = "PolicyFunctionUnavailable"
    cause = "a policy function failed, or did not tell in time whether a constraint holds"
    remedy = (
        "It is tried again. Look at the log of the plug-in, and at what it asks over the network (`policy_plugins`)."
    )


class PolicyEngine:
    """Evaluates ODRL policies by the functions that it was given."""

    def __init__(self, functions: Iterable[PolicyFunction] = ()) -> None:
        """Register the functions.

        Raises:
            ConfigurationError: two functions answer to the same left operand.
        """
        self._functions = PolicyFunctionRegistry(functions)

    async def denial(self, policy: Policy, context: PolicyContext) -> str | None:
        """Why the policy does not permit use in this context, in words both sides may read; None when it does.

        Raises:
            TransientError: a fact could not be read now; ask again.
        """
        try:
            rules = read_rules(policy)
        except InvalidInputError as error:
            return f"The policy cannot be evaluated: {error.field} {error.problem}."
        async for reason in self._objections(rules, context):
            return reason[:_REASON_MAX]
        return None

    def check_understood(self, policy: Policy) -> None:
        """Refuse what could not be evaluated later.

        Raises:
            InvalidInputError: names the place in the policy, and what is possible there.
        """
        for constraint in atoms(read_rules(policy)):
            function = self._functions.find(constraint.left)
            if function is None:
                raise InvalidInputError(
                    field=f"{constraint.where}.leftOperand",
                    value=constraint.left,
                    problem="is not a left operand that this connector can evaluate",
                    remedy=f"Use one of: {', '.join(self._functions.names)}; a name ending in ':' takes a suffix.",
                )
            function.check(constraint)

    def is_conditional(self, policy: Policy) -> bool:
        """Whether the answer may ever be another one; what cannot be read is, so that it is looked at."""
        try:
            return bool(atoms(read_rules(policy)))
        except InvalidInputError:
            return True

    def changes_at(self, policy: Policy, context: PolicyContext) -> datetime | None:
        """The next instant at which time alone may change the answer; None when none is known."""
        try:
            constraints = atoms(read_rules(policy))
        except InvalidInputError:
            return None
        moments = [self._changes_at(constraint, context) for constraint in constraints]
        return min((moment for moment in moments if moment is not None), default=None)

    def _changes_at(self, constraint: AtomicConstraint, context: PolicyContext) -> datetime | None:
        function = self._functions.find(constraint.left)
        try:
            return function.changes_at(constraint, context) if function else None
        except Exception:  # noqa: BLE001 - a defect in a function must not stop a sweep over all transfers
            _log.exception("a policy function failed", extra={"left_operand": constraint.left})
            return None

    async def _objections(self, rules: RuleSet, context: PolicyContext) -> AsyncIterator[str]:
        """Everything that speaks against it; whoever wants one reason takes the first."""
        for prohibition in rules.prohibitions:
            if await self._rule(prohibition, context) is not False:
                yield f"Use is prohibited: {_shown(prohibition)}."
        for permission in rules.permissions:
            if reason := await self._unmet(permission, context):
                yield f"The permission does not apply: {reason}."
            for duty in permission.duties:
                if reason := await self._unmet(duty, context):
                    yield f"A duty is not met: {reason}."
        for obligation in rules.obligations:
            if reason := await self._unmet(obligation, context):
                yield f"An obligation is not met: {reason}."

    async def _unmet(self, rule: Rule, context: PolicyContext) -> str | None:
        """The first constraint that does not hold, in words, or None."""
        for constraint in rule.constraints:
            truth = await self._truth(constraint, context)
            if truth is not True:
                return f"{constraint} {'does not hold' if truth is False else 'cannot be evaluated'}"
        return None

    async def _rule(self, rule: Rule, context: PolicyContext) -> Truth:
        return every([await self._truth(constraint, context) for constraint in rule.constraints])

    async def _truth(self, constraint: Constraint, context: PolicyContext) -> Truth:
        if isinstance(constraint, LogicalConstraint):
            operands = [await self._truth(operand, context) for operand in constraint.operands]
            return _LOGIC[constraint.operator](operands)
        return await self._atom(constraint, context)

    async def _atom(self, constraint: AtomicConstraint, context: PolicyContext) -> Truth:
        function = self._functions.find(constraint.left)
        if function is None or context.scope not in function.scopes:
            return None
        try:
            async with asyncio.timeout(_FUNCTION_SECONDS):
                found = await function.holds(constraint, context)
        except TransientError:
            raise
        except TimeoutError:
            raise PolicyFunctionUnavailableError(f"Whether {constraint} holds could not be told in time.") from None
        except Exception:  # noqa: BLE001 - a defect in a function denies, and must not stop a sweep over all transfers
            _log.exception("a policy function failed", extra={"left_operand": constraint.left})
            return None
        # Whatever else a function returns is no answer.
        return found if isinstance(found, bool) else None


def _shown(rule: Rule) -> str:
    return "; ".join(map(str, rule.constraints)) or "always"
