"""A fresh credential in mid-flight, the provider's side: which data plane gets it, and what the consumer is asked."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from azure_storage.endpoints import StorageEndpoints
from connector_spi.data_address import KEY_NAME, DataAddress, DataAddressMessage
from connector_spi.errors import ConnectorError, PeerRefusedError, PeerUnavailableError
from control_plane.adapters.azure_destination_policy import AzureDestinationPolicy
from control_plane.adapters.data_plane_identity import SharedTokens
from control_plane.adapters.dsp_client import DspClient
from control_plane.domain.transfer_process import (
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.ports.stores import Stores
from control_plane.services.credential_renewer import CredentialRenewer
from control_plane.signaling_api.app import create_signaling_app
from control_plane.signaling_api.credentials import credentials_router
from control_plane.signaling_api.exchange import SignalingExchange
from tests.control_plane_entities import NOW, transfer_process
from tests.fakes import FakeCounterparty, FakeDataPlane
from tests.loopback_server import LoopbackServer, answering, loopback_server
from tests.unit.control_plane.protocol_rig import ENDPOINTS, THEM
from tests.unit.control_plane.test_credential_renewal import ended
from tests.unit.control_plane.test_dsp_client import client, sent, transfer
from vault_adapters.memory import InMemoryVault

S = TransferProcessState
ALIAS: Final = "transfer-process-t-1-data-address"
FRESH: Final = "sv=2026-01-01&si=policy&sr=c&sig=FRESH%3D"
DATA_PLANES: Final = {"plane-1": "token-1", "plane-2": "token-2"}


def providers(**changes: Any) -> TransferProcess:
    destination = {"account": "consumerorg", "container": "for-t-1", KEY_NAME: ALIAS}
    facts = {
        "type": TransferProcessType.PROVIDER,
        "state": S.STARTED,
        "counter_party_id": THEM,
        "correlation_id": "consumer-pid",
        "secret_alias": ALIAS,
        "data_plane_id": "plane-1",
        "data_destination": DataAddress("AzureStorage", destination),
    }
    return transfer_process(**{**facts, **changes})


@dataclass
class Provider:
    """Our signaling endpoint, as our data planes see it."""

    stores: Stores
    secrets: dict[str, str] = field(default_factory=lambda: {ALIAS: "old", "token-1": "first", "token-2": "second"})
    consumer: FakeCounterparty = field(default_factory=FakeCounterparty)

    def __post_init__(self) -> None:
        vault = InMemoryVault(self.secrets)
        self.consumer.fresh_secret = FRESH
        renewer = CredentialRenewer(
            processes=self.stores.transfer_processes,
            client=self.consumer,
            data_flows=FakeDataPlane(),
            destinations=AzureDestinationPolicy(StorageEndpoints(ENDPOINTS.template)),
            vault=vault,
        )
        self.app = create_signaling_app(
            credentials_router(SignalingExchange(SharedTokens(vault, DATA_PLANES)), renewer)
        )

    async def asked(self, *, bearer: str = "first", process_id: str = "t-1") -> httpx.Response:
        headers = {"Authorization": f"Bearer {bearer}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://us") as http:
            return await http.post(f"/transfers/{process_id}/dataflow/credential", json={}, headers=headers)


@asynccontextmanager
async def provider(stores: Stores, **changes: Any) -> AsyncIterator[Provider]:
    await stores.transfer_processes.create(providers(**changes), due_at=NOW)
    yield Provider(stores)


async def test_the_flows_data_plane_gets_what_the_consumer_gave(stores: Stores) -> None:
    async with provider(stores) as ours:
        answer = await ours.asked()
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    address = DataAddressMessage.model_validate(answer.json()["dataAddress"]).to_address()
    assert address == providers().data_destination
    assert ours.secrets[ALIAS] == FRESH


@pytest.mark.parametrize(("bearer", "status"), [("second", 404), ("wrong", 401)])
async def test_another_data_plane_gets_nothing(stores: Stores, bearer: str, status: int) -> None:
    async with provider(stores) as ours:
        assert (await ours.asked(bearer=bearer)).status_code == status
    assert (ours.consumer.calls, ours.secrets[ALIAS]) == ([], "old")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"state": S.COMPLETED}, 409),
        ({"state": S.TERMINATING}, 409),
        ({"secret_alias": None}, 409),
        ({"state": S.SUSPENDED}, 503),
        ({"type": TransferProcessType.CONSUMER}, 404),
    ],
)
async def test_the_consumer_is_not_asked_in_vain(stores: Stores, changes: dict[str, Any], status: int) -> None:
    async with provider(stores, **changes) as ours:
        assert (await ours.asked()).status_code == status
    assert ours.consumer.calls == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PeerRefusedError("The counterparty does not know the path.", status=404), 409),
        (PeerRefusedError("The outcome is known.", status=409), 409),
        (PeerUnavailableError("Too many.", retry_after_seconds=12.5), 503),
    ],
)
async def test_the_consumers_refusal_reaches_the_data_plane(stores: Stores, error: ConnectorError, status: int) -> None:
    async with provider(stores) as ours:
        ours.consumer.fail("renew_credential", error)
        answer = await ours.asked()
    assert (answer.status_code, answer.json()["message"]) == (status, error.message)
    assert answer.headers.get("Retry-After") == ("13" if status == 503 else None)
    assert ours.secrets[ALIAS] == "old"


@pytest.mark.parametrize("rubbish", ["no signature at all", "sig=x&comp=list", "?sig=" + "x" * 5000])
async def test_what_is_no_signature_does_not_replace_a_good_one(stores: Stores, rubbish: str) -> None:
    async with provider(stores) as ours:
        ours.consumer.fresh_secret = rubbish
        answer = await ours.asked()
    assert answer.status_code == 400
    assert rubbish not in answer.text
    assert ours.secrets[ALIAS] == "old"


async def test_an_outcome_that_comes_while_the_consumer_is_asked_leaves_nothing_in_the_vault(stores: Stores) -> None:
    async with provider(stores) as ours:

        async def end(_call: str) -> None:
            await ended(stores)

        ours.consumer.during = end
        assert (await ours.asked()).status_code == 409
    assert ALIAS not in ours.secrets


async def asked_of(server: LoopbackServer, dsp: DspClient) -> str:
    process = transfer(server, type=TransferProcessType.PROVIDER, correlation_id="their/pid")
    return await dsp.renew_credential(process)


async def test_the_request_between_control_planes_names_both_processes() -> None:
    told = {"consumerPid": "their/pid", "providerPid": "t-1", "secret": FRESH}
    async with loopback_server(answering(json.dumps(told).encode())) as server, client() as dsp:
        assert await asked_of(server, dsp) == FRESH
    line, body = sent(server)
    assert line == "POST /2025-1/transfers/their%2Fpid/credential"
    assert body.pop("@id").strip()
    assert body == {
        "@context": {"@vocab": "urn:dataspace-connector:credential-renewal:v1:"},
        "@type": "CredentialRenewalRequestMessage",
        "consumerPid": "their/pid",
        "providerPid": "t-1",
    }


@pytest.mark.parametrize("told", [{}, {"consumerPid": "their/pid", "providerPid": "t-2", "secret": FRESH}])
async def test_an_answer_about_something_else_is_not_taken(told: dict[str, str]) -> None:
    async with loopback_server(answering(json.dumps(told).encode())) as server, client() as dsp:
        with pytest.raises(PeerUnavailableError):
            await asked_of(server, dsp)


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented", "409 Conflict"])
async def test_a_consumer_that_does_not_know_the_extension_refuses(status: str) -> None:
    async with loopback_server(answering(b"{}", status=status)) as server, client() as dsp:
        with pytest.raises(PeerRefusedError):
            await asked_of(server, dsp)
