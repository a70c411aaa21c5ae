"""Catalog endpoints and the version document: what counterparties are shown."""

from typing import Any

import pytest

from control_plane.domain.policy import Policy
from control_plane.dsp_messages import CONTEXT
from tests import control_plane_entities as examples
from tests.unit.control_plane.protocol_rig import OFFER, US, ProtocolRig


def catalog_request(**members: Any) -> dict[str, Any]:
    return {"@context": [CONTEXT], "@type": "CatalogRequestMessage", **members}


async def test_the_catalog_shows_what_is_offered_and_not_where_it_lies(protocol: ProtocolRig) -> None:
    await protocol.offered()
    answer = await protocol.call("POST", "catalog/request", json=catalog_request())
    body = answer.json()
    assert (answer.status_code, body["@type"], body["participantId"]) == (200, "Catalog", US)
    [dataset] = body["dataset"]
    assert (dataset["@id"], dataset["@type"], dataset["https://w3id.org/edc/v0.0.1/ns/name"]) == (
        "asset-1",
        "Dataset",
        "An asset",
    )
    assert dataset["hasPolicy"] == [{"@id": OFFER, "@type": "Offer", "permission": [{"action": "use"}]}]
    assert dataset["distribution"][0]["format"] == "AzureStorage-PUSH"
    assert dataset["distribution"][0]["accessService"]["endpointURL"] == "https://us.example/2025-1"
    assert "account-key" not in answer.text


async def test_a_filter_of_the_catalog_is_refused_and_not_ignored(protocol: ProtocolRig) -> None:
    answer = await protocol.call("POST", "catalog/request", json=catalog_request(filter=["x"]))
    assert (answer.status_code, answer.json()["@type"]) == (400, "CatalogError")


async def test_an_empty_catalog_has_no_datasets(protocol: ProtocolRig) -> None:
    assert "dataset" not in (await protocol.call("POST", "catalog/request", json=catalog_request())).json()


@pytest.mark.parametrize(("dataset_id", "status"), [("asset-1", 200), ("a/b c", 200), ("unknown", 404)])
async def test_one_dataset_can_be_asked_for(protocol: ProtocolRig, dataset_id: str, status: int) -> None:
    await protocol.offered()
    await protocol.stores.assets.create(examples.asset("a/b c"))
    answer = await protocol.call("GET", f"catalog/datasets/{dataset_id}")
    assert answer.status_code == status
    if status == 200:
        assert (answer.json()["@type"], answer.json()["@id"]) == ("Dataset", dataset_id)
    else:
        assert set(answer.json()) == {"@context", "@type", "code", "reason"}


async def test_the_version_document_needs_no_token(protocol: ProtocolRig) -> None:
    async with protocol.http() as client:
        answer = await client.get("https://us.example/.well-known/dspace-version")
    entry = {"version": "2025-1", "path": "/2025-1", "binding": "HTTPS"}
    assert (answer.status_code, answer.json()) == (200, {"protocolVersions": [entry]})


async def test_what_the_access_policy_hides_is_not_shown(protocol: ProtocolRig) -> None:
    await protocol.offered()
    await protocol.stores.policy_definitions.replace(examples.policy_definition("access", policy=Policy()))
    answer = await protocol.call("POST", "catalog/request", json=catalog_request())
    assert (answer.status_code, "dataset" in answer.json()) == (200, False)
