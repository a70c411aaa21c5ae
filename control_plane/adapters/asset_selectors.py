"""The selectors of many contract definitions at once: which of them select a record, and what a database can look for.

Most selectors name values of one member (`id`, a category): those are looked up, not tried one after the other, so that
thousands of definitions cost little more than one.
"""

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

from connector_spi.errors import InvalidInputError
from control_plane.adapters.query_fields import ASSET_FIELDS, Cell, Member
from control_plane.adapters.query_memory import matches_all, value_of
from control_plane.adapters.query_selection import Condition, Scalar, conditions_of, kind_of
from control_plane.adapters.record_values import to_microseconds
from control_plane.domain.catalog import AssetSelection, CatalogPosition
from control_plane.domain.query import Criterion

_log = logging.getLogger(__name__)

Alternative = tuple[Condition, ...]

_CONDITIONS_MAX: Final = 32
_VALUES_MAX: Final = 5_000
"""More than these in one statement take a database longer than reading the rows and trying them here."""


class AssetSelectors:
    """Selectors over assets. One that cannot be evaluated selects nothing, and is named in the log."""

    def __init__(self, selectors: Sequence[Sequence[Criterion]]) -> None:
        self._unconditional: list[int] = []
        self._lookups: dict[Hashable, _Lookup] = {}
        self._others: list[tuple[int, Alternative]] = []
        for number, selector in enumerate(selectors):
            try:
                self._add(number, conditions_of(selector, ASSET_FIELDS))
            except InvalidInputError as error:
                _log.warning("a contract definition selects nothing", extra={"error": error.message})

    @property
    def select_nothing(self) -> bool:
        """Whether no asset can be selected."""
        return not (self._unconditional or self._lookups or self._others)

    @property
    def select_everything(self) -> bool:
        """Whether every asset is selected."""
        return bool(self._unconditional)

    def matching(self, record: Mapping[str, Any]) -> tuple[int, ...]:
        """The indexes of the selectors that select this record of an asset, ascending."""
        found = [*self._unconditional]
        for lookup in self._lookups.values():
            found += lookup.matching(record)
        found += [number for number, conditions in self._others if matches_all(record, conditions)]
        return tuple(sorted(found))

    def alternatives(self) -> tuple[Alternative, ...] | None:
        """Of these conditions one must hold for a selected asset; None: not worth asking a database for."""
        if self._unconditional:
            return None
        found = [a for lookup in self._lookups.values() for a in lookup.alternatives()]
        found += [conditions for _, conditions in self._others]
        # By their spelling: in Python 1 equals True, in a selector it does not.
        found = list({repr(alternative): alternative for alternative in found}.values())
        conditions = [condition for alternative in found for condition in alternative]
        values = sum(len(condition.values) for condition in conditions)
        return tuple(found) if len(conditions) <= _CONDITIONS_MAX and values <= _VALUES_MAX else None

    def _add(self, number: int, conditions: Alternative) -> None:
        if not conditions:
            self._unconditional.append(number)
            return
        for condition in conditions:
            if condition.operator in {"=", "in"}:
                rest = tuple(c for c in conditions if c is not condition)
                key = _key(condition.target)
                self._lookups.setdefault(key, _Lookup(condition.target)).add(number, condition.values, rest)
                return
        self._others.append((number, conditions))


class _Lookup:
    """Selectors that want one of some values of the same target, and perhaps more."""

    def __init__(self, target: Cell | Member) -> None:
        self._target = target
        self._wanted: dict[Hashable, list[tuple[int, Alternative]]] = {}
        self._alternatives: dict[str, tuple[Alternative, dict[Hashable, Scalar]]] = {}

    def add(self, number: int, values: tuple[Scalar, ...], rest: Alternative) -> None:
        for value in values:
            key = (kind_of(value), value)
            wanted = self._wanted.setdefault(key, [])
            if (number, rest) not in wanted[-1:]:
                wanted.append((number, rest))
            self._alternatives.setdefault(repr(rest), (rest, {}))[1][key] = value

    def matching(self, record: Mapping[str, Any]) -> list[int]:
        value = value_of(record, self._target)
        kind = kind_of(value)
        wanted = self._wanted.get((kind, value), []) if kind else []
        return [number for number, rest in wanted if matches_all(record, rest)]

    def alternatives(self) -> list[Alternative]:
        return [
            (Condition(self._target, "in", tuple(values.values())), *rest)
            for rest, values in self._alternatives.values()
        ]


def _key(target: Cell | Member) -> Hashable:
    return target.column, target.keys if isinstance(target, Member) else ()


def asset_order(record: Mapping[str, Any]) -> tuple[int, str]:
    """What assets are ordered by in a catalog."""
    return record["created_at"], record["id"]


def order_of(position: CatalogPosition) -> tuple[int, str]:
    """The position in the same terms."""
    return to_microseconds(position.created_at), position.asset_id


def is_beyond(record: Mapping[str, Any], selection: AssetSelection) -> bool:
    """Whether the record comes after the position from which the selection begins."""
    if selection.beyond is None:
        return True
    bound = order_of(selection.beyond)
    return asset_order(record) < bound if selection.descending else asset_order(record) > bound
