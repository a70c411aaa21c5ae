"""No entry point makes the control plane call an address that it may not call: nothing even connects to it.

A server listens on loopback, which the default policy forbids. Each entry point gets its address, in the way that an
outsider or a client would give it, and is waited for until it has failed for that reason.
"""

import ast
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import httpx
import jwt
import pytest

from connector_spi.clock import SystemClock
from control_plane.bootstrap import ControlPlane, build_control_plane
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import TransferProcessType
from control_plane.settings import (
    ControlPlaneSettings,
    CounterpartySettings,
    DataPlaneEndpointSettings,
    OAuth2IdentitySettings,
    OutboundSettings,
    TokenIssuerSettings,
    TransferSettings,
)
from control_plane.settings import IdentitySettings as Identity
from management_api.app import create_app
from tests import control_plane_entities as examples
from tests.eventually import eventually
from tests.loopback_server import LoopbackServer, answering, loopback_server
from tests.unit.control_plane.keys import key_of
from tests.unit.control_plane.protocol_rig import OFFER, THEM, US, contract_request, told, transfer_request
from vault_adapters.memory import InMemoryVault

PULL: Final = "HttpData-PULL"
LABS: Final = Identity(mode="client-id", allow_insecure_client_id=True)
TIMING: Final = TransferSettings(retry_base_seconds=0.05, retry_cap_seconds=0.1, handshake_seconds=1, call_seconds=2)
POLICY: Final = {
    "@type": "Offer",
    "@id": OFFER,
    "assigner": THEM,
    "target": "asset-1",
    "permission": [{"action": "use"}],
}


@dataclass
class Stage:
    """A control plane at work, and the server that it must not call."""

    plane: ControlPlane
    forbidden: LoopbackServer

    async def manage(self, path: str, **members: Any) -> httpx.Response:
        """A client's call, with the forbidden address as the counterparty's."""
        peer = {"counterPartyAddress": f"{self.forbidden.address}/2025-1", "counterPartyId": THEM}
        body = {**peer, "protocol": "dataspace-protocol-http:2025-1", **members}
        return await _post(create_app(self.plane, api_key=None), f"/management/v3/{path}", body)

    async def tell(self, path: str, body: dict[str, Any], authorization: str | None = None) -> httpx.Response:
        """A counterparty's message."""
        header = f'{{"clientId": "{THEM}"}}' if authorization is None else authorization
        return await _post(self.plane.protocol_app, f"/2025-1/{path}", body, Authorization=header)

    async def register(self, **members: Any) -> httpx.Response:
        """A data plane makes itself known."""
        body = {"dataplaneId": "plane", "endpoint": "https://plane.invalid", "profiles": [PULL], **members}
        return await _post(self.plane.signaling_app, "/dataplanes", body, method="PUT")

    async def agreed(self, *, provider: str, consumer: str) -> None:
        """An agreement, as a negotiation leaves it."""
        agreement = examples.agreement(participant_id=US, provider_id=provider, consumer_id=consumer)
        agreed = examples.negotiation(
            participant_id=US,
            type=NegotiationType.PROVIDER if provider == US else NegotiationType.CONSUMER,
            state=NegotiationState.FINALIZED,
            agreement=agreement,
            correlation_id="theirs",
        )
        await self.plane.stores.contract_negotiations.create(agreed, due_at=None)

    async def asked_for_data(self) -> None:
        """A consumer wants a pull, which the data plane has to serve."""
        await self.plane.stores.assets.create(examples.asset(participant_id=US))
        await self.agreed(provider=US, consumer=THEM)
        now = SystemClock().now()
        process = examples.transfer_process(
            type=TransferProcessType.PROVIDER,
            transfer_type=PULL,
            contract_id="a-1",
            correlation_id="theirs",
            participant_id=US,
            state_timestamp=now,
            created_at=now,
        )
        await self.plane.stores.transfer_processes.create(process, due_at=now)

    async def failed(self) -> None:
        """Wait until something has ended, or tells why it does not go on."""

        async def told_why() -> bool:
            negotiations = await self.plane.stores.contract_negotiations.query(QuerySpec())
            transfers = await self.plane.stores.transfer_processes.query(QuerySpec())
            why = [n.error_detail or "" for n in negotiations] + [t.error.message for t in transfers if t.error]
            return any("not a public address" in text for text in why)

        await eventually(told_why)


async def _post(app: Any, path: str, body: dict[str, Any], method: str = "POST", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://us") as client:
        return await client.request(method, path, json=body, headers=headers)


@asynccontextmanager
async def stage(forbidden: LoopbackServer, **changes: Any) -> AsyncIterator[Stage]:
    settings = ControlPlaneSettings(
        **{
            "participant_id": US,
            "database_url": "memory://",
            "protocol_url": "https://us.example",
            "signaling_url": "http://127.0.0.1:9",
            "identity": LABS,
            "data_planes": (DataPlaneEndpointSettings(id="plane", url="http://127.0.0.1:9", token_alias=None),),
            "outbound": OutboundSettings(allow_http=True),
            "transfer": TIMING,
            **changes,
        }
    )
    vault = InMemoryVault({"client-secret": "s"})
    async with build_control_plane(settings, vault=vault, clock=SystemClock()) as plane:
        yield Stage(plane, forbidden)


@pytest.fixture
async def forbidden() -> AsyncIterator[LoopbackServer]:
    async with loopback_server(answering(b'{"providerPid": "p", "consumerPid": "c", "keys": []}')) as server:
        yield server


async def catalog(at: Stage) -> None:
    assert (await at.manage("catalog/request")).status_code == 400


async def dataset(at: Stage) -> None:
    assert (await at.manage("catalog/dataset/request", **{"@id": "asset-1"})).status_code == 400


async def negotiation(at: Stage) -> None:
    assert (await at.manage("contractnegotiations", policy=POLICY)).status_code == 200
    await at.failed()


async def transfer(at: Stage) -> None:
    await at.agreed(provider=THEM, consumer=US)
    answer = await at.manage(
        "transferprocesses", contractId="a-1", transferType=PULL, dataDestination={"type": "HttpProxy"}
    )
    assert answer.status_code == 200, answer.text
    await at.failed()


async def callback_of_a_request(at: Stage) -> None:
    definitions = at.plane.definitions
    await definitions.create_asset(examples.asset(participant_id=US))
    for name in ("access", "contract"):
        await definitions.create_policy(examples.policy_definition(name, participant_id=US))
    await definitions.create_contract_definition(examples.contract_definition(participant_id=US))
    body = contract_request(callbackAddress=at.forbidden.address)
    assert (await at.tell("negotiations/request", body)).status_code == 201
    await at.failed()


async def callback_of_an_offer(at: Stage) -> None:
    offer = {**POLICY, "assignee": US}
    body = told("ContractOfferMessage", "", "p-1", callbackAddress=at.forbidden.address, offer=offer)
    del body["consumerPid"]
    answer = await at.tell("negotiations/offers", body)
    assert answer.status_code == 201, answer.text
    negotiation_id = answer.json()["consumerPid"]

    async def is_ours_to_decide() -> bool:
        return (await at.plane.negotiations.get(negotiation_id)).pending

    await eventually(is_ours_to_decide)
    await at.plane.negotiations.accept(negotiation_id)
    await at.failed()


async def callback_of_a_transfer(at: Stage) -> None:
    await at.agreed(provider=US, consumer=THEM)
    # There is no such asset, so the consumer has to be told that the transfer ends.
    body = transfer_request(format="AzureStorage-PUSH", callbackAddress=at.forbidden.address)
    answer = await at.tell("transfers/request", body)
    assert answer.status_code == 201, answer.text

    async def has_ended() -> bool:
        [process] = await at.plane.stores.transfer_processes.query(QuerySpec())
        return process.is_outcome

    await eventually(has_ended)


async def data_plane(at: Stage) -> None:
    assert (await at.register(endpoint=at.forbidden.address)).status_code == 200
    await at.asked_for_data()
    await at.failed()


def credentials(**members: Any) -> dict[str, Any]:
    known = {"tokenEndpoint": "https://plane.invalid/token", "clientId": "c", "clientSecret": "s"}
    return {"authorization": {"type": "oauth2_client_credentials", **known, **members}}


async def token_endpoint_of_a_data_plane(at: Stage) -> None:
    assert (await at.register(**credentials(tokenEndpoint=f"{at.forbidden.address}/token"))).status_code == 200
    await at.asked_for_data()
    await at.failed()


def signed(subject: str, audience: str = US, issuer: str | None = None) -> str:
    now = int(SystemClock().now().timestamp())
    claims = {
        "iss": issuer or subject,
        "sub": subject,
        "aud": audience,
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid4()),
    }
    return f"Bearer {jwt.encode(claims, key_of(subject), algorithm='ES256', headers={'kid': f'{subject}#key-1'})}"


async def keys_of_a_data_plane(at: Stage) -> None:
    assert (await at.register(**credentials(jwksUri=f"{at.forbidden.address}/jwks"))).status_code == 200
    headers = {"Authorization": signed("plane")}
    answer = await _post(at.plane.signaling_app, "/transfers/t-1/dataflow/completed", {}, **headers)
    assert answer.status_code in {400, 401, 503}


ENTRIES: Final = [
    catalog,
    dataset,
    negotiation,
    transfer,
    callback_of_a_request,
    callback_of_an_offer,
    callback_of_a_transfer,
    data_plane,
    token_endpoint_of_a_data_plane,
    keys_of_a_data_plane,
]


@pytest.mark.parametrize("enter", ENTRIES, ids=[entry.__name__ for entry in ENTRIES])
async def test_what_an_outsider_or_a_client_names_is_not_called(
    enter: Callable[[Stage], Awaitable[None]], forbidden: LoopbackServer
) -> None:
    async with stage(forbidden) as at:
        await enter(at)
    assert (forbidden.connections, forbidden.requests) == (0, [])


def oauth2(server: LoopbackServer, **changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "token_endpoint": "https://issuer.invalid/token",
        "client_id": "us",
        "client_secret_alias": "client-secret",
        "issuer": "issuer",
        "jwks_uri": f"{server.address}/jwks",
        **changes,
    }
    return {"identity": Identity(mode="oauth2", oauth2=OAuth2IdentitySettings(**facts))}


async def test_a_token_endpoint_of_participants_is_not_called(forbidden: LoopbackServer) -> None:
    """The counterparty's own address may be called; the endpoint that gives out the token for it may not."""
    outbound = OutboundSettings(allow_http=True, allowed_networks=("127.0.0.2/32",))
    known = oauth2(forbidden, token_endpoint=f"{forbidden.address}/token")
    async with stage(forbidden, outbound=outbound, **known) as at:
        answer = await at.manage("catalog/request", counterPartyAddress="http://127.0.0.2:9/2025-1")
    assert (answer.status_code, "127.0.0.1" in answer.text, forbidden.connections) == (400, True, 0)


async def test_the_keys_of_an_authorization_server_are_not_fetched(forbidden: LoopbackServer) -> None:
    async with stage(forbidden, **oauth2(forbidden)) as at:
        answer = await at.tell("transfers/request", transfer_request(), signed(THEM, issuer="issuer"))
    assert (answer.status_code, forbidden.connections) == (503, 0)


@pytest.mark.parametrize("mode", ["key", "dcp-id-token"])
async def test_the_did_document_of_a_counterparty_is_not_fetched(forbidden: LoopbackServer, mode: str) -> None:
    host = f"127.0.0.1:{forbidden.port}"
    them = f"did:web:{quote(host, safe='.')}"
    us = "did:web:us.example"
    async with stage(
        forbidden,
        participant_id=us,
        identity=Identity(mode=mode, did_http_hosts=(host,)),
        counterparties=(CounterpartySettings(id=them, key_source="did-web"),),
    ) as at:
        answer = await at.tell("transfers/request", transfer_request(), signed(them, audience=us))
    assert (answer.status_code, forbidden.connections) == (503, 0)


async def test_the_keys_of_a_data_planes_issuer_are_not_fetched(forbidden: LoopbackServer) -> None:
    issuer = TokenIssuerSettings(jwks_uri=f"{forbidden.address}/jwks")
    plane = DataPlaneEndpointSettings(id="plane", url="http://127.0.0.1:9", token_issuer=issuer)
    async with stage(forbidden, data_planes=(plane,)) as at:
        headers = {"Authorization": signed("plane")}
        answer = await _post(at.plane.signaling_app, "/transfers/t-1/dataflow/completed", {}, **headers)
    assert (answer.status_code >= 400, forbidden.connections) == (True, 0)


def test_clients_are_made_in_two_places_alone() -> None:
    """The guarded one, and that for the data planes whose addresses the operator has written down."""
    root = Path(__file__).parents[3]
    makers = {"AsyncClient", "Client", "ClientSession", "AsyncHTTPTransport", "HTTPTransport", "urlopen"}
    found = {
        str(path.relative_to(root))
        for package in ("control_plane", "outbound_http")
        for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) in makers
    }
    assert found == {
        "outbound_http/guarded_client.py",
        "outbound_http/guarded_session.py",
        "control_plane/bootstrap/data_planes.py",
    }
