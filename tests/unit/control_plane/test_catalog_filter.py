"""What counterparties may ask of the catalog: EDC's QuerySpec, however it is spelt."""

from typing import Any

import pytest

from control_plane.catalog_filter import read_filter, written_filter
from control_plane.domain.catalog import PAGE_MAX, VALUES_MAX, CatalogQuery
from control_plane.domain.query import Criterion, QuerySpec
from tests import control_plane_entities as examples
from tests.unit.control_plane.catalog_rig import EDC, CatalogRig, ids_of, link

RED = {"operandLeft": "colour", "operator": "=", "operandRight": "red"}
FULL_RED = {
    "@type": f"{EDC}Criterion",
    f"{EDC}operandLeft": f"{EDC}colour",
    f"{EDC}operator": {"@value": "="},
    f"{EDC}operandRight": {"@value": "red"},
}


async def coloured() -> CatalogRig:
    rig = CatalogRig()
    for number, colour in enumerate(["red", "green", "red", "blue", "red"]):
        asset = examples.asset(
            f"a-{number}",
            created_at=examples.moment(number),
            properties={"colour": colour},
            private_properties={"secret": colour},
        )
        await rig.stores.assets.create(asset)
    await rig.define("everything")
    return rig


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "01234"),
        ({"@type": "QuerySpec", "offset": 0, "limit": 50, "sortOrder": "ASC", "filterExpression": []}, "01234"),
        ({"@type": "edc:QuerySpec", "edc:offset": 3, "edc:limit": 50, "edc:sortOrder": "ASC"}, "34"),
        ({"@type": [f"{EDC}QuerySpec"], f"{EDC}offset": [{"@value": 1}], f"{EDC}limit": {"@value": 2}}, "12"),
        ({"offset": 9}, ""),
        ({"limit": 2**31 - 1}, "01234"),
        ({"sortOrder": "DESC", "limit": 2}, "43"),
        ({"sortField": f"{EDC}createdAt", "sortField2": None}, "01234"),
        ({"filterExpression": [RED]}, "024"),
        ({"filterExpression": RED}, "024"),
        ({f"{EDC}filterExpression": [FULL_RED], "offset": 1}, "24"),
        ({"filterExpression": [RED], "sortOrder": "DESC", "offset": 1, "limit": 1}, "2"),
        ({"filterExpression": [{**RED, "operator": "in", "operandRight": "blue"}]}, "3"),
        ({"filterExpression": [{**RED, "operator": "in", "operandRight": {"@list": ["blue", "green"]}}]}, "13"),
        ({"filterExpression": [{**RED, "operandRight": ["red"]}]}, "024"),
        ({"filterExpression": [{"operandLeft": f"{EDC}id", "operator": "=", "operandRight": "a-1"}]}, "1"),
        ({"filterExpression": [RED, {"operandLeft": "id", "operator": "!=", "operandRight": "a-0"}]}, "24"),
        ({"filterExpression": [{**RED, "operandLeft": "privateProperties.secret"}]}, ""),
        ({"filterExpression": [{**RED, "operandLeft": f"{EDC}privateProperties.'secret'"}]}, ""),
        ({"filterExpression": [{"operandLeft": "container", "operator": "=", "operandRight": "source"}]}, ""),
    ],
)
async def test_a_query_selects_by_what_the_catalog_shows(spec: dict[str, Any], expected: str) -> None:
    answer = await (await coloured()).ask(spec)
    assert answer.status_code == 200, answer.text
    assert "".join(name.removeprefix("a-") for name in ids_of(answer)) == expected


@pytest.mark.parametrize(
    ("filters", "place"),
    [
        (["x"], "filter"),
        ([{}, {}], "filter"),
        ([[{}]], "filter"),
        ([{"@type": "SparqlQuery"}], "filter[0].@type"),
        ([{"query": "SELECT *"}], "filter[0].query"),
        ([{"offset": -1}], "filter[0].offset"),
        ([{"limit": 0}], "filter[0].limit"),
        ([{"limit": "many"}], "filter[0].limit"),
        ([{"sortOrder": "random"}], "filter[0].sortOrder"),
        ([{"sortField": "name"}], "filter[0].sortField"),
        ([{"filterExpression": ["x"]}], "filter[0].filterExpression.0"),
        ([{"filterExpression": [RED] * 51}], "filter[0].filterExpression"),
        ([{"filterExpression": [{"operandLeft": "colour", "operator": "="}]}], "operandRight"),
        ([{"filterExpression": [{**RED, "operator": "~"}]}], "filter[0].operator"),
        ([{"filterExpression": [{**RED, "operandRight": {"a": 1}}]}], "operandRight"),
        ([{"filterExpression": [{**RED, "operandRight": ["a", "b"]}]}], "operandRight"),
        ([{"filterExpression": [{**RED, "operator": "like", "operandRight": 7}]}], "operandRight"),
    ],
)
async def test_what_is_not_understood_is_refused_and_not_passed_over(filters: list[Any], place: str) -> None:
    answer = await (await coloured()).ask(*filters)
    assert (answer.status_code, answer.json()["@type"]) == (400, "CatalogError")
    assert place in answer.json()["reason"][0]


async def test_the_filter_goes_along_with_the_links() -> None:
    rig = await coloured()
    spec = {"limit": 1, "sortOrder": "DESC", "filterExpression": [RED]}
    assert await rig.pages(spec) == [["a-4"], ["a-2"], ["a-0"]]
    second = await rig.ask(url=link(await rig.ask(spec), "next"))
    assert ids_of(await rig.ask(url=link(second, "previous"))) == ["a-4"]


async def test_a_page_at_an_offset_has_one_before_it() -> None:
    rig = await coloured()
    answer = await rig.ask({"offset": 3, "limit": 1})
    assert ids_of(await rig.ask(url=link(answer, "previous"))) == ["a-2"]


async def test_a_filter_that_no_link_could_hold_is_refused() -> None:
    rig = await coloured()
    long = {**RED, "operator": "in", "operandRight": ["red", *(f"colour-{n:020}" for n in range(VALUES_MAX - 1))]}
    assert ids_of(await rig.ask({"filterExpression": [long]})) == ["a-0", "a-2", "a-4"]
    answer = await rig.ask({"filterExpression": [long], "limit": 1})
    assert (answer.status_code, answer.json()["reason"][0].partition(":")[0]) == (400, "filter")


@pytest.mark.parametrize("operator", ["in", "not in"])
async def test_more_values_than_a_database_looks_up_at_once_are_refused(operator: str) -> None:
    rig = await coloured()
    half = {"operandLeft": "colour", "operator": operator, "operandRight": list(range(VALUES_MAX // 2))}
    assert (await rig.ask({"filterExpression": [half, half]})).status_code == 200
    answer = await rig.ask({"filterExpression": [half, half, {**half, "operandRight": ["red"]}]})
    assert (answer.status_code, "filter: " in answer.text) == (400, True)


async def test_a_pattern_that_no_database_takes_is_refused() -> None:
    answer = await (await coloured()).ask(
        {"filterExpression": [{**RED, "operator": "like", "operandRight": "%" * 60_000}]}
    )
    assert (answer.status_code, "operandRight" in answer.text) == (400, True)


def test_more_than_a_page_is_cut_to_one() -> None:
    assert read_filter([{"limit": 10**9}], page_size=7) == CatalogQuery(limit=PAGE_MAX)
    assert read_filter(None, page_size=7) == CatalogQuery(limit=7)


def test_what_we_send_is_what_we_read() -> None:
    criteria = (
        Criterion(operand_left="colour", operator="=", operand_right="red"),
        Criterion(operand_left="size", operator="in", operand_right=[1, 2.5, True]),
    )
    query = QuerySpec(offset=7, limit=9, descending=True, criteria=criteria, sort_field="createdAt")
    read = read_filter(written_filter(query), page_size=1)
    assert read == CatalogQuery(offset=7, limit=9, descending=True, criteria=criteria)
