"""The shape of ODRL rules that the Dataspace Protocol's schemas demand; what they mean is the policy engine's matter.

Source: negotiation/contract-schema.json of the Dataspace Protocol 2025-1. Read leniently: one object may stand for a
list of one, terms may come with their namespace or as `{"@id": ...}`, members that are not known are passed over.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

ODRL_NAMESPACE: Final = "http://www.w3.org/ns/odrl/2/"
OPERATORS: Final = frozenset(
    {
        "eq",
        "gt",
        "gteq",
        "hasPart",
        "isA",
        "isAllOf",
        "isAnyOf",
        "isNoneOf",
        "isPartOf",
        "lt",
        "lteq",
        "neq",
        "term-lteq",
    }
)
LOGICAL: Final = frozenset({"and", "andSequence", "or", "xone"})

_TERM_MAX: Final = 1024
_CONSTRAINTS_MAX: Final = 1000
_DUTIES: Final = ("duty", "consequence", "remedy")


def check_rules(name: str, rules: Sequence[Any]) -> None:
    """Check the rules of one kind; `name` begins the path in errors.

    Raises:
        ValueError: names the member that is wrong, what it holds and what would be right.
    """
    budget = _Budget()
    for index, rule in enumerate(rules):
        _check_rule(rule, f"{name}[{index}]", budget)


class _Budget:
    """How many constraints one list of rules may still have."""

    def __init__(self) -> None:
        self._left = _CONSTRAINTS_MAX

    def spend(self, where: str) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"{where}: more than {_CONSTRAINTS_MAX} rules and constraints; send fewer")


def _check_rule(rule: Any, where: str, budget: _Budget) -> None:
    budget.spend(where)
    if not isinstance(rule, Mapping):
        raise _wrong(where, rule, "a rule is an object such as {'action': 'use'}")
    _check_action(rule.get("action"), f"{where}.action")
    for index, constraint in _listed(rule, "constraint"):
        _check_constraint(constraint, f"{where}.constraint[{index}]", budget)
    for duties in _DUTIES:
        for index, duty in _listed(rule, duties):
            _check_rule(duty, f"{where}.{duties}[{index}]", budget)


def _check_action(action: Any, where: str) -> None:
    if isinstance(action, Mapping) and action:
        return  # an id, or an action with a refinement: the engine says whether it understands it
    _check_term(action, where)


def _check_constraint(constraint: Any, where: str, budget: _Budget) -> None:
    budget.spend(where)
    if not isinstance(constraint, Mapping):
        raise _wrong(where, constraint, "a constraint is an object")
    logical = LOGICAL & constraint.keys()
    if not logical:
        _check_atomic(constraint, where)
        return
    if len(logical) > 1 or "operator" in constraint:
        raise _wrong(where, sorted(logical), f"a constraint is atomic, or has one of {', '.join(sorted(LOGICAL))}")
    [operand] = logical
    for index, inner in _listed(constraint, operand):
        _check_constraint(inner, f"{where}.{operand}[{index}]", budget)


def _check_atomic(constraint: Mapping[str, Any], where: str) -> None:
    _check_term(constraint.get("leftOperand"), f"{where}.leftOperand")
    operator = _term(constraint.get("operator"))
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise _wrong(f"{where}.operator", operator, f"use one of {', '.join(sorted(OPERATORS))}")
    if constraint.get("rightOperand") is None:
        raise _wrong(f"{where}.rightOperand", None, "send the value to compare with")


def _check_term(value: Any, where: str) -> None:
    term = _term(value)
    if not isinstance(term, str) or not 0 < len(term) <= _TERM_MAX:
        raise _wrong(where, value, f"send a text of 1 to {_TERM_MAX} characters")


def _term(value: Any) -> Any:
    if isinstance(value, Mapping):
        value = value.get("@id")
    return value.removeprefix("odrl:").removeprefix(ODRL_NAMESPACE) if isinstance(value, str) else value


def _listed(members: Mapping[str, Any], name: str) -> enumerate[Any]:
    value = members.get(name)
    return enumerate(value if isinstance(value, list) else [] if value is None else [value])


def _wrong(where: str, value: Any, remedy: str) -> ValueError:
    problem = "is missing" if value is None else f"cannot be {repr(value)[:80]}"
    return ValueError(f"{where} {problem}; {remedy}")
