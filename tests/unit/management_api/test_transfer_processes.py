"""Transfer processes over HTTP, in EDC's v3 shape and under the paths of 2022."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from connector_spi.data_address import DataAddress
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.placement import DestinationAccess, IfExists, Placement, PlacementPosition
from control_plane.domain.transfer_process import (
    ProvisionedResource,
    ResourcePhase,
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from tests.control_plane_entities import transfer_process
from tests.unit.management_api.fakes import NOW, NOW_MS, ControlPlaneOfTests

REQUEST = {
    "@id": "tp-1",
    "contractId": "agreement-1",
    "counterPartyAddress": "https://provider.example/2025-1",
    "protocol": "dataspace-protocol-http:2025-1",
    "transferType": "AzureStorage-PUSH",
    "dataDestination": {"type": "AzureStorage", "account": "consumeracc"},
}
REQUEST_2022 = {
    "id": "tp-1",
    "connectorId": "provider",
    "connectorAddress": "https://provider.example/2025-1",
    "contractId": "agreement-1",
    "assetId": "asset-1",
    "dataDestination": {"properties": {"type": "AzureStorage", "account": "consumeracc"}},
    "managedResources": True,
    "properties": {"note": "mine"},
    "transferType": {"contentType": "application/octet-stream", "isFinite": True},
    "protocol": "ids-multipart",
}


@pytest.fixture(autouse=True)
async def _an_agreement(plane: ControlPlaneOfTests) -> None:
    await plane.agreed()


async def ended(plane: ControlPlaneOfTests, state: TransferProcessState, **changes: Any) -> TransferProcess:
    """A process that the manager has worked on."""
    process = TransferProcess(
        id="tp-ended",
        participant_id="consumer",
        type=TransferProcessType.CONSUMER,
        state=state,
        state_timestamp=NOW,
        created_at=NOW,
        updated_at=NOW,
        counter_party_id="provider",
        counter_party_address="https://provider.example/2025-1",
        protocol="dataspace-protocol-http:2025-1",
        correlation_id="at-provider",
        asset_id="asset-1",
        contract_id="agreement-1",
        transfer_type="AzureStorage-PUSH",
        data_destination=DataAddress("AzureStorage", {"account": "consumeracc", "container": "c"}),
    )
    process = replace(process, **changes)
    await plane.stores.transfer_processes.create(process, due_at=None)
    return process


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="plain"),
        pytest.param({"assetId": "asset-1", "counterPartyId": "provider"}, id="with checks"),
        pytest.param({"connectorId": "provider", "@type": "TransferRequestDto"}, id="older name"),
        pytest.param({"managedResources": {"@value": True}}, id="wrapped value"),
        pytest.param({"@context": [{"@vocab": "https://w3id.org/edc/v0.0.1/ns/"}]}, id="context list"),
        pytest.param({"dataDestination": [{"@type": "DataAddress", **REQUEST["dataDestination"]}]}, id="list"),  # type: ignore[dict-item]
    ],
)
async def test_every_way_to_ask_for_a_transfer_is_read_the_same(
    api: httpx.AsyncClient, changes: dict[str, Any]
) -> None:
    answer = await api.post("/v3/transferprocesses", json=REQUEST | changes)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["@id"], answer.json()["createdAt"]) == ("tp-1", NOW_MS)
    found = (await api.get("/v3/transferprocesses/tp-1")).json()
    del found["@context"]
    assert found == {
        "@id": "tp-1",
        "@type": "TransferProcess",
        "type": "CONSUMER",
        "state": "INITIAL",
        "stateTimestamp": NOW_MS,
        "createdAt": NOW_MS,
        "callbackAddresses": [],
        "counterPartyId": "provider",
        "assetId": "asset-1",
        "contractId": "agreement-1",
        "transferType": "AzureStorage-PUSH",
        "dataDestination": {"@type": "DataAddress", "type": "AzureStorage", "account": "consumeracc"},
        "managedResources": True,
    }


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"contractId": "unknown"}, "contractId"),
        ({"contractId": None}, "contractId"),
        ({"assetId": "other"}, "assetId"),
        ({"counterPartyId": "somebody-else"}, "counterPartyId"),
        ({"transferType": "HttpData-PUSH"}, "transferType"),
        ({"dataDestination": {"type": "HttpProxy"}}, "dataDestination.type"),
        ({"dataDestination": {"type": "AzureStorage", "account": "no/account"}}, "dataDestination.account"),
        ({"dataDestination": {"type": "AzureStorage", "secret": "s"}}, "dataDestination"),
        ({"dataDestination": {"type": "AzureStorage", "account": "a", "ifExists": "skip"}}, "dataDestination.ifExists"),
        ({"dataDestination": {"type": "AzureStorage", "account": "a", "access": "staging"}}, "dataDestination.access"),
        ({"managedResources": "perhaps"}, "managedResources"),
        ({"@id": "a b"}, "@id"),
        ({"callbackAddresses": [{"uri": "https://client.example"}]}, "callbackAddresses"),
        ({"privateProperties": "x"}, "privateProperties"),
    ],
)
async def test_a_transfer_that_cannot_work_is_refused_by_name(
    api: httpx.AsyncClient, changes: dict[str, Any], path: str
) -> None:
    answer = await api.post("/v3/transferprocesses", json=REQUEST | changes)
    assert answer.status_code == 400
    assert [(detail["type"], detail["path"]) for detail in answer.json()] == [("ValidationFailure", path)]


async def test_the_same_request_again_is_the_same_process_and_another_one_a_conflict(api: httpx.AsyncClient) -> None:
    for _ in range(2):
        assert (await api.post("/v3/transferprocesses", json=REQUEST)).status_code == 200
    other = {**REQUEST, "dataDestination": {"type": "AzureStorage", "account": "other"}}
    assert (await api.post("/v3/transferprocesses", json=other)).status_code == 409
    assert len((await api.post("/v3/transferprocesses/request")).json()) == 1


async def test_progress_and_reason_are_shown(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    await ended(
        plane,
        TransferProcessState.TERMINATED,
        error=TransferError(code="SourceNotFound", message="The blob x does not exist.", remedy="Name another."),
        progress=DataFlowProgress(bytes_copied=7, bytes_total=9, bytes_per_second=1.5),
    )
    found = (await api.get("/v3/transferprocesses/tp-ended")).json()
    assert (found["state"], found["errorCode"]) == ("TERMINATED", "SourceNotFound")
    assert found["errorDetail"] == "The blob x does not exist. Name another."
    assert (found["progress"]["bytesCopied"], found["progress"]["bytesTotal"]) == (7, 9)
    assert found["correlationId"] == "at-provider"


async def test_the_state_can_be_polled_alone_and_shows_deprovisioning(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests
) -> None:
    await ended(plane, TransferProcessState.COMPLETED, resources=ResourcePhase.DEPROVISIONED)
    state = (await api.get("/v3/transferprocesses/tp-ended/state")).json()
    assert (state["@type"], state["state"]) == ("TransferState", "DEPROVISIONED")
    assert (await api.get("/transferprocess/tp-ended/state")).json() == {"state": "DEPROVISIONED"}


@pytest.mark.parametrize(
    ("state", "command", "status"),
    [
        (TransferProcessState.STARTED, "terminate", 204),
        (TransferProcessState.STARTED, "suspend", 204),
        (TransferProcessState.STARTED, "resume", 409),
        (TransferProcessState.STARTED, "complete", 409),
        (TransferProcessState.INITIAL, "start", 409),
        (TransferProcessState.STARTED, "deprovision", 409),
        (TransferProcessState.SUSPENDED, "resume", 204),
        (TransferProcessState.COMPLETED, "terminate", 409),
        (TransferProcessState.COMPLETED, "suspend", 409),
        (TransferProcessState.COMPLETED, "deprovision", 204),
        (TransferProcessState.TERMINATED, "terminate", 204),
    ],
)
async def test_commands_answer_204_or_a_conflict(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, state: TransferProcessState, command: str, status: int
) -> None:
    await ended(plane, state)
    answer = await api.post(f"/v3/transferprocesses/tp-ended/{command}", json={"reason": "because"})
    assert answer.status_code == status
    assert (answer.content == b"") is (status == 204)


async def test_a_transfer_that_is_held_back_begins_when_its_provider_says_so(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests
) -> None:
    await ended(plane, TransferProcessState.INITIAL, type=TransferProcessType.PROVIDER)
    assert (await api.post("/v3/transferprocesses/tp-ended/start")).status_code == 204
    assert (await api.post("/v3/transferprocesses/tp-ended/start")).status_code == 409


@pytest.mark.parametrize("command", ["terminate", "suspend", "resume", "start", "complete", "deprovision"])
async def test_commands_on_what_does_not_exist_are_not_found(api: httpx.AsyncClient, command: str) -> None:
    answer = await api.post(f"/v3/transferprocesses/none/{command}")
    assert (answer.status_code, answer.json()[0]["type"]) == (404, "ObjectNotFound")


async def test_a_transfer_is_asked_for_as_in_2022(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    for _ in range(2):
        answer = await api.post("/transferprocess", json=REQUEST_2022)
        assert (answer.status_code, answer.json()) == (200, {"id": "tp-1"})
    process = await plane.transfers.get("tp-1")
    assert (process.transfer_type, process.protocol) == ("AzureStorage-PUSH", "dataspace-protocol-http:2025-1")
    assert process.private_properties == {"note": "mine"}
    assert (await api.get("/transferprocess/tp-1")).json() == {
        "id": "tp-1",
        "type": "CONSUMER",
        "state": "INITIAL",
        "stateTimestamp": NOW_MS,
        "createdTimestamp": NOW_MS,
        "dataRequest": {"assetId": "asset-1", "contractId": "agreement-1", "connectorId": "provider"},
        "dataDestination": {"properties": {"type": "AzureStorage", "account": "consumeracc"}},
    }


async def test_a_flat_destination_and_a_named_transfer_type_do_for_2022_too(api: httpx.AsyncClient) -> None:
    flat = {"dataDestination": REQUEST["dataDestination"], "transferType": "AzureStorage-PUSH"}
    assert (await api.post("/transferprocess", json=REQUEST_2022 | flat)).status_code == 200


EXISTING = {"account": "consumeracc", "container": "mine", "folderName": "in", "ifExists": "rename"}


@pytest.mark.parametrize(
    ("path", "request_body", "destination"),
    [
        ("/v3/transferprocesses", REQUEST, {"type": "AzureStorage", **EXISTING}),
        ("/transferprocess", REQUEST_2022, {"properties": {"type": "AzureStorage", **EXISTING}}),
    ],
)
async def test_an_existing_container_may_be_the_destination_in_both_apis(
    api: httpx.AsyncClient,
    plane: ControlPlaneOfTests,
    path: str,
    request_body: dict[str, Any],
    destination: dict[str, Any],
) -> None:
    wish = {"managedResources": False, "dataDestination": destination}
    assert (await api.post(path, json=request_body | wish)).status_code == 200
    process = await plane.transfers.get("tp-1")
    assert (process.managed_resources, dict(process.data_destination.properties)) == (False, EXISTING)


async def test_how_far_the_data_is_moved_into_the_clients_container_is_shown(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests
) -> None:
    position = PlacementPosition(placed=2, skipped=1, bytes_placed=30, bytes_under_way=5)
    resource = ProvisionedResource(
        account="acc",
        container="staging",
        folder="in",
        secret_alias="alias",
        sas_expires_at=None,
        access=DestinationAccess.STAGING,
        placement=Placement(container="mine", if_exists=IfExists.SKIP, position=position),
    )
    process = transfer_process("tp-1", provisioned=resource, managed_resources=False)
    await plane.stores.transfer_processes.create(process, due_at=None)
    assert (await api.get("/v3/transferprocesses/tp-1")).json()["placement"] == {
        "ifExists": "skip",
        "objectsPlaced": 2,
        "objectsRenamed": 0,
        "objectsSkipped": 1,
        "bytesPlaced": 35,
        "finished": False,
    }


async def test_transfers_are_listed_as_in_2022(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    await ended(plane, TransferProcessState.COMPLETED)
    await api.post("/transferprocess", json=REQUEST_2022)
    path = "/transferprocess?sort=DESC&sortField=id&limit=5&offset=0"
    assert [p["id"] for p in (await api.get(path)).json()] == ["tp-ended", "tp-1"]
    assert [p["id"] for p in (await api.get("/transferprocess?filter=state=COMPLETED")).json()] == ["tp-ended"]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "sort=up", "filter=nothing", "sortField=odd"])
async def test_a_list_that_makes_no_sense_is_refused(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/transferprocess?{query}")
    assert (answer.status_code, answer.json()[0]["type"]) == (400, "ValidationFailure")


async def test_cancel_and_deprovision_as_in_2022(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    await ended(plane, TransferProcessState.COMPLETED)
    await api.post("/transferprocess", json=REQUEST_2022)
    assert (await api.post("/transferprocess/tp-1/cancel")).status_code == 204
    assert (await api.post("/transferprocess/tp-1/deprovision")).status_code == 409
    assert (await api.post("/transferprocess/tp-ended/deprovision")).status_code == 204
    assert (await api.post("/transferprocess/tp-ended/cancel")).status_code == 409
    assert (await api.post("/transferprocess/none/cancel")).status_code == 404
