"""What SQLite and PostgreSQL say differently: members of JSON documents, and patterns.

Keys and values are always parameters. SQLite's path syntax cannot quote every key, so members are found by walking
`json_each`.
"""

from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, Numeric, String, Text, case, cast, collate, func, literal, select
from sqlalchemy.dialects.postgresql import array

from control_plane.adapters.query_selection import Kind, Scalar, kind_of


class JsonDialect(Protocol):
    """How one database reads JSON."""

    def member(self, column: ColumnElement[Any], keys: tuple[str, ...], kind: Kind) -> ColumnElement[Any]:
        """The member where it is of this kind, else null; a boolean is the text `true` or `false`."""
        ...

    def has_member(self, column: ColumnElement[Any], keys: tuple[str, ...]) -> ColumnElement[bool]:
        """Whether there is such a member that is not null."""
        ...

    def list_contains(self, column: ColumnElement[Any], keys: tuple[str, ...], wanted: Scalar) -> ColumnElement[bool]:
        """Whether the member is a list with this element."""
        ...

    def literal(self, value: Scalar) -> ColumnElement[Any]:
        """The value as a parameter that compares with `member`."""
        ...

    def like(self, value: ColumnElement[Any], pattern: str, ignore_case: bool) -> ColumnElement[bool]:
        """Whether the text matches the pattern of `%` and `_`."""
        ...


class SqliteJson:
    """JSON1, as in every SQLite since 3.38."""

    _TYPES: Final[dict[Kind, tuple[str, ...]]] = {
        "text": ("text",),
        "number": ("integer", "real"),
        "boolean": ("true", "false"),
    }

    def member(self, column: ColumnElement[Any], keys: tuple[str, ...], kind: Kind) -> ColumnElement[Any]:
        """See JsonDialect."""
        found = self._found(column, keys)
        cell = found.c.type if kind == "boolean" else found.c.value
        value = self._first(select(case((found.c.type.in_(self._TYPES[kind]), cell))), found, keys)
        scalar: ColumnElement[Any] = value.scalar_subquery()
        return scalar

    def has_member(self, column: ColumnElement[Any], keys: tuple[str, ...]) -> ColumnElement[bool]:
        """See JsonDialect."""
        found = self._found(column, keys)
        kind: ColumnElement[str] = self._first(select(found.c.type), found, keys).scalar_subquery()
        return func.coalesce(kind, "null") != "null"

    def list_contains(self, column: ColumnElement[Any], keys: tuple[str, ...], wanted: Scalar) -> ColumnElement[bool]:
        """See JsonDialect."""
        found = self._found(column, keys)
        document = self._first(select(case((found.c.type == "array", found.c.value))), found, keys).scalar_subquery()
        element = func.json_each(document).table_valued("value", "type", name="element")
        kind = kind_of(wanted) or "text"
        cell = element.c.type if kind == "boolean" else element.c.value
        return (
            select(1)
            .select_from(element)
            .where(element.c.type.in_(self._TYPES[kind]), cell == self.literal(wanted))
            .exists()
        )

    def literal(self, value: Scalar) -> ColumnElement[Any]:
        """See JsonDialect."""
        return literal(str(value).lower() if isinstance(value, bool) else value)

    def like(self, value: ColumnElement[Any], pattern: str, ignore_case: bool) -> ColumnElement[bool]:
        """By GLOB, because SQLite's LIKE always ignores the case."""
        wildcards = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
        glob = "".join(wildcards.get(char, char) for char in pattern)
        if ignore_case:
            return func.lower(value).op("GLOB", is_comparison=True)(func.lower(glob))
        return value.op("GLOB", is_comparison=True)(literal(glob))

    def _found(self, column: ColumnElement[Any], keys: tuple[str, ...]) -> Any:
        return func.json_each(column).table_valued("key", "value", "type", name="member")

    def _first(self, statement: Any, found: Any, keys: tuple[str, ...]) -> Any:
        """Of the keys, the first that is there."""
        return statement.where(found.c.key.in_(keys)).order_by((found.c.key == keys[0]).desc()).limit(1)


class PostgresJson:
    """PostgreSQL's textual JSON."""

    _TYPES: Final[dict[Kind, str]] = {"text": "string", "number": "number", "boolean": "boolean"}

    def member(self, column: ColumnElement[Any], keys: tuple[str, ...], kind: Kind) -> ColumnElement[Any]:
        """See JsonDialect."""
        return self._typed(self._found(column, keys), kind)

    def has_member(self, column: ColumnElement[Any], keys: tuple[str, ...]) -> ColumnElement[bool]:
        """See JsonDialect."""
        return func.coalesce(func.json_typeof(self._found(column, keys)), "null") != "null"

    def list_contains(self, column: ColumnElement[Any], keys: tuple[str, ...], wanted: Scalar) -> ColumnElement[bool]:
        """See JsonDialect."""
        found = self._found(column, keys)
        document = case((func.json_typeof(found) == "array", found), else_=func.json_build_array())
        element = func.json_array_elements(document).table_valued("value", name="element")
        return (
            select(1)
            .select_from(element)
            .where(self._typed(element.c.value, kind_of(wanted) or "text") == self.literal(wanted))
            .exists()
        )

    def literal(self, value: Scalar) -> ColumnElement[Any]:
        """See JsonDialect; a number goes as text, so that it stays exact."""
        if isinstance(value, bool):
            return literal(str(value).lower())
        return literal(value) if isinstance(value, str) else cast(cast(repr(value), String), Numeric)

    def like(self, value: ColumnElement[Any], pattern: str, ignore_case: bool) -> ColumnElement[bool]:
        """Without an escape character."""
        return value.ilike(pattern, escape="") if ignore_case else value.like(pattern, escape="")

    def _found(self, column: ColumnElement[Any], keys: tuple[str, ...]) -> ColumnElement[Any]:
        return func.coalesce(*[func.json_extract_path(column, key) for key in keys])

    def _typed(self, document: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
        as_text: ColumnElement[Any] = document.op("#>>")(array([], type_=Text))
        value = cast(as_text, Numeric) if kind == "number" else collate(as_text, "C")
        return case((func.json_typeof(document) == self._TYPES[kind], value))
