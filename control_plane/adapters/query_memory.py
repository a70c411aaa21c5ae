"""Runs a selection over records in memory; the same answers as `query_sql`."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from control_plane.adapters.query_fields import Cell, Member
from control_plane.adapters.query_selection import Condition, Scalar, Selection, kind_of

Record = Mapping[str, Any]

_ORDERINGS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def page(records: Iterable[Record], selection: Selection) -> list[Record]:
    """The records that match, in order, one page."""
    found = [r for r in records if matches_all(r, selection.conditions)]
    found.sort(key=operator.itemgetter("id"))
    found.sort(key=operator.itemgetter(selection.created.column), reverse=selection.descending)
    # Python's sort is stable: the criterion that counts most is sorted by last; what has no value comes last of all.
    for kind in ("boolean", "text", "number"):
        having = [r for r in found if kind_of(value_of(r, selection.sort)) == kind]
        lacking = [r for r in found if kind_of(value_of(r, selection.sort)) != kind]
        having.sort(key=lambda r: value_of(r, selection.sort), reverse=selection.descending)
        found = having + lacking
    return found[selection.offset : selection.offset + selection.limit]


def matches_all(record: Record, conditions: Iterable[Condition]) -> bool:
    """Whether all conditions hold for the record."""
    return all(_matches(value_of(record, condition.target), condition) for condition in conditions)


def value_of(record: Record, target: Cell | Member) -> Any:
    """What clients see of the target in the record."""
    value = record[target.column]
    if isinstance(target, Member):
        return next((value[key] for key in target.keys if key in value), None)
    return value // target.unit if target.kind == "number" and value is not None else value


def _matches(value: Any, condition: Condition) -> bool:
    if value is None:
        return False
    match condition.operator:
        case "=" | "in":
            return any(_equal(value, wanted) for wanted in condition.values)
        case "!=" | "not in":
            return not any(_equal(value, wanted) for wanted in condition.values)
        case "like" | "ilike":
            flags = re.DOTALL | (re.IGNORECASE | re.ASCII if condition.operator == "ilike" else 0)
            return isinstance(value, str) and any(
                re.fullmatch(_pattern(str(wanted)), value, flags) for wanted in condition.values
            )
        case "contains":
            return isinstance(value, list) and any(_equal(e, wanted) for e in value for wanted in condition.values)
        case ordering:
            return any(_ordered(value, wanted, _ORDERINGS[ordering]) for wanted in condition.values)


def _equal(value: Any, wanted: Scalar) -> bool:
    return kind_of(value) == kind_of(wanted) and bool(value == wanted)


def _ordered(value: Any, wanted: Scalar, compare: Callable[[Any, Any], bool]) -> bool:
    return kind_of(value) == kind_of(wanted) and kind_of(value) != "boolean" and compare(value, wanted)


def _pattern(like: str) -> str:
    """As a regular expression that never goes back: what an outsider writes must not cost more than it is long."""
    first, *others = ("".join("." if char == "_" else re.escape(char) for char in part) for part in like.split("%"))
    if not others:
        return first
    # Of each part but the last the first place is as good as any other.
    return first + "".join(f"(?>.*?{part})" for part in others[:-1]) + ".*" + others[-1]
