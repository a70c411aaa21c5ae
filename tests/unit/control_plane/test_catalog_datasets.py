"""What a dataset says, and what it never says."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_spi.data_address import DataAddress
from connector_spi.errors import ConnectorError
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.participant import Participant
from control_plane.domain.policy import Policy
from control_plane.domain.query import Criterion
from tests import control_plane_entities as examples
from tests.unit.control_plane.catalog_rig import EDC, OTHERS, THEM, CatalogRig, ids_of, only_for

NAMES = examples.texts.filter(bool)
CONDITIONED = Policy(permissions=({"action": "use", "constraint": [{"leftOperand": "x"}]},), extra={"profile": "p"})


async def offering(asset_id: str = "asset-1", **changes: Any) -> CatalogRig:
    rig = CatalogRig()
    await rig.stores.assets.create(examples.asset(asset_id, **changes))
    await rig.define("c-1", contract=CONDITIONED)
    return rig


async def test_the_contract_policy_is_the_offer_and_the_access_policy_stays_at_home() -> None:
    rig = await offering()
    [dataset] = (await rig.ask()).json()["dataset"]
    assert dataset["hasPolicy"] == [
        {
            "@id": str(OfferId(definition_id="c-1", asset_id="asset-1")),
            "@type": "Offer",
            "permission": [{"action": "use", "constraint": [{"leftOperand": "x"}]}],
            "profile": "p",
        }
    ]


async def test_properties_have_their_full_names() -> None:
    named = {"name": "N", "http://purl.org/dc/terms/title": "T", "dct:type": {"@id": "x"}, "urn:x": 1, "odd name": None}
    rig = await offering(properties=named)
    [dataset] = (await rig.ask()).json()["dataset"]
    assert {name: value for name, value in dataset.items() if ":" in name} == {
        f"{EDC}id": "asset-1",
        f"{EDC}name": "N",
        f"{EDC}odd name": None,
        "http://purl.org/dc/terms/title": "T",
        "http://purl.org/dc/terms/type": {"@id": "x"},
        "urn:x": 1,
    }


@pytest.mark.parametrize(
    "name",
    [
        *("@id", "@type", "@context", "@graph", "hasPolicy", "distribution", "odrl:hasPolicy", "dcat:distribution"),
        "http://www.w3.org/ns/odrl/2/hasPolicy",
        "http://www.w3.org/ns/dcat#distribution",
        f"{EDC}id",
        "id",
    ],
)
async def test_no_property_takes_the_place_of_what_the_protocol_says(name: str) -> None:
    plain = (await (await offering()).ask()).json()["dataset"][0]
    [dataset] = (await (await offering(properties={name: "mine"})).ask()).json()["dataset"]
    dataset.pop(f"{EDC}{name}", None) if name in {"hasPolicy", "distribution"} else None
    assert dataset == plain


async def test_private_properties_and_the_data_address_never_leave() -> None:
    address = DataAddress("AzureStorage", {"account": "PRIVATE", "keyName": "PRIVATE"})
    rig = await offering(private_properties={"PRIVATE": "PRIVATE"}, data_address=address)
    for answer in (await rig.ask(), await rig.call("GET", "catalog/datasets/asset-1")):
        assert (answer.status_code, "PRIVATE" in answer.text) == (200, False)


async def test_distributions_are_what_data_planes_do_with_such_data() -> None:
    rig = await offering()
    for asset_id, kind in (("other", "HttpData"), ("unreadable", "Tape")):
        await rig.stores.assets.create(examples.asset(asset_id, data_address=DataAddress(kind, {})))
    rig.data_plane.cannot_read = {"Tape"}
    answer = await rig.ask()
    formats = [[each["format"] for each in dataset["distribution"]] for dataset in answer.json()["dataset"]]
    assert (ids_of(answer), formats) == (["asset-1", "other"], [["AzureStorage-PUSH", "HttpData-PULL"]] * 2)
    assert (await rig.call("GET", "catalog/datasets/unreadable")).status_code == 404


async def test_without_a_data_plane_nothing_is_offered() -> None:
    rig = await offering()
    rig.data_plane.serves = ()
    assert "dataset" not in (await rig.ask()).json()


@pytest.mark.parametrize("asset_id", ["a/b c", "ü", "a?b#c&d=e", "%2F", "a:b", "https://x.example/a?b", "+", '"', "a/"])
async def test_a_dataset_is_found_whatever_its_id(asset_id: str) -> None:
    rig = await offering(asset_id)
    answer = await rig.call("GET", f"catalog/datasets/{quote(asset_id, safe='')}")
    assert (answer.status_code, answer.json().get("@id")) == (200, asset_id)


@pytest.mark.parametrize("dataset_id", ["unknown", "hidden", "asset-1x", "%00", "%ff"])
async def test_what_the_caller_may_not_see_is_not_there(dataset_id: str) -> None:
    rig = CatalogRig()
    for asset_id, access in (("asset-1", only_for(THEM)), ("hidden", only_for(OTHERS))):
        await rig.stores.assets.create(examples.asset(asset_id))
        selector = (Criterion(operand_left="id", operator="=", operand_right=asset_id),)
        await rig.define(f"of-{asset_id}", access=access, assets_selector=selector)
    answer = await rig.call("GET", f"catalog/datasets/{dataset_id}", sender=THEM)
    assert (answer.status_code, answer.json()["@type"]) == (404, "CatalogError")
    assert answer.json()["@context"] == ["https://w3id.org/dspace/2025/1/context.jsonld"]


async def test_an_offer_is_found_for_whom_it_is_made() -> None:
    rig = await offering()
    await rig.define("theirs", access=only_for(THEM))
    offer_id = OfferId(definition_id="theirs", asset_id="asset-1")
    found = await rig.service.find_offer(Participant(id=THEM), offer_id)
    assert (found.id if found else None) == offer_id
    assert await rig.service.find_offer(Participant(id=OTHERS), offer_id) is None
    for missing in (OfferId(definition_id="theirs", asset_id="x"), OfferId(definition_id="x", asset_id="asset-1")):
        assert await rig.service.find_offer(Participant(id=THEM), missing) is None


async def test_a_definition_that_cannot_be_evaluated_offers_nothing_and_disturbs_nobody() -> None:
    rig = await offering()
    broken = (Criterion(operand_left="name", operator="like", operand_right=7),)
    await rig.define("broken", assets_selector=broken)
    [dataset] = (await rig.ask()).json()["dataset"]
    assert [offer["@id"] for offer in dataset["hasPolicy"]] == [str(OfferId(definition_id="c-1", asset_id="asset-1"))]


@given(definition_id=NAMES, asset_id=NAMES, other=st.tuples(NAMES, NAMES))
def test_an_offer_id_names_one_offer(definition_id: str, asset_id: str, other: tuple[str, str]) -> None:
    offer_id = OfferId(definition_id=definition_id, asset_id=asset_id)
    assert OfferId.parse(str(offer_id)) == offer_id
    different = OfferId(definition_id=other[0], asset_id=other[1])
    assert (str(different) == str(offer_id)) is (different == offer_id)


@pytest.mark.parametrize("text", ["YQ==:YQ==:Mg==", "YR==:YQ==:MQ==", "AA==:YQ==:MQ==", "YQ==:AA==:MQ==", "YQ:YQ:MQ"])
def test_an_offer_has_one_spelling(text: str) -> None:
    with pytest.raises(ConnectorError, match=r"offer\.@id"):
        OfferId.parse(text)
