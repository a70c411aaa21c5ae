"""Turns a selection into one SELECT: conditions, order and page are the database's work, every value is a parameter."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, and_, asc, desc, false, func, not_, or_, select

from control_plane.adapters.query_fields import Cell, Member
from control_plane.adapters.query_selection import Condition, Kind, Scalar, Selection, kind_of
from control_plane.adapters.sql_json import JsonDialect

_ORDERINGS: Final[Mapping[str, Callable[[Any, Any], ColumnElement[bool]]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KINDS: Final[tuple[Kind, ...]] = ("number", "text", "boolean")


def select_page(table: Table, selection: Selection, json: JsonDialect) -> Select[Any]:
    """The statement whose rows are the records that match, in order, one page."""
    reader = Reader(table, json)
    direction = desc if selection.descending else asc
    order = [direction(value).nulls_last() for value in reader.sort_values(selection.sort)]
    return (
        select(table)
        .where(*[matches(reader, condition) for condition in selection.conditions])
        .order_by(*order, direction(table.c[selection.created.column]), table.c.id)
        .offset(selection.offset)
        .limit(selection.limit)
    )


class Reader:
    """Reads a target of a table as SQL expressions."""

    def __init__(self, table: Table, json: JsonDialect) -> None:
        self.table = table
        self.json = json

    def value(self, target: Cell | Member, kind: Kind) -> ColumnElement[Any] | None:
        """The value where it is of this kind, null where it is not; None when it never is."""
        column = self.table.c[target.column]
        if isinstance(target, Member):
            return self.json.member(column, target.keys, kind)
        if target.kind != kind:
            return None
        return column // target.unit if target.unit > 1 else column

    def sort_values(self, target: Cell | Member) -> list[ColumnElement[Any]]:
        """What to sort by: numbers before text before booleans."""
        values = [self.value(target, kind) for kind in _KINDS]
        return [value for value in values if value is not None]

    def is_present(self, target: Cell | Member) -> ColumnElement[bool]:
        """Whether there is a value that is not null."""
        column = self.table.c[target.column]
        return self.json.has_member(column, target.keys) if isinstance(target, Member) else column.is_not(None)


def matches(reader: Reader, condition: Condition) -> ColumnElement[bool]:
    """The condition as an expression over a row."""
    target = condition.target
    match condition.operator:
        case "=" | "in":
            return _one_of(reader, target, condition.values)
        case "!=" | "not in":
            return and_(
                reader.is_present(target), not_(func.coalesce(_one_of(reader, target, condition.values), false()))
            )
        case "like" | "ilike" as word:
            return _any(_like(reader, target, str(wanted), word == "ilike") for wanted in condition.values)
        case "contains":
            column, keys = reader.table.c[target.column], target.keys if isinstance(target, Member) else ()
            return _any(reader.json.list_contains(column, keys, wanted) for wanted in condition.values)
        case ordering:
            return _any(_ordered(reader, target, wanted, _ORDERINGS[ordering]) for wanted in condition.values)


def _any(conditions: Any) -> ColumnElement[bool]:
    return or_(false(), *conditions)


def _one_of(reader: Reader, target: Cell | Member, values: Sequence[Scalar]) -> ColumnElement[bool]:
    """Whether the value is one of these; those of a kind, of which there may be thousands, are one expression."""
    found = []
    for kind in _KINDS:
        wanted = [value for value in values if kind_of(value) == kind]
        value = reader.value(target, kind) if wanted else None
        if value is not None:
            # As plain values texts are one expanding parameter, so that the statement is compiled once.
            found.append(value.in_(wanted if kind == "text" else [_operand(reader, target, each) for each in wanted]))
    return _any(found)


def _operand(reader: Reader, target: Cell | Member, wanted: Scalar) -> Any:
    return reader.json.literal(wanted) if isinstance(target, Member) else wanted


def _ordered(
    reader: Reader,
    target: Cell | Member,
    wanted: Scalar,
    compare: Callable[[Any, Any], ColumnElement[bool]],
) -> ColumnElement[bool]:
    kind = kind_of(wanted)
    if kind not in {"text", "number"}:
        return false()
    value = reader.value(target, kind)
    if value is None:
        return false()
    return compare(value, _operand(reader, target, wanted))


def _like(reader: Reader, target: Cell | Member, pattern: str, ignore_case: bool) -> ColumnElement[bool]:
    value = reader.value(target, "text")
    return false() if value is None else reader.json.like(value, pattern, ignore_case)
