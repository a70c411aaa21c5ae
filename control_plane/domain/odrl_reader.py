"""Reads a policy's compact ODRL. Lenient about notation, strict about meaning: what is not understood is refused.

A member may be a list or a single object, a name may stand with its prefix, as a full IRI or as `{"@id": name}`, and a
value plainly or as `{"@value": v}`, `{"@id": v}`, `{"@list": [...]}` or `{"@set": [...]}`.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from connector_spi.errors import InvalidInputError
from control_plane.domain.odrl import (
    AtomicConstraint,
    Constraint,
    LogicalConstraint,
    LogicalOperator,
    Operator,
    RightOperand,
    Rule,
    RuleSet,
    Scalar,
    short_name,
)
from control_plane.domain.policy import Policy

DEPTH_MAX: Final = 8
CONSTRAINTS_MAX: Final = 256
RIGHT_OPERANDS_MAX: Final = 1000
TEXT_MAX: Final = 2048

_LABELS: Final = frozenset({"@id", "@type", "uid"})
_ATOMIC: Final = frozenset({"leftOperand", "operator", "rightOperand"})
_OF_POLICY: Final = _LABELS | {"@context", "profile", "target", "assigner", "assignee"}
_OPERATORS: Final = {operator.value: operator for operator in Operator} | {"term-lteq": Operator.LTEQ}
_LOGICAL: Final = {operator.value: operator for operator in LogicalOperator}
_WRAPPERS: Final = ("@value", "@id", "@list", "@set")


def read_rules(policy: Policy) -> RuleSet:
    """The policy's rules.

    Raises:
        InvalidInputError: a member cannot be read or means something that this connector does not know, the rules are
            nested too deeply or are too many, or nothing is permitted; names the place.
    """
    _check_extra(policy.extra)
    reader = _Reader()
    rules = RuleSet(
        permissions=reader.rules(policy.permissions, "policy.permission", may_have_duties=True),
        prohibitions=reader.rules(policy.prohibitions, "policy.prohibition"),
        obligations=reader.rules(policy.obligations, "policy.obligation", must_be_constrained=True),
    )
    if not rules.permissions:
        raise InvalidInputError(
            field="policy.permission",
            value=[],
            problem="permits nothing",
            remedy='Add {"action": "use"} to the permissions; what is not permitted is denied.',
        )
    return rules


def _check_extra(extra: Mapping[str, Any]) -> None:
    """Members beside the rules: labels, and those of vocabularies that say nothing about rules, are let pass."""
    for name in extra:
        plain = short_name(name)
        if plain not in _OF_POLICY and (":" not in plain):
            raise InvalidInputError(
                field=f"policy.{plain}",
                value=_shown(extra[name]),
                problem="is not a member of a policy that this connector understands",
                remedy="Write permission, prohibition and obligation as complete rules, and nothing that changes them.",
            )


class _Reader:
    """Walks the rules of one policy, counting what it has seen."""

    def __init__(self) -> None:
        self._constraints = 0

    def rules(
        self, found: object, where: str, *, may_have_duties: bool = False, must_be_constrained: bool = False
    ) -> tuple[Rule, ...]:
        items = _items(found)
        if len(items) > CONSTRAINTS_MAX:
            raise InvalidInputError(field=where, value=len(items), problem=f"has more than {CONSTRAINTS_MAX} rules")
        return tuple(
            self._rule(item, f"{where}[{i}]", may_have_duties=may_have_duties, must_be_constrained=must_be_constrained)
            for i, item in enumerate(items)
        )

    def _rule(self, found: object, where: str, *, may_have_duties: bool, must_be_constrained: bool) -> Rule:
        members = _members(found, where)
        known = _LABELS | {"action", "constraint"} | ({"duty"} if may_have_duties else set())
        _refuse_others(members, known, where)
        _check_action(members.get("action"), f"{where}.action")
        constraints = self._all(members.get("constraint"), f"{where}.constraint", 1)
        if must_be_constrained and not constraints:
            raise InvalidInputError(
                field=f"{where}.constraint",
                value=None,
                problem="is missing: a duty without a constraint cannot be verified",
                remedy="Say by constraints what has to hold, or leave the duty out.",
            )
        duties = self.rules(members.get("duty"), f"{where}.duty", must_be_constrained=True)
        return Rule(constraints=constraints, duties=duties)

    def _all(self, found: object, where: str, depth: int) -> tuple[Constraint, ...]:
        return tuple(self._constraint(item, f"{where}[{i}]", depth) for i, item in enumerate(_items(found)))

    def _constraint(self, found: object, where: str, depth: int) -> Constraint:
        self._constraints += 1
        if self._constraints > CONSTRAINTS_MAX:
            raise InvalidInputError(field=where, value="...", problem=f"is one of more than {CONSTRAINTS_MAX}")
        if depth > DEPTH_MAX:
            raise InvalidInputError(field=where, value="...", problem=f"is nested deeper than {DEPTH_MAX} levels")
        members = _members(found, where)
        logical = sorted(set(members) & set(_LOGICAL))
        if not logical:
            return _atomic(members, where)
        _refuse_others(members, _LABELS | {logical[0]}, where)
        operands = self._all(members[logical[0]], f"{where}.{logical[0]}", depth + 1)
        if not operands:
            raise InvalidInputError(field=f"{where}.{logical[0]}", value=[], problem="holds no constraint")
        return LogicalConstraint(_LOGICAL[logical[0]], operands)


def _atomic(members: Mapping[str, Any], where: str) -> AtomicConstraint:
    _refuse_others(members, _LABELS | _ATOMIC, where)
    left = _name(members.get("leftOperand"), f"{where}.leftOperand")
    operator = _name(members.get("operator"), f"{where}.operator")
    if operator not in _OPERATORS:
        raise InvalidInputError(
            field=f"{where}.operator",
            value=operator,
            problem="is not an operator",
            remedy=f"Use one of {', '.join(_OPERATORS)}.",
        )
    right = _right_operand(members.get("rightOperand"), f"{where}.rightOperand")
    return AtomicConstraint(left, _OPERATORS[operator], right, where)


def _check_action(found: object, where: str) -> None:
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, Mapping):
        members = _members(found, where)
        _refuse_others(members, {"@id", "type"}, where)
        found = members.get("@id", members.get("type"))
    action = _name(found, where)
    if action != "use":
        raise InvalidInputError(
            field=where,
            value=action,
            problem="is an action that this connector cannot enforce",
            remedy="Use the action use.",
        )


def _right_operand(found: object, where: str) -> RightOperand:
    found = _unwrapped(found)
    if not isinstance(found, list):
        return _scalar(found, where)
    if not 0 < len(found) <= RIGHT_OPERANDS_MAX:
        raise InvalidInputError(
            field=where, value=len(found), problem=f"must be a list of 1 to {RIGHT_OPERANDS_MAX} values"
        )
    values = tuple(_scalar(_unwrapped(item), f"{where}[{i}]") for i, item in enumerate(found))
    # Functions that want one value get it: to JSON-LD a list of one is only another way to write it.
    return values[0] if len(values) == 1 else values


def _scalar(found: object, where: str) -> Scalar:
    if isinstance(found, str) and len(found) <= TEXT_MAX:
        return found
    if isinstance(found, bool | int) or (isinstance(found, float) and isfinite(found)):
        return found
    raise InvalidInputError(
        field=where,
        value=_shown(found),
        problem=f"must be a text of at most {TEXT_MAX} characters, a number, true or false",
    )


def _name(found: object, where: str) -> str:
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    found = _unwrapped(found)
    if not isinstance(found, str) or not found or len(found) > TEXT_MAX:
        raise InvalidInputError(
            field=where,
            value=_shown(found),
            problem=f"must be a name of at most {TEXT_MAX} characters",
            remedy="Add it.",
        )
    return short_name(found)


def _unwrapped(found: object) -> object:
    """The value inside one of JSON-LD's wrappers; a data type beside it is not needed to compare."""
    if isinstance(found, Mapping):
        for wrapper in _WRAPPERS:
            if wrapper in found and not set(found) - {wrapper, "@type"}:
                return found[wrapper]
    return found


def _items(found: object) -> list[Any]:
    """A list's items, or the only one."""
    if isinstance(found, Mapping) and len(found) == 1:
        found = found.get("@list", found.get("@set", found))
    if found is None:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]


def _members(found: object, where: str) -> dict[str, Any]:
    """The object's members by their short names."""
    if not isinstance(found, Mapping):
        raise InvalidInputError(field=where, value=_shown(found), problem="must be an object")
    members: dict[str, Any] = {}
    for name, value in found.items():
        plain = short_name(name)
        if plain in members:
            raise InvalidInputError(field=f"{where}.{plain}", value=name, problem="is given twice, in two spellings")
        members[plain] = value
    return members


def _refuse_others(members: Mapping[str, Any], known: "frozenset[str] | set[str]", where: str) -> None:
    for name in members:
        if name not in known:
            raise InvalidInputError(
                field=f"{where}.{name}",
                value=_shown(members[name]),
                problem="is not understood here, and what is not understood cannot be enforced",
                remedy=f"Known here: {', '.join(sorted(known - _LABELS))}.",
            )


def _shown(value: object) -> object:
    """What a refusal shows of a value: of an object or a list, which may be deep, only that it is one."""
    return type(value).__name__ if isinstance(value, Mapping | list | tuple) else value
