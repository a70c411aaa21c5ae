"""AssetStore on SQL: pages of the assets that contract definitions select, walked along the index of their order.

A statement reads at most a page; memory never holds more, however many assets there are.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, false, or_, select, tuple_

from control_plane.adapters.asset_selectors import Alternative, AssetSelectors, asset_order, order_of
from control_plane.adapters.query_fields import CATALOG_FIELDS
from control_plane.adapters.query_selection import conditions_of
from control_plane.adapters.query_sql import Reader, matches
from control_plane.adapters.records import ASSET_CODEC
from control_plane.adapters.sql_definition_stores import SqlDefinitionStore
from control_plane.adapters.sql_tables import AssetRow, table_of
from control_plane.domain.asset import Asset
from control_plane.domain.catalog import AssetSelection, SelectedAsset
from sql_storage.database import Database
from sql_storage.uninterrupted import uninterrupted

Record = Mapping[str, Any]

_CHUNK: Final = 500
"""Rows read at once where this process, and not the database, finds out which are selected."""


class SqlAssetStore(SqlDefinitionStore[Asset]):
    """Keeps assets."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, table_of(AssetRow), ASSET_CODEC)

    async def select(self, selection: AssetSelection) -> list[SelectedAsset]:
        """See AssetStore."""
        selectors = AssetSelectors(selection.selectors)
        walk = _Walk(Reader(self._table, self._json), selection, selectors)
        found: list[SelectedAsset] = []
        while not (walk.ended or selectors.select_nothing) and len(found) < selection.limit:
            for record in walk.passed_on(await self._records(walk.statement(selection.limit - len(found)))):
                numbers = selectors.matching(record)
                if numbers and walk.is_wanted() and len(found) < selection.limit:
                    found.append(SelectedAsset(self._codec.from_record(record), numbers))
        return found

    @uninterrupted
    async def _records(self, statement: Select[Any]) -> list[Record]:
        async with self._database.reading() as session:
            return [row._asdict() for row in await (await session.connection()).execute(statement)]


class _Walk:
    """Where a selection is on its way through the table."""

    def __init__(self, reader: Reader, selection: AssetSelection, selectors: AssetSelectors) -> None:
        self.ended = False
        alternatives = selectors.alternatives()
        narrowing = conditions_of(selection.narrowed_by, CATALOG_FIELDS)
        self._where = [matches(reader, condition) for condition in narrowing]
        if alternatives is not None:
            self._where.append(_one_holds(reader, alternatives))
        self._each_row_is_selected = alternatives is not None or selectors.select_everything
        self._table = reader.table
        self._descending = selection.descending
        self._bound = order_of(selection.beyond) if selection.beyond else None
        self._skip = selection.offset
        self._asked = 0

    def statement(self, wanted: int) -> Select[Any]:
        """The rows that come next."""
        self._asked = wanted if self._each_row_is_selected else _CHUNK
        order = (self._table.c.created_at, self._table.c.id)
        beyond = []
        if self._bound is not None:
            place = tuple_(*order)
            beyond = [place < self._bound if self._descending else place > self._bound]
        statement = select(self._table).where(*self._where, *beyond)
        statement = statement.order_by(*[c.desc() if self._descending else c for c in order]).limit(self._asked)
        if self._each_row_is_selected and self._skip > 0:
            statement, self._skip = statement.offset(self._skip), 0
        return statement

    def passed_on(self, records: list[Record]) -> list[Record]:
        """The rows just read; the next statement begins after them."""
        self.ended = len(records) < self._asked
        if records:
            self._bound = asset_order(records[-1])
        return records

    def is_wanted(self) -> bool:
        """Whether the selected asset is one to return, and not one to pass over."""
        if self._skip > 0:
            self._skip -= 1
            return False
        return True


def _one_holds(reader: Reader, alternatives: tuple[Alternative, ...]) -> ColumnElement[bool]:
    return or_(false(), *[and_(*[matches(reader, condition) for condition in each]) for each in alternatives])
