"""Assets, policy definitions and contract definitions over HTTP."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from control_plane.domain.policy import Policy
from tests.unit.management_api.fakes import NOW_MS, ControlPlaneOfTests

ASSET = {
    "@id": "asset-1",
    "properties": {"name": "Weather", "http://purl.org/dc/terms/type": {"@id": "csv"}},
    "privateProperties": {"owner": "ops"},
    "dataAddress": {"type": "AzureStorage", "account": "acc", "container": "c", "keyName": "acc-key1"},
}
POLICY = {"@id": "use", "policy": {"permission": [{"action": "use"}]}}
DEFINITION = {"@id": "d", "accessPolicyId": "use", "contractPolicyId": "use", "assetsSelector": []}
CONTEXT = {
    "@vocab": "https://w3id.org/edc/v0.0.1/ns/",
    "edc": "https://w3id.org/edc/v0.0.1/ns/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
}


async def created(api: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    answer = await api.post(path, json=body)
    assert answer.status_code == 200, answer.text


async def test_create_answers_200_with_the_id_and_the_time_in_milliseconds(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v3/assets", json=ASSET)
    assert answer.status_code == 200
    assert answer.json() == {"@context": CONTEXT, "@type": "IdResponse", "@id": "asset-1", "createdAt": NOW_MS}


async def test_an_asset_is_read_back_as_it_was_written(api: httpx.AsyncClient) -> None:
    await created(api, "/v3/assets", ASSET)
    assert (await api.get("/v3/assets/asset-1?")).json() == {
        "@context": CONTEXT,
        "@type": "Asset",
        "@id": "asset-1",
        "properties": {"id": "asset-1", **ASSET["properties"]},  # type: ignore[dict-item]
        "privateProperties": {"owner": "ops"},
        "dataAddress": {"@type": "DataAddress", **ASSET["dataAddress"]},  # type: ignore[dict-item]
        "createdAt": NOW_MS,
    }


@pytest.mark.parametrize(
    "asset_id", ["urn:uuid:7", "https://example.org/assets/1?x=y", "with space", "request", "ünïcode/ä"]
)
async def test_any_text_may_be_an_asset_id(api: httpx.AsyncClient, asset_id: str) -> None:
    await created(api, "/v3/assets", {**ASSET, "@id": asset_id})
    path = "/v3/assets/" + quote(asset_id, safe="")
    assert (await api.get(path)).json()["@id"] == asset_id
    assert (await api.delete(path)).status_code == 204


async def test_an_id_is_made_up_when_none_is_given(api: httpx.AsyncClient) -> None:
    body = {name: value for name, value in ASSET.items() if name != "@id"}
    first, second = [(await api.post("/v3/assets", json=body)).json()["@id"] for _ in range(2)]
    assert first != second


async def test_the_same_id_twice_is_a_conflict(api: httpx.AsyncClient) -> None:
    await created(api, "/v3/assets", ASSET)
    answer = await api.post("/v3/assets", json=ASSET)
    assert answer.status_code == 409
    assert [detail["type"] for detail in answer.json()] == ["ObjectConflict"]


async def test_put_replaces_without_a_body_and_keeps_the_time_of_creation(api: httpx.AsyncClient) -> None:
    await created(api, "/v3/assets", ASSET)
    answer = await api.put("/v3/assets", json={**ASSET, "properties": {"name": "Climate"}})
    assert (answer.status_code, answer.content) == (204, b"")
    found = (await api.get("/v3/assets/asset-1")).json()
    assert (found["properties"]["name"], found["createdAt"]) == ("Climate", NOW_MS)


async def test_put_of_what_does_not_exist_is_not_found(api: httpx.AsyncClient) -> None:
    assert (await api.put("/v3/assets", json=ASSET)).status_code == 404
    assert (await api.put("/v3/policydefinitions/use", json=POLICY)).status_code == 404
    assert (await api.put("/v3/contractdefinitions", json=DEFINITION)).status_code == 404


async def test_put_without_an_id_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.put("/v3/assets", json={"dataAddress": {"type": "AzureStorage"}})
    assert (answer.status_code, answer.json()[0]["path"]) == (400, "@id")


async def test_delete_answers_204_and_then_404(api: httpx.AsyncClient) -> None:
    await created(api, "/v3/assets", ASSET)
    answer = await api.delete("/v3/assets/asset-1")
    assert (answer.status_code, answer.content) == (204, b"")
    again = await api.delete("/v3/assets/asset-1")
    assert (again.status_code, again.json()[0]["type"]) == (404, "ObjectNotFound")


async def test_an_asset_under_agreement_cannot_be_deleted(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    await plane.agreed()
    await created(api, "/v3/assets", ASSET)
    assert (await api.delete("/v3/assets/asset-1")).status_code == 409


@pytest.mark.parametrize("content", [b"", b"{}", b'{"@context": {}, "@type": "QuerySpec"}'])
async def test_an_empty_query_gives_the_first_page(api: httpx.AsyncClient, content: bytes) -> None:
    await created(api, "/v3/assets", ASSET)
    answer = await api.post("/v3/assets/request", content=content, headers={"content-type": "application/json"})
    assert [asset["@id"] for asset in answer.json()] == ["asset-1"]


async def test_a_query_filters_sorts_and_pages(api: httpx.AsyncClient) -> None:
    for number in range(4):
        await created(api, "/v3/assets", {**ASSET, "@id": f"a{number}", "properties": {"even": number % 2 == 0}})
    criterion = {"operandLeft": "https://w3id.org/edc/v0.0.1/ns/even", "operator": "=", "operandRight": True}
    query = {"filterExpression": criterion, "sortField": "id", "sortOrder": "DESC"}
    assert [a["@id"] for a in (await api.post("/v3/assets/request", json=query)).json()] == ["a2", "a0"]
    page = (await api.post("/v3/assets/request", json={**query, "offset": 1, "limit": 1})).json()
    assert [a["@id"] for a in page] == ["a0"]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 10**9}, "limit"),
        ({"offset": -1}, "offset"),
        ({"sortOrder": "up"}, "sortOrder"),
        ({"filterExpression": [{"operator": "="}]}, "filterExpression.0.operandLeft"),
        ({"filterExpression": [{"operandLeft": "id", "operator": "~", "operandRight": 1}]}, "operator"),
        ({"filterExpression": [{"operandLeft": "id", "operator": "=", "operandRight": [1, 2]}]}, "operandRight"),
    ],
)
async def test_a_query_that_makes_no_sense_names_what_is_wrong(
    api: httpx.AsyncClient, query: dict[str, Any], path: str
) -> None:
    answer = await api.post("/v3/assets/request", json=query)
    assert answer.status_code == 400
    assert path in [detail["path"] for detail in answer.json()]


async def test_an_unknown_field_in_a_query_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v3/contractdefinitions/request", json={"sortField": "fieldName"})
    assert (answer.status_code, answer.json()[0]["type"]) == (400, "ValidationFailure")


async def test_every_broken_rule_is_named_at_once(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v3/contractdefinitions", json={"assetsSelector": "all"})
    assert answer.status_code == 400
    assert {detail["path"] for detail in answer.json()} == {
        "accessPolicyId",
        "contractPolicyId",
        "assetsSelector.0",
    }
    assert {detail["type"] for detail in answer.json()} == {"ValidationFailure"}


@pytest.mark.parametrize(
    "address",
    [
        {"type": "AzureStorage", "sasToken": "planted-secret"},
        {"type": "AzureStorage", "properties": {"secret": "planted-secret"}},
        {"type": "AzureStorage", "https://w3id.org/edc/v0.0.1/ns/authKey": {"@value": "planted-secret"}},
    ],
)
async def test_a_secret_in_an_address_is_refused_and_not_repeated(
    api: httpx.AsyncClient, address: dict[str, Any]
) -> None:
    answer = await api.post("/v3/assets", json={**ASSET, "dataAddress": address})
    assert answer.status_code == 400
    assert "keyName" in answer.json()[0]["message"]
    assert "planted-secret" not in answer.text


@pytest.mark.parametrize("address", ["text", [], {}, {"account": "a"}, {"type": "T", "x": {"y": 1}}, {"type": 7}])
async def test_an_address_must_be_an_object_of_texts_with_a_type(api: httpx.AsyncClient, address: object) -> None:
    answer = await api.post("/v3/assets", json={**ASSET, "dataAddress": address})
    if address == {"type": 7}:
        assert answer.status_code == 200
        return
    assert answer.status_code == 400
    assert answer.json()[0]["path"] == "dataAddress"


async def test_a_policy_is_shown_in_edc_notation(api: httpx.AsyncClient) -> None:
    await created(api, "/v3/policydefinitions", POLICY)
    assert (await api.get("/v3/policydefinitions/use")).json() == {
        "@context": CONTEXT,
        "@type": "PolicyDefinition",
        "@id": "use",
        "policy": {
            "@id": "use",
            "@type": "odrl:Set",
            "odrl:permission": [{"odrl:action": {"@id": "odrl:use"}}],
            "odrl:prohibition": [],
            "odrl:obligation": [],
        },
        "privateProperties": {},
        "createdAt": NOW_MS,
    }


async def test_a_policy_is_replaced_under_the_id_of_the_path(api: httpx.AsyncClient) -> None:
    await created(api, "/v3/policydefinitions", POLICY)
    body = {"@id": "ignored", "policy": POLICY["policy"], "privateProperties": {"note": "new"}}
    assert (await api.put("/v3/policydefinitions/use", json=body)).status_code == 204
    assert (await api.get("/v3/policydefinitions/use")).json()["privateProperties"] == {"note": "new"}
    assert [p["@id"] for p in (await api.post("/v3/policydefinitions/request")).json()] == ["use"]


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ({"prohibition": {"action": "use"}}, "policy.permission"),
        ({"permission": {"action": "distribute"}}, "policy.permission[0].action"),
        ({"permission": ["use"]}, "policy.permission[0]"),
        (
            {
                "permission": {
                    "action": "use",
                    "constraint": [{"odrl:leftOperand": "spatial", "odrl:operator": "eq", "odrl:rightOperand": "DE"}],
                }
            },
            "policy.permission[0].constraint[0].leftOperand",
        ),
    ],
)
async def test_a_policy_that_cannot_be_evaluated_is_refused_with_the_place(
    api: httpx.AsyncClient, policy: dict[str, Any], place: str
) -> None:
    answer = await api.post("/v3/policydefinitions", json={"policy": policy})
    assert (answer.status_code, answer.json()[0]["path"]) == (400, place)


async def test_the_documented_policy_can_be_defined(api: httpx.AsyncClient) -> None:
    page = Path(__file__).parents[3] / "docs" / "policies.md"
    [example] = re.findall(r"^```json\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    await created(api, "/v3/policydefinitions", json.loads(example))


async def test_a_stored_policy_is_validated(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    await created(api, "/v3/policydefinitions", POLICY)
    assert (await api.post("/v3/policydefinitions/use/validate")).json()["isValid"] is True
    of_a_plugin = Policy(
        permissions=({"action": "use", "constraint": {"leftOperand": "gone", "operator": "eq", "rightOperand": "x"}},)
    )
    stored = await plane.definitions.get_policy("use")
    await plane.stores.policy_definitions.replace(replace(stored, policy=of_a_plugin))
    answer = (await api.post("/v3/policydefinitions/use/validate")).json()
    assert (answer["@type"], answer["isValid"], len(answer["errors"])) == ("PolicyValidationResult", False, 1)
    assert answer["errors"][0].startswith("policy.permission[0].constraint[0].leftOperand: ")
    assert (await api.post("/v3/policydefinitions/absent/validate")).status_code == 404


async def test_a_constraint_is_shown_as_it_was_defined(api: httpx.AsyncClient) -> None:
    constraint = {"leftOperand": "inForceDate", "operator": "lteq", "rightOperand": "contractAgreement+30d"}
    rules = {"permission": [{"action": "use", "constraint": [constraint]}]}
    await created(api, "/v3/policydefinitions", {"@id": "thirty-days", "policy": rules})
    [shown] = (await api.get("/v3/policydefinitions/thirty-days")).json()["policy"]["odrl:permission"]
    assert shown["odrl:constraint"] == [
        {
            "odrl:leftOperand": {"@id": "inForceDate"},
            "odrl:operator": {"@id": "odrl:lteq"},
            "odrl:rightOperand": "contractAgreement+30d",
        }
    ]


async def test_a_policy_in_use_cannot_be_deleted(api: httpx.AsyncClient) -> None:
    await created(api, "/v3/policydefinitions", POLICY)
    await created(api, "/v3/contractdefinitions", DEFINITION)
    assert (await api.delete("/v3/policydefinitions/use")).status_code == 409
    assert (await api.delete("/v3/contractdefinitions/d")).status_code == 204
    assert (await api.delete("/v3/policydefinitions/use")).status_code == 204


@pytest.mark.parametrize("as_list", [True, False])
async def test_the_assets_selector_may_be_one_criterion(api: httpx.AsyncClient, as_list: bool) -> None:
    criterion = {"@type": "CriterionDto", "operandLeft": "id", "operator": "in", "operandRight": "asset-1"}
    await created(api, "/v3/policydefinitions", POLICY)
    await created(
        api, "/v3/contractdefinitions", {**DEFINITION, "assetsSelector": [criterion] if as_list else criterion}
    )
    found = (await api.get("/v3/contractdefinitions/d")).json()
    assert found["assetsSelector"] == [
        {"@type": "Criterion", "operandLeft": "id", "operator": "in", "operandRight": ["asset-1"]}
    ]
    assert (found["accessPolicyId"], found["contractPolicyId"]) == ("use", "use")
    assert (await api.put("/v3/contractdefinitions", json=DEFINITION)).status_code == 204
    assert (await api.get("/v3/contractdefinitions/d")).json()["assetsSelector"] == []
    assert [d["@id"] for d in (await api.post("/v3/contractdefinitions/request")).json()] == ["d"]


async def test_a_contract_definition_must_name_policies_that_exist(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v3/contractdefinitions", json=DEFINITION)
    assert (answer.status_code, answer.json()[0]["path"]) == (400, "accessPolicyId")
