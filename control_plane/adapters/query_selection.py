"""A query made ready to run: names looked up, operands checked. The databases and memory run the same selection.

A missing value or a JSON null never matches. Text, numbers and booleans are never equal to one another; a number may
be written as text where the field is a number. `like` has `%` and `_`, no escape; `ilike` ignores the case of ASCII
letters; text is ordered by code point.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connector_spi.errors import InvalidInputError
from control_plane.adapters.query_fields import Cell, Member, QueryFields
from control_plane.domain.query import Criterion, QuerySpec

Scalar = str | int | float | bool
Kind = Literal["text", "number", "boolean"]
_MAX_INTEGER: Final = 2**63 - 1
_VALUES_MAX: Final = 10_000
"""PostgreSQL takes 32,767 parameters, of which a number in a document is two."""
_PATTERN_MAX: Final = 4096
"""SQLite takes 50,000 bytes, after some characters have become three."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`values` holds several for `in` and `not in`, one otherwise, none when the operand was null."""

    target: Cell | Member
    operator: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to select: rows for which all conditions hold, sorted by `sort`, then by creation and id."""

    conditions: tuple[Condition, ...]
    sort: Cell | Member
    created: Cell
    descending: bool
    offset: int
    limit: int


def selection_of(query: QuerySpec, fields: QueryFields) -> Selection:
    """The query over these fields.

    Raises:
        InvalidInputError: a field does not exist, or an operator or operand does not suit it.
    """
    created = Cell(fields.created, "number")
    conditions = conditions_of(query.criteria, fields)
    if (count := sum(len(condition.values) for condition in conditions)) > _VALUES_MAX:
        problem = f"may hold {_VALUES_MAX} values"
        raise InvalidInputError(field="filterExpression", value=count, problem=problem, remedy="Ask for fewer at once.")
    return Selection(
        conditions=conditions,
        sort=fields.find(query.sort_field, asked_in="sortField") if query.sort_field is not None else created,
        created=created,
        descending=query.descending,
        offset=min(query.offset, _MAX_INTEGER),
        limit=query.limit,
    )


def conditions_of(criteria: Sequence[Criterion], fields: QueryFields) -> tuple[Condition, ...]:
    """The criteria over these fields.

    Raises:
        InvalidInputError: a field does not exist, or an operator or operand does not suit it.
    """
    return tuple(_condition(criterion, fields) for criterion in criteria)


def kind_of(value: object) -> Kind | None:
    """Of which kind a JSON value is; None for null, lists and objects."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else None


def _condition(criterion: Criterion, fields: QueryFields) -> Condition:
    target = fields.find(criterion.operand_left, asked_in="operandLeft")
    operator = criterion.operator.lower()
    _check_operator(criterion, operator, target)
    right = criterion.operand_right
    operands = right if isinstance(right, list) else [right]
    if operator in {"like", "ilike"} and not isinstance(right, str):
        raise InvalidInputError(field="operandRight", value=right, problem="must be a text pattern")
    if operator in {"like", "ilike"} and len(right) > _PATTERN_MAX:
        raise InvalidInputError(field="operandRight", value="...", problem=f"may have {_PATTERN_MAX} characters")
    values = tuple(_value(operand, target) for operand in operands if operand is not None)
    return Condition(target, operator, values)


def _check_operator(criterion: Criterion, operator: str, target: Cell | Member) -> None:
    wanted = {"like": "text", "ilike": "text", "contains": "list"}.get(operator)
    if wanted is not None and isinstance(target, Cell) and target.kind != wanted:
        raise InvalidInputError(
            field="operator",
            value=criterion.operator,
            problem=f"needs a {wanted}, and {criterion.operand_left} is none",
        )


def _value(operand: Any, target: Cell | Member) -> Scalar:
    if kind_of(operand) is None:
        raise InvalidInputError(
            field="operandRight", value=operand, problem="must be text, a number, true or false, or a list of these"
        )
    if isinstance(target, Cell) and target.kind == "number":
        operand = _number(operand, target)
    if isinstance(target, Cell) and target.kind == "boolean":
        operand = _boolean(operand)
    if isinstance(operand, str) and not _is_storable(operand):
        raise InvalidInputError(field="operandRight", value=operand, problem="holds a character that no text has")
    if isinstance(operand, int | float) and not (math.isfinite(operand) and abs(operand) <= _MAX_INTEGER):
        raise InvalidInputError(field="operandRight", value=operand, problem="is too large a number")
    return operand  # type: ignore[no-any-return]


def _number(operand: Scalar, cell: Cell) -> Scalar:
    """The whole number that a name or digits stand for; true and false stay, and equal none."""
    if isinstance(operand, bool):
        return operand
    if isinstance(operand, str) and operand in cell.codes:
        return cell.codes[operand]
    if isinstance(operand, float) and not operand.is_integer():
        raise _unsuitable(operand, cell)
    try:
        return int(operand)
    except (ValueError, OverflowError) as error:
        raise _unsuitable(operand, cell) from error


def _boolean(operand: Scalar) -> bool:
    """What true and false stand for, also written as text."""
    known = {"true": True, "false": False}
    found = operand if isinstance(operand, bool) else known.get(str(operand).lower())
    if found is None:
        problem, remedy = "does not suit the field", "Use true or false."
        raise InvalidInputError(field="operandRight", value=operand, problem=problem, remedy=remedy)
    return found


def _unsuitable(operand: Scalar, cell: Cell) -> InvalidInputError:
    known = f"Use one of {', '.join(cell.codes)}, or its code." if cell.codes else "Use a whole number."
    return InvalidInputError(field="operandRight", value=operand, problem="does not suit the field", remedy=known)


def _is_storable(text: str) -> bool:
    """Whether both databases can hold the text: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
