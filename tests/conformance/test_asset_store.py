"""One text over every store of assets: what `AssetStore.select` promises, compared with one query for each selector."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_spi.errors import InvalidInputError
from control_plane.domain.catalog import AssetSelection, CatalogPosition, SelectedAsset
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.ports.stores import Stores
from tests import control_plane_entities as examples

COUNT = 30
SCALARS = ["red", "green", "1", 1, 0, True, False, 2.5]
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_names = st.sampled_from(["colour", "size", "id", "tags", "privateProperties.where", "absent"])
_scalars = st.sampled_from(SCALARS) | st.sampled_from([f"a-{number}" for number in range(4)])


def criterion(left: str, operator: str, right: Any) -> Criterion:
    return Criterion(operand_left=left, operator=operator, operand_right=right)


_comparisons = st.builds(criterion, _names, st.sampled_from(["=", "!=", "<", ">="]), _scalars)
_lists = st.builds(criterion, _names, st.sampled_from(["in", "not in"]), st.lists(_scalars, max_size=4))
_patterns = st.builds(criterion, _names, st.sampled_from(["like", "ilike"]), st.sampled_from(["%e%", "a-_", "RED"]))
_contains = st.builds(criterion, st.just("tags"), st.just("contains"), _scalars)
_criteria = _comparisons | _lists | _patterns | _contains
_conditional = st.lists(_criteria, min_size=1, max_size=2).map(tuple)
_selectors = (
    st.lists(_conditional, max_size=4)
    | st.lists(_conditional | st.just(()), min_size=1, max_size=4)
    | st.lists(_conditional, min_size=35, max_size=40)
).map(tuple)
"""A few, perhaps with one that selects everything, or more than go into one statement."""


@pytest.fixture
async def stored(stores: Stores) -> Stores:
    """Assets of all kinds; several were created at the same moment, and not in the order of their ids."""
    for number in range(COUNT):
        properties = {"colour": SCALARS[number % len(SCALARS)], "size": number % 5, "tags": SCALARS[: number % 4]}
        asset = examples.asset(
            f"a-{COUNT - number}",
            created_at=examples.moment(number // 3),
            properties={name: value for name, value in properties.items() if number % 7 or name != "colour"},
            private_properties={"where": "here" if number % 2 else "red"},
        )
        await stores.assets.create(asset)
    return stores


async def joined(
    stores: Stores, selectors: Sequence[tuple[Criterion, ...]], narrowed_by: tuple[Criterion, ...] = ()
) -> list[SelectedAsset]:
    """What is expected, by one query for each selector."""
    everything = await stores.assets.query(QuerySpec(limit=1000))
    narrow = {asset.id for asset in await stores.assets.query(QuerySpec(limit=1000, criteria=narrowed_by))}
    ids = [{a.id for a in await stores.assets.query(QuerySpec(limit=1000, criteria=each))} for each in selectors]
    found = [
        SelectedAsset(asset, tuple(n for n, selected in enumerate(ids) if asset.id in selected)) for asset in everything
    ]
    return [each for each in found if each.selectors and each.asset.id in narrow]


async def walked(stores: Stores, limit: int, **selection: Any) -> list[SelectedAsset]:
    """Every page, one after the other."""
    found: list[SelectedAsset] = []
    page = await stores.assets.select(AssetSelection(limit=limit, **selection))
    while page:
        assert len(page) <= limit
        found += page
        beyond = CatalogPosition.of(page[-1].asset)
        page = await stores.assets.select(AssetSelection(limit=limit, beyond=beyond, **selection))
    return found


@FEW
@given(
    selectors=_selectors,
    narrowed_by=st.lists(_comparisons.filter(lambda c: "private" not in c.operand_left), max_size=1).map(tuple),
    limit=st.integers(1, 40),
    descending=st.booleans(),
)
async def test_any_selectors_select_what_a_query_for_each_would(
    stored: Stores, selectors: Any, narrowed_by: Any, limit: int, descending: bool
) -> None:
    expected = await joined(stored, selectors, narrowed_by)
    facts: dict[str, Any] = {"selectors": selectors, "narrowed_by": narrowed_by, "descending": descending}
    assert await walked(stored, limit, **facts) == (expected[::-1] if descending else expected)
    skipped = await stored.assets.select(AssetSelection(offset=3, limit=5, **facts))
    assert skipped == (expected[::-1] if descending else expected)[3:8]


@pytest.mark.parametrize("count", [1, 40], ids=["by the database", "row by row"])
async def test_an_offset_passes_over_selected_assets_only(stored: Stores, count: int) -> None:
    selectors = tuple((criterion("size", ">=", 3 + number),) for number in range(count))
    expected = await joined(stored, selectors)
    assert await stored.assets.select(AssetSelection(selectors=selectors, offset=3, limit=2)) == expected[3:5]


async def test_nothing_is_selected_without_a_selector(stored: Stores) -> None:
    assert await stored.assets.select(AssetSelection(selectors=(), limit=5)) == []


async def test_a_selector_that_cannot_be_evaluated_selects_nothing(stored: Stores) -> None:
    broken, red = (criterion("colour", "like", 7),), (criterion("colour", "=", "red"),)
    found = await stored.assets.select(AssetSelection(selectors=(broken, red), limit=1000))
    assert {each.selectors for each in found} == {(1,)}
    assert await stored.assets.select(AssetSelection(selectors=(broken,), limit=1000)) == []


async def test_an_operand_of_an_outsider_that_suits_nothing_is_refused(stored: Stores) -> None:
    narrowed = (criterion("colour", "like", 7),)
    with pytest.raises(InvalidInputError, match="operandRight"):
        await stored.assets.select(AssetSelection(selectors=((),), narrowed_by=narrowed, limit=1))


@pytest.mark.parametrize("name", ["privateProperties.where", "createdAt", "dataAddress", "participantId"])
async def test_outsiders_see_public_properties_only(stored: Stores, name: str) -> None:
    narrowed = (criterion(name, "!=", "nothing"),)
    assert await stored.assets.select(AssetSelection(selectors=((),), narrowed_by=narrowed, limit=1000)) == []


async def test_a_thousand_definitions_of_one_asset_each_are_looked_up(stored: Stores) -> None:
    selectors = tuple((criterion("id", "=", f"a-{number}"),) for number in range(1000, 0, -1))
    found = await walked(stored, 7, selectors=selectors)
    assert [each.asset for each in found] == await stored.assets.query(QuerySpec(limit=1000))
    assert all(each.selectors == (1000 - int(each.asset.id.removeprefix("a-")),) for each in found)


@pytest.mark.parametrize("operator", ["in", "not in"])
async def test_thousands_of_values_of_every_kind_are_no_trouble(stored: Stores, operator: str) -> None:
    others = [*range(100, 1_600), *(f"c-{number}" for number in range(1_500))]
    expected, found = [
        await stored.assets.select(
            AssetSelection(selectors=((criterion("colour", operator, ["red", 1, True, *more]),),), limit=COUNT)
        )
        for more in ([], others)
    ]
    assert 0 < len(found) < COUNT
    assert found == expected
