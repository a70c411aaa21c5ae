"""Endpoint data references over HTTP, in EDC's v3 shape."""

from typing import Any

import httpx
import pytest

from connector_spi.data_address import DataAddress
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from tests.control_plane_entities import transfer_process
from tests.unit.management_api.fakes import NOW, NOW_MS, ControlPlaneOfTests

ADDRESS = DataAddress(
    "https://w3id.org/idsa/v4.1/HTTP",
    {"endpoint": "https://data.example/public", "authorization": "PLANTED", "authType": "bearer"},
)


async def running(plane: ControlPlaneOfTests, process_id: str = "t-1", **changes: Any) -> TransferProcess:
    """A pull of ours that runs, with the address that the provider told."""
    facts: dict[str, Any] = {
        "state": TransferProcessState.STARTED,
        "state_timestamp": NOW,
        "transfer_type": "HttpData-PULL",
        "contract_id": "agreement-1",
        "counter_party_id": "provider",
    }
    process = transfer_process(process_id, **{**facts, **changes})
    await plane.stores.transfer_processes.create(process, due_at=None)
    await plane.addresses.keep(process, ADDRESS)
    return process


async def test_a_running_pull_tells_where_the_data_is(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    await running(plane)
    answer = await api.get("/v3/edrs/t-1/dataaddress")
    assert answer.status_code == 200
    body = answer.json()
    body.pop("@context")
    assert body == {
        "@type": "DataAddress",
        "type": "https://w3id.org/idsa/v4.1/HTTP",
        "endpointType": "https://w3id.org/idsa/v4.1/HTTP",
        "endpoint": "https://data.example/public",
        "authorization": "PLANTED",
        "authType": "bearer",
    }


async def test_the_query_shows_running_pulls_without_their_secrets(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests
) -> None:
    await plane.agreed()
    await running(plane)
    await running(plane, "t-2", state=TransferProcessState.COMPLETED)
    await running(plane, "t-3", transfer_type="AzureStorage-PUSH")
    await running(plane, "t-4", type=TransferProcessType.PROVIDER, correlation_id="pid")
    answer = await api.post("/v3/edrs/request", json={})
    assert answer.status_code == 200
    [entry] = answer.json()
    entry.pop("@context")
    assert entry == {
        "@type": "EndpointDataReferenceEntry",
        "@id": "t-1",
        "transferProcessId": "t-1",
        "agreementId": "agreement-1",
        "contractNegotiationId": "negotiation-of-agreement-1",
        "assetId": "asset-1",
        "providerId": "provider",
        "createdAt": NOW_MS,
    }
    assert "PLANTED" not in answer.text


async def test_a_deleted_reference_is_gone_and_the_transfer_goes_on(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests
) -> None:
    await running(plane)
    assert (await api.delete("/v3/edrs/t-1")).status_code == 204
    assert (await api.delete("/v3/edrs/t-1")).status_code == 404
    assert (await api.get("/v3/edrs/t-1/dataaddress")).status_code == 404
    assert (await api.post("/v3/edrs/request", json={})).json() == []
    assert plane.secrets == {}
    assert (await api.get("/v3/transferprocesses/t-1/state")).json()["state"] == "STARTED"


@pytest.mark.parametrize(
    "changes", [{"transfer_type": "AzureStorage-PUSH"}, {"type": TransferProcessType.PROVIDER, "correlation_id": "pid"}]
)
async def test_what_is_no_pull_of_ours_has_no_reference(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, changes: dict[str, Any]
) -> None:
    await running(plane, **changes)
    assert (await api.get("/v3/edrs/t-1/dataaddress")).status_code == 404
    assert (await api.get("/v3/edrs/unknown/dataaddress")).status_code == 404


async def test_the_client_of_a_pull_says_that_it_has_everything(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests
) -> None:
    await running(plane)
    assert (await api.post("/v3/transferprocesses/t-1/complete")).status_code == 204
    await running(plane, "t-2", state=TransferProcessState.COMPLETED)
    assert (await api.get("/v3/edrs/t-2/dataaddress")).status_code == 404


async def test_a_pull_needs_no_destination(api: httpx.AsyncClient, plane: ControlPlaneOfTests) -> None:
    await plane.agreed()
    request = {
        "@id": "pull-1",
        "contractId": "agreement-1",
        "counterPartyAddress": "https://provider.example/2025-1",
        "transferType": "HttpData-PULL",
    }
    assert (await api.post("/v3/transferprocesses", json=request)).status_code == 200
    shown = (await api.get("/v3/transferprocesses/pull-1")).json()
    assert (shown["transferType"], "dataDestination" in shown) == ("HttpData-PULL", False)
    push = await api.post("/v3/transferprocesses", json=request | {"@id": "push-1", "transferType": "HttpData-PUSH"})
    assert push.status_code == 400


@pytest.mark.parametrize("state", ["SUSPENDING_REQUESTED", "SUSPENDED", "COMPLETED", "TERMINATED"])
async def test_a_pull_that_does_not_run_tells_nothing_though_the_vault_holds_its_address(
    api: httpx.AsyncClient, plane: ControlPlaneOfTests, state: str
) -> None:
    await running(plane, state=TransferProcessState[state])
    answer = await api.get("/v3/edrs/t-1/dataaddress")
    assert (answer.status_code, "PLANTED" in answer.text) == (404, False)
