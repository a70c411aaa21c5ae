"""One text over every store: what each operator means, in which order answers come, and in which pages."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_spi.errors import InvalidInputError
from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.ports.stores import Stores
from tests import control_plane_entities as examples
from tests.conformance.store_queries import NOW_MS, found, processes, where
from tests.control_plane_entities import NOW, moment

VALUES = {
    "text": "Berlin 100%",
    "lower": "berlin",
    "umlaut": "Ärger",
    "digits": "5",
    "five": 5,
    "real": 5.5,
    "true": True,
    "null": None,
    "list": ["a", 5, True, None, ["deep"]],
    "object": {"a": 1},
}
"""One asset has each of these as its property `p`; another asset, `none`, has no such property."""


PROPERTY_CASES: list[tuple[str, Any, set[str]]] = [
    ("=", "5", {"digits"}),
    ("=", 5, {"five"}),
    ("=", 5.0, {"five"}),
    ("=", 5.5, {"real"}),
    ("=", True, {"true"}),
    ("=", 1, set()),
    ("=", None, set()),
    ("!=", 5, set(VALUES) - {"five", "null"}),
    ("!=", None, set(VALUES) - {"null"}),
    ("in", ["berlin", 5, None], {"lower", "five"}),
    ("IN", [], set()),
    ("not in", ["berlin", 5], set(VALUES) - {"lower", "five", "null"}),
    ("not in", [], set(VALUES) - {"null"}),
    ("like", "%erlin%", {"text", "lower"}),
    ("like", "_erlin", {"lower"}),
    ("like", "berlin", {"lower"}),
    ("like", "%100%", {"text"}),
    ("like", "B*", set()),
    ("like", "%r%n%", {"text", "lower"}),
    ("like", "%e_l%n%", {"text", "lower"}),
    ("like", "%l%e%", set()),
    ("like", "_%" * 30 + "Z", set()),
    ("ilike", "BERLIN%", {"text", "lower"}),
    ("ilike", "ärger", set()),
    ("ilike", "Ärg_R", {"umlaut"}),
    ("contains", "a", {"list"}),
    ("contains", 5, {"list"}),
    ("contains", True, {"list"}),
    ("contains", "5", set()),
    ("contains", "deep", set()),
    ("<", 5.5, {"five"}),
    ("<=", 5.5, {"five", "real"}),
    (">", 5, {"real"}),
    (">=", 5, {"five", "real"}),
    ("<", "a", {"text", "digits"}),
    (">=", "a", {"lower", "umlaut"}),
    ("<", True, set()),
]


async def test_operators_on_properties(stores: Stores) -> None:
    await stores.assets.create(examples.asset("none"))
    for name, value in VALUES.items():
        await stores.assets.create(examples.asset(name, properties={"p": value}))
    for operator, right, expected in PROPERTY_CASES:
        assert set(await found(stores.assets, where("p", operator, right))) == expected, (operator, right)


FIELD_CASES: list[tuple[str, str, Any, list[str]]] = [
    ("assetId", "!=", "asset-1", ["two"]),
    ("correlationId", "!=", "x", ["two"]),
    ("correlationId", "not in", ["x"], ["two"]),
    ("errorDetail", "!=", None, ["three"]),
    ("assetId", "in", ["asset-2", "asset-3"], ["two"]),
    ("assetId", "=", 5, []),
    ("assetId", "!=", 5, ["one", "two", "three"]),
    ("counterPartyAddress", "like", "https://th__.example%", ["one", "three"]),
    ("counterPartyAddress", "LIKE", "HTTPS%", []),
    ("counterPartyAddress", "ilike", "HTTPS://THIRD%", ["two"]),
    ("state", "in", ["INITIAL", 1000], ["one", "two"]),
    ("state", "!=", "INITIAL", ["two", "three"]),
    ("state", ">", "STARTED", ["two", "three"]),
    ("state", "=", True, []),
    ("createdAt", ">=", NOW_MS + 1000, ["two", "three"]),
    ("createdAt", "<", NOW_MS + 1000, ["one"]),
]


async def test_operators_on_fields(stores: Stores) -> None:
    store = await processes(stores)
    for left, operator, right, expected in FIELD_CASES:
        assert await found(store, where(left, operator, right)) == expected, (left, operator, right)


async def test_all_criteria_must_hold(stores: Stores) -> None:
    store = await processes(stores)
    criteria = (
        Criterion(operand_left="type", operator="=", operand_right="CONSUMER"),
        Criterion(operand_left="createdAt", operator=">", operand_right=NOW_MS),
        Criterion(operand_left="privateProperties.colour", operator="=", operand_right="red"),
    )
    assert await found(store, QuerySpec(criteria=criteria)) == ["two"]


HOSTILE = ["x' OR '1'='1", 'x" OR 1=1 --', "x; DROP TABLE assets", "$.a", "%", "*", "?", "[", ":key", "%s"]


async def test_keys_and_values_are_never_read_as_code(stores: Stores) -> None:
    await stores.assets.create(examples.asset("plain", properties={"p": "value"}))
    for number, hostile in enumerate(HOSTILE):
        name = str(number)
        await stores.assets.create(examples.asset(name, properties={hostile: "value", "p": hostile}))
        assert await found(stores.assets, where(f"properties.{hostile}", "=", "value")) == [name]
        assert await found(stores.assets, where("p", "=", hostile)) == [name]
        assert (await found(stores.assets, QuerySpec(sort_field=f"properties.{hostile}")))[0] == name


async def test_more_values_than_a_database_takes_are_refused(stores: Stores) -> None:
    await stores.assets.create(examples.asset())
    assert await stores.assets.query(where("number", "not in", [*range(9_999)])) == []
    with pytest.raises(InvalidInputError, match="filterExpression"):
        await stores.assets.query(where("number", "in", [*range(10_001)]))


async def test_without_a_wish_the_oldest_comes_first(stores: Stores) -> None:
    for name, seconds in (("b", 1), ("a", 1), ("c", 0)):
        await stores.assets.create(examples.asset(name, created_at=moment(seconds)))
    assert await found(stores.assets, QuerySpec()) == ["c", "a", "b"]
    assert await found(stores.assets, QuerySpec(descending=True)) == ["a", "b", "c"]


async def test_sorted_by_a_field_with_missing_values_last(stores: Stores) -> None:
    store = await processes(stores)
    assert await found(store, QuerySpec(sort_field="assetId")) == ["one", "three", "two"]
    assert await found(store, QuerySpec(sort_field="state")) == ["one", "three", "two"]
    assert await found(store, QuerySpec(sort_field="state", descending=True)) == ["two", "three", "one"]
    assert await found(store, QuerySpec(sort_field="errorDetail")) == ["three", "one", "two"]
    assert await found(store, QuerySpec(sort_field="errorDetail", descending=True)) == ["three", "two", "one"]


async def test_sorted_by_a_property_numbers_come_before_text(stores: Stores) -> None:
    for name, value in (("b", "b"), ("a", "a"), ("B", "B"), ("ten", 10), ("nine", 9), ("null", None), ("yes", True)):
        await stores.assets.create(examples.asset(name, properties={"p": value}))
    await stores.assets.create(examples.asset("no", properties={"p": False}))
    ascending = await found(stores.assets, QuerySpec(sort_field="p"))
    assert ascending == ["nine", "ten", "B", "a", "b", "no", "yes", "null"]
    descending = await found(stores.assets, QuerySpec(sort_field="p", descending=True))
    assert descending == ["ten", "nine", "b", "a", "B", "yes", "no", "null"]


async def test_pages_follow_each_other_without_gap_or_overlap(stores: Stores) -> None:
    names = [f"asset-{number}" for number in range(7)]
    for name in reversed(names):
        await stores.assets.create(examples.asset(name))
    pages = [await found(stores.assets, QuerySpec(offset=offset, limit=3)) for offset in (0, 3, 6, 9)]
    assert pages == [names[:3], names[3:6], names[6:], []]
    assert await found(stores.assets, QuerySpec(offset=2**70)) == []


short = st.text("aAäB%_[*?\\'\"", max_size=4)
values = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 2.0]) | short
operands = st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 2.0]) | short
members = values | st.lists(values, max_size=3)
criteria = (
    st.tuples(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "contains"]), operands)
    | st.tuples(st.sampled_from(["in", "not in"]), st.lists(operands, max_size=3))
    | st.tuples(st.sampled_from(["like", "ilike"]), short)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(properties=st.lists(members, max_size=6), criterion=criteria, descending=st.booleans())
async def test_every_store_gives_the_same_answer_as_memory(
    stores: Stores, properties: list[Any], criterion: tuple[str, Any], descending: bool
) -> None:
    memory = memory_stores()
    for definition in await stores.assets.query(QuerySpec()):
        await stores.assets.delete(definition.id)
    for number, value in enumerate(properties):
        asset = examples.asset(str(number), properties={"p": value}, created_at=NOW)
        await memory.assets.create(asset)
        await stores.assets.create(asset)
    condition = Criterion(operand_left="p", operator=criterion[0], operand_right=criterion[1])
    query = QuerySpec(criteria=(condition,), sort_field="p", descending=descending)
    assert await found(stores.assets, query) == await found(memory.assets, query)
