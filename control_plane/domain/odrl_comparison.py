"""Compares a fact with a right operand. Total: anything may be compared with anything, and nothing raises.

What makes no sense (a text with a truth value, an order between names) cannot be told, which is None. The rules:

* a truth value is no number; a number equals a text that is written as that number (`5` and `"5"`, not `"005"`);
* two texts are equal when they are the same text, or the same instant; they have an order when both are instants with
  a zone, or both are numbers;
* a list of one value is that value. Lists are sets: `eq` wants the same members, `hasPart` and `isAllOf` want every
  member of the right operand among the fact's, `isAnyOf` and `isA` one, `isNoneOf` none, and `isPartOf` wants every
  member of the fact's among the right operand's;
* null, objects and what is not finite are comparable with nothing.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from control_plane.domain.odrl import EQUALITY, ORDERING, Operator
from control_plane.domain.odrl_truth import Truth, every, negation, some

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,63})(?:\.[0-9]{1,64})?(?:[eE][+-]?[0-9]{1,3})?")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_ORDERS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.GT: lambda left, right: left > right,
    Operator.GTEQ: lambda left, right: left >= right,
    Operator.LT: lambda left, right: left < right,
    Operator.LTEQ: lambda left, right: left <= right,
}


def compare(fact: object, operator: Operator, right: object) -> Truth:
    """Whether the fact is as the operator and the right operand say."""
    facts, rights = _values(fact), _values(right)
    if operator in ORDERING:
        return _ordered(facts, operator, rights)
    if operator in EQUALITY:
        same = every((_all_in(facts, rights), _all_in(rights, facts)))
        return same if operator is Operator.EQ else negation(same)
    if not rights:
        return None
    if operator in {Operator.HAS_PART, Operator.IS_ALL_OF}:
        return _all_in(rights, facts)
    if operator is Operator.IS_PART_OF:
        return _all_in(facts, rights) if facts else False
    met = some(_in(value, rights) for value in facts)
    return negation(met) if operator is Operator.IS_NONE_OF else met


def instant(value: object) -> datetime | None:
    """The instant that an ISO 8601 text with a zone names, or None."""
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else None
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _values(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def _all_in(values: list[object], others: list[object]) -> Truth:
    return every(_in(value, others) for value in values)


def _in(value: object, others: list[object]) -> Truth:
    return some(_equal(value, other) for other in others)


def _ordered(facts: list[object], operator: Operator, rights: list[object]) -> Truth:
    if len(facts) != 1 or len(rights) != 1:
        return None
    left, right = facts[0], rights[0]
    pair = _numbers(left, right) or _instants(left, right)
    return None if pair is None else _ORDERS[operator](*pair)


def _equal(left: object, right: object) -> Truth:
    if moments := _instants(left, right):
        return moments[0] == moments[1]
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    if isinstance(left, bool) and isinstance(right, bool):
        return left is right
    numbers = _numbers(left, right)
    return None if numbers is None else numbers[0] == numbers[1]


def _numbers(left: object, right: object) -> tuple[Decimal, Decimal] | None:
    first, second = _number(left), _number(right)
    return None if first is None or second is None else (first, second)


def _instants(left: object, right: object) -> tuple[datetime, datetime] | None:
    first, second = instant(left), instant(right)
    return None if first is None or second is None else (first, second)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, int | float | Decimal):
        number = Decimal(value) if not isinstance(value, float) else Decimal(repr(value))
        return number if number.is_finite() else None
    return None
