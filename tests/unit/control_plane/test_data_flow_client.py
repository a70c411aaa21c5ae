"""The control plane's side of Data Plane Signaling, against a small data plane of the test's own."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from connector_spi.data_address import DataAddress
from connector_spi.errors import PeerRefusedError, PeerUnavailableError, SecretNotFoundError
from control_plane.adapters.data_flow_client import DataFlowClient
from control_plane.adapters.data_plane_authorization import NoAuthorization, SharedToken
from control_plane.adapters.data_plane_directory import DataPlaneDirectory, DataPlaneEndpoint
from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.transfer_process import TransferError, TransferProcess, TransferProcessType
from control_plane.ports.data_flow_controller import FlowAnswer
from tests.control_plane_entities import transfer_process
from tests.serving import serving, unix_socket
from vault_adapters.memory import InMemoryVault

SOURCE = DataAddress("AzureStorage", {"account": "providerorg", "container": "source", "keyName": "account-key"})
ALIAS = "transfer-process-t-1-data-address"
PUSH = "AzureStorage-PUSH"


@dataclass
class PeerDataPlane:
    """Answers what the test says, by path; remembers what it was asked."""

    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def answer(path: str, request: Request) -> Response:
            raw_path = request.scope["raw_path"].decode()
            body = await request.json() if request.method == "POST" else {}
            self.asked.append((f"{request.method} {raw_path}", body, request.headers.get("Authorization")))
            status, content = self.answers.get(path.rpartition("/")[2], (200, {"state": "STARTED"}))
            text = content if isinstance(content, str) else httpx.Response(200, json=content).text
            return Response(text, status_code=status, media_type="application/json")

        return app


@asynccontextmanager
async def signaling(
    peer: PeerDataPlane, *, shares_vault: bool = True, token_alias: str | None = "signaling-token", **changes: Any
) -> AsyncIterator[DataFlowClient]:
    vault = InMemoryVault({"signaling-token": "the-token", ALIAS: "the-sas"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(peer.app())) as http:
        plane = endpoint(
            "http://data-plane/signaling/",
            http,
            authorization=SharedToken(vault, token_alias) if token_alias else NoAuthorization(),
            shares_vault=shares_vault,
            **changes,
        )
        yield client_of(plane, vault=vault)


def endpoint(url: str, http: httpx.AsyncClient, **changes: Any) -> DataPlaneEndpoint:
    facts: dict[str, Any] = {
        "id": "plane-1",
        "url": url,
        "transfer_types": (PUSH,),
        "authorization": NoAuthorization(),
        "shares_vault": True,
        "http": http,
    }
    return DataPlaneEndpoint(**{**facts, **changes})


def client_of(*planes: DataPlaneEndpoint, vault: InMemoryVault) -> DataFlowClient:
    directory = DataPlaneDirectory(
        configured=planes,
        registrations=memory_stores().data_plane_registrations,
        guarded=planes[0].http,
        vault=vault,
    )
    return DataFlowClient(
        directory=directory,
        vault=vault,
        signaling_url="http://us/signaling",
        dataspace_context="context",
        call_seconds=5,
    )


def process(**changes: Any) -> TransferProcess:
    destination = DataAddress("AzureStorage", {"account": "consumerorg", "container": "for-t-1", "keyName": ALIAS})
    facts = {
        "type": TransferProcessType.PROVIDER,
        "correlation_id": "consumer-pid",
        "nonce": "nonce-1",
        "secret_alias": ALIAS,
        "data_plane_id": "plane-1",
        "data_destination": destination,
        **changes,
    }
    return transfer_process(**facts)


async def start(client: DataFlowClient, **changes: Any) -> FlowAnswer:
    return await client.start(process(**changes), source=SOURCE)


def properties(body: dict[str, Any]) -> dict[str, str]:
    named = body["dataAddress"]["endpointProperties"]
    return {p["name"].rpartition("/")[2]: p["value"] for p in named}


async def test_a_start_tells_the_data_plane_everything_it_needs() -> None:
    peer = PeerDataPlane()
    async with signaling(peer) as client:
        assert not (await start(client)).pending
    [(line, body, authorization)] = peer.asked
    assert (line, authorization) == ("POST /signaling/dataflows/start", "Bearer the-token")
    assert properties(body) == {
        "account": "consumerorg",
        "container": "for-t-1",
        "keyName": ALIAS,
        "transferNonce": "nonce-1",
        "consumerProcessId": "consumer-pid",
    }
    assert body["metadata"]["source"]["properties"] == dict(SOURCE.properties)
    names = ("processId", "agreementId", "datasetId", "participantId", "counterPartyId", "profile", "callbackAddress")
    assert [body[name] for name in names] == [
        *("t-1", "contract-1", "asset-1", "did:web:us", "did:web:them", PUSH),
        "http://us/signaling",
    ]


async def test_a_data_plane_with_a_vault_of_its_own_gets_the_secret_and_no_alias() -> None:
    peer = PeerDataPlane()
    async with signaling(peer, shares_vault=False) as client:
        await start(client)
    sent = properties(peer.asked[0][1])
    assert (sent["secret"], "keyName" in sent) == ("the-sas", False)


async def test_a_data_plane_that_shares_the_vault_never_gets_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    peer = PeerDataPlane()
    with caplog.at_level(logging.DEBUG):
        async with signaling(peer) as client:
            await start(client)
    assert "the-sas" not in repr(peer.asked) + caplog.text


async def test_a_data_plane_without_a_token_gets_none() -> None:
    peer = PeerDataPlane()
    async with signaling(peer, token_alias=None) as client:
        await start(client)
    assert peer.asked[0][2] is None


@pytest.mark.parametrize(
    ("answer", "pending"),
    [
        ((200, {"state": "STARTED"}), False),
        ((202, {"state": "STARTING"}), True),
        ((200, {"state": "STARTING"}), True),
        ((202, {}), True),
        ((200, {}), False),
        ((200, ""), False),
        ((200, "[" * 100_000), False),
        ((200, {"state": "SOMETHINGELSE"}), False),
    ],
)
async def test_a_data_plane_says_whether_it_has_started(answer: tuple[int, Any], pending: bool) -> None:
    async with signaling(PeerDataPlane({"start": answer})) as client:
        assert (await start(client)).pending is pending


async def test_a_flow_that_exists_already_is_asked_for_its_state() -> None:
    peer = PeerDataPlane({"start": (409, {}), "status": (200, {"dataFlowId": "t-1", "state": "STARTING"})})
    async with signaling(peer) as client:
        assert (await start(client)).pending
    assert [line for line, _, _ in peer.asked][1] == "GET /signaling/dataflows/t-1/status"


@pytest.mark.parametrize("status", [500, 502, 503, 408, 429, 401, 403])
async def test_a_data_plane_that_cannot_now_is_a_passing_trouble(status: int) -> None:
    async with signaling(PeerDataPlane({"start": (status, {"message": "later"})})) as client:
        with pytest.raises(PeerUnavailableError, match=f"'plane-1' answered {status}: later"):
            await start(client)


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_refusal_of_the_data_plane_is_final_and_told_without_signatures(status: int) -> None:
    said = {"message": "no such blob: https://a.example/x?sig=PLANTED"}
    async with signaling(PeerDataPlane({"start": (status, said)})) as client:
        with pytest.raises(PeerRefusedError, match="no such blob") as refused:
            await start(client)
    assert (refused.value.status, "PLANTED" in refused.value.message) == (status, False)


async def test_a_data_plane_that_is_down_is_a_passing_trouble() -> None:
    async with httpx.AsyncClient() as http:
        plane = endpoint("http://127.0.0.1:1", http)
        with pytest.raises(PeerUnavailableError, match="cannot be reached"):
            await start(client_of(plane, vault=InMemoryVault()))


async def test_a_transfer_type_that_no_data_plane_serves_is_refused() -> None:
    async with signaling(PeerDataPlane()) as client:
        assert await client.transfer_types() == (PUSH,)
        assert await client.data_plane_for(PUSH) == "plane-1"
        with pytest.raises(PeerRefusedError, match=f"'HttpData-PULL'; there is: {PUSH}"):
            await client.data_plane_for("HttpData-PULL")


async def test_a_data_plane_gets_data_of_the_types_that_it_reads_only() -> None:
    async with signaling(PeerDataPlane(), source_types=("AzureStorage",)) as client:
        assert await client.transfer_types("AzureStorage") == (PUSH,)
        assert await client.data_plane_for(PUSH, "AzureStorage") == "plane-1"
        assert await client.transfer_types("LocalFile") == ()
        with pytest.raises(PeerRefusedError, match="'LocalFile'; there is: none"):
            await client.data_plane_for(PUSH, "LocalFile")


@pytest.mark.parametrize("missing", ["signaling-token", ALIAS])
async def test_a_secret_that_is_missing_is_named(missing: str) -> None:
    peer = PeerDataPlane()
    async with signaling(peer, shares_vault=False) as client:
        await client._vault.delete(missing)
        with pytest.raises(SecretNotFoundError, match=missing):
            await start(client)
    assert peer.asked == []


@pytest.mark.parametrize("action", ["suspend", "resume", "terminate"])
async def test_a_signal_goes_to_the_data_plane_that_has_the_flow(action: str) -> None:
    peer = PeerDataPlane()
    error = TransferError(code="Why", message="Because.")
    async with signaling(peer) as client:
        await getattr(client, action)(process(process_id="t/1 ?", data_plane_id="plane-1", error=error))
    [(line, body, _)] = peer.asked
    assert line == f"POST /signaling/dataflows/t%2F1%20%3F/{action}"
    assert body.get("reason") == {"suspend": "suspended", "resume": None, "terminate": "Because."}[action]


async def test_a_flow_of_a_data_plane_that_is_not_configured_any_more_is_refused() -> None:
    async with signaling(PeerDataPlane()) as client:
        with pytest.raises(PeerRefusedError):
            await client.suspend(process(data_plane_id="gone"))


async def test_a_flow_that_the_data_plane_does_not_know_needs_no_end() -> None:
    async with signaling(PeerDataPlane({"terminate": (404, {})})) as client:
        await client.terminate(process(data_plane_id="plane-1"))


async def test_an_embedded_data_plane_is_reached_through_its_socket() -> None:
    peer = PeerDataPlane()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        async with (
            serving(peer.app(), unix_socket(path)),
            httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path))) as http,
        ):
            plane = endpoint("http://embedded", http)
            assert not (await start(client_of(plane, vault=InMemoryVault()))).pending
    assert peer.asked[0][0] == "POST /dataflows/start"


async def test_the_token_of_an_http_push_goes_by_the_name_that_its_profile_has_for_it() -> None:
    peer = PeerDataPlane()
    destination = DataAddress("HttpData", {"endpoint": "https://them.example/x/", "authType": "bearer"})
    async with signaling(peer, shares_vault=False) as client:
        await start(client, data_destination=destination.with_properties(keyName=ALIAS))
    sent = properties(peer.asked[0][1])
    assert (sent["authorization"], "secret" in sent, "keyName" in sent) == ("the-sas", False, False)
