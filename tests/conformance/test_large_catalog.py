"""A catalog of thousands of assets, asked for as counterparties do: every answer is a page, every statement bounded."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from sqlalchemy import event, insert

from control_plane.adapters.records import ASSET_CODEC
from control_plane.adapters.sql_stores import migrate_stores, open_stores
from control_plane.adapters.sql_tables import AssetRow, table_of
from control_plane.domain.policy import Policy
from control_plane.domain.query import Criterion
from sql_storage.database import Database
from tests import control_plane_entities as examples
from tests.unit.control_plane.catalog_rig import OTHERS, THEM, CatalogRig, ids_of, link, only_for

ASSETS: Final = int(os.environ.get("CATALOG_TEST_ASSETS", "5000"))
"""The gate also asks for 50,000."""
PAGE: Final = 400
DEFINITIONS: Final = 200
CATEGORIES: Final = 40


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database.open(database_url)
    try:
        await migrate_stores(opened)
        await _fill(opened)
        yield opened
    finally:
        await opened.aclose()


async def _fill(database: Database) -> None:
    """Assets of many categories, some created at the same moment."""
    records = [
        ASSET_CODEC.to_record(
            examples.asset(
                f"asset-{number:05}",
                created_at=examples.moment(number // 3),
                properties={"category": f"c-{number % CATEGORIES}", "size": number},
            )
        )
        for number in range(ASSETS)
    ]
    async with database.writing() as session:
        await (await session.connection()).execute(insert(table_of(AssetRow)), records)


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """What the database is asked while the context is open."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def walk(rig: CatalogRig, database: Database, *, sender: str = THEM, most: int) -> list[str]:
    """Every dataset id, as the links lead; no answer takes more than `most` statements, and none is unbounded."""
    found: list[str] = []
    url = "catalog/request"
    while url:
        with statements_of(database) as asked:
            answer = await rig.ask(url=url, sender=sender)
        assert answer.status_code == 200, answer.text
        selects = [statement for statement in asked if "SELECT" in statement]
        assert 0 < len(selects) <= most, selects
        assert not [statement for statement in selects if "LIMIT" not in statement]
        assert len(ids_of(answer)) <= PAGE
        found += ids_of(answer)
        url = link(answer, "next")
    return found


async def test_every_dataset_is_in_one_page_and_a_page_takes_a_handful_of_statements(database: Database) -> None:
    rig = CatalogRig(open_stores(database), page_size=PAGE)
    await rig.define("everything")
    found = await walk(rig, database, most=6)
    assert found == [f"asset-{number:05}" for number in range(ASSETS)]


async def test_definitions_that_overlap_cost_no_further_statements(database: Database) -> None:
    rig = CatalogRig(open_stores(database), page_size=PAGE)
    for number in range(DEFINITIONS):
        await rig.define(
            f"d-{number}",
            access=only_for(OTHERS) if number % 2 else Policy(permissions=({"action": "use"},)),
            assets_selector=(Criterion(operand_left="category", operator="=", operand_right=f"c-{number % 30}"),),
        )
    mine = {f"c-{number % 30}" for number in range(0, DEFINITIONS, 2)}
    expected = [f"asset-{number:05}" for number in range(ASSETS) if f"c-{number % CATEGORIES}" in mine]
    assert await walk(rig, database, most=8) == expected
    [dataset, *_] = (await rig.ask()).json()["dataset"]
    visible = [number for number in range(0, DEFINITIONS, 2) if number % 30 == 0]
    assert len(dataset["hasPolicy"]) == len(visible)


async def test_selectors_that_no_statement_could_hold_are_tried_page_by_page(database: Database) -> None:
    rig = CatalogRig(open_stores(database), page_size=PAGE)
    for number in range(60):
        selector = Criterion(operand_left="size", operator=">=", operand_right=4_000 + number)
        await rig.define(f"d-{number}", assets_selector=(selector,))
    found = await walk(rig, database, most=20)
    assert found == [f"asset-{number:05}" for number in range(4_000, ASSETS)]
