"""The catalog in pages, as counterparties walk it."""

import base64
import json
from typing import Any

import pytest

from control_plane.domain.query import Criterion
from tests import control_plane_entities as examples
from tests.unit.control_plane.catalog_rig import OTHERS, THEM, CatalogRig, ids_of, link, only_for, request


async def offering(count: int, *, page_size: int) -> CatalogRig:
    rig = CatalogRig(page_size=page_size)
    await rig.assets(count)
    await rig.define("everything")
    return rig


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2]), (5, [2, 2, 1])])
async def test_links_lead_through_every_dataset_once(count: int, sizes: list[int]) -> None:
    rig = await offering(count, page_size=2)
    pages = await rig.pages()
    assert [len(page) for page in pages] == sizes
    assert [name for page in pages for name in page] == [f"a-{number}" for number in range(count)]


async def test_the_first_answer_is_a_page_and_says_where_the_next_one_is() -> None:
    rig = await offering(3, page_size=2)
    answer = await rig.ask()
    assert ids_of(answer) == ["a-0", "a-1"]
    assert link(answer, "next").startswith("https://us.example/2025-1/catalog/request?continuationToken=")
    assert link(answer, "previous") == ""


async def test_a_link_can_be_followed_with_get_as_links_usually_are() -> None:
    rig = await offering(3, page_size=2)
    answer = await rig.call("GET", link(await rig.ask(), "next"))
    assert (answer.status_code, ids_of(answer)) == (200, ["a-2"])


async def test_a_catalog_is_not_given_to_a_get_without_a_link() -> None:
    answer = await (await offering(1, page_size=2)).call("GET", "catalog/request")
    assert (answer.status_code, answer.json()["@type"]) == (400, "CatalogError")
    assert "continuationToken" in answer.text


async def test_links_lead_back_through_the_same_pages() -> None:
    rig = await offering(5, page_size=2)
    second = await rig.ask(url=link(await rig.ask(), "next"))
    third = await rig.ask(url=link(second, "next"))
    assert (ids_of(third), link(third, "next")) == (["a-4"], "")
    back = await rig.ask(url=link(third, "previous"))
    assert (ids_of(back), link(back, "next") != "") == (ids_of(second), True)
    first = await rig.ask(url=link(back, "previous"))
    assert (ids_of(first), link(first, "previous")) == (["a-0", "a-1"], "")
    assert ids_of(await rig.ask(url=link(first, "next"))) == ids_of(second)


async def test_what_comes_and_goes_between_two_pages_shows_nothing_twice() -> None:
    rig = await offering(6, page_size=2)
    first = await rig.ask()
    await rig.stores.assets.delete("a-0")
    await rig.stores.assets.delete("a-1")
    await rig.stores.assets.delete("a-3")
    await rig.stores.assets.create(examples.asset("older", created_at=examples.moment(-1)))
    await rig.stores.assets.create(examples.asset("younger", created_at=examples.moment(9)))
    second = await rig.ask(url=link(first, "next"))
    third = await rig.ask(url=link(second, "next"))
    assert [ids_of(page) for page in (first, second, third)] == [["a-0", "a-1"], ["a-2", "a-4"], ["a-5", "younger"]]


async def test_an_asset_that_many_definitions_select_is_one_dataset_with_many_offers() -> None:
    rig = await offering(3, page_size=2)
    for number in range(3):
        await rig.define(f"again-{number}")
    assert await rig.pages() == [["a-0", "a-1"], ["a-2"]]
    [dataset, _] = (await rig.ask()).json()["dataset"]
    assert len({offer["@id"] for offer in dataset["hasPolicy"]}) == 4


async def test_every_policy_is_evaluated_once_for_a_page() -> None:
    rig = await offering(20, page_size=20)
    shared = {"access_policy_id": "everything-access", "contract_policy_id": "everything-contract"}
    for number in range(5):
        await rig.stores.contract_definitions.create(examples.contract_definition(f"c-{number}", **shared))
    await rig.ask()
    assert [context.counterparty.id for context in rig.engine.asked] == [THEM]


async def test_two_participants_see_two_catalogs() -> None:
    rig = CatalogRig(page_size=1)
    await rig.assets(4)
    for participant, names in ((THEM, ["a-0", "a-2"]), (OTHERS, ["a-1", "a-2", "a-3"])):
        selector = (Criterion(operand_left="id", operator="in", operand_right=names),)
        await rig.define(participant, access=only_for(participant), assets_selector=selector)
    assert await rig.pages(sender=THEM) == [["a-0"], ["a-2"]]
    assert await rig.pages(sender=OTHERS) == [["a-1"], ["a-2"], ["a-3"]]


async def test_a_link_gives_nobody_more_than_an_honest_question_would() -> None:
    rig = CatalogRig(page_size=1)
    await rig.assets(3)
    await rig.define("theirs", access=only_for(THEM))
    theirs = await rig.ask(sender=THEM)
    stolen = await rig.ask(url=link(theirs, "next"), sender=OTHERS)
    assert (stolen.status_code, ids_of(stolen)) == (200, [])


def forged(**members: Any) -> str:
    facts = {"limit": 1, "at": "2026-01-01T00:00:00Z", "id": "a-0", **members}
    return base64.urlsafe_b64encode(json.dumps(facts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "%00",
        "AAAA",
        "A" * 9000,
        forged(limit=0),
        forged(limit=5001),
        forged(limit="many"),
        forged(at="yesterday"),
        forged(at="2026-01-01T00:00:00"),
        forged(id=7),
        forged(id="\0"),
        forged(id="\ud800"),
        forged(offset=1),
        forged(criteria=[["name", "~", "x"]]),
        forged(criteria=[["name", "=", "x"]] * 51),
        forged(criteria=["name"]),
    ],
)
async def test_a_token_that_is_none_of_ours_is_refused_by_name(token: str) -> None:
    rig = await offering(1, page_size=1)
    answer = await rig.ask(url=f"catalog/request?continuationToken={token}")
    assert (answer.status_code, answer.json()["@type"]) == (400, "CatalogError")
    assert "continuationToken" in answer.json()["reason"][0]


async def test_a_message_is_wanted_beside_a_token_too() -> None:
    rig = await offering(3, page_size=2)
    url = link(await rig.ask(), "next")
    answer = await rig.call("POST", url, json={**request(), "@type": "ContractRequestMessage"})
    assert answer.status_code == 400
