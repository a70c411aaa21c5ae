"""Data planes make themselves known over HTTP, prove who they are, and are used as they said."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector_spi.clock import SystemClock
from control_plane.bootstrap import ControlPlane, build_control_plane
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.settings import (
    ControlPlaneSettings,
    DataPlaneEndpointSettings,
    OAuth2ClientSettings,
    OutboundSettings,
    TokenIssuerSettings,
)
from tests import control_plane_entities as examples
from tests.eventually import eventually
from tests.integration.control_plane.authorization_server import SECRET, AuthorizationServer
from tests.integration.control_plane.scripted_data_plane import ScriptedDataPlane
from tests.serving import loopback_socket, serving
from tests.unit.control_plane.keys import KEY_ALIAS, key_of, private_pem
from vault_adapters.memory import InMemoryVault

US = "did:web:us"
PULL = "HttpData-PULL"
TOKENS = {"plane": "token-of-plane", "other": "token-of-other"}


@dataclass
class Signaling:
    """A control plane whose signaling API is called by data planes."""

    plane: ControlPlane
    url: str
    secrets: dict[str, str]

    async def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str = "token-of-plane",
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient() as http:
            return await http.request(method, f"{self.url}{path}", json=body, headers=headers)

    async def register(self, endpoint: str, *, token: str = "token-of-plane", **changes: Any) -> httpx.Response:
        body = {"dataplaneId": "plane", "endpoint": endpoint, "profiles": [PULL], **changes}
        return await self.call("PUT", "/dataplanes", body, token=token)

    async def requested(self, name: str = "t-1") -> TransferProcess:
        """A consumer has asked for a pull under an agreement."""
        now = SystemClock().now()
        agreement = examples.agreement(
            f"agreement-of-{name}",
            participant_id=US,
            provider_id=US,
            consumer_id="did:web:them",
            negotiation_id=f"negotiation-of-{name}",
        )
        negotiation = examples.negotiation(
            agreement.negotiation_id,
            participant_id=US,
            type=NegotiationType.PROVIDER,
            state=NegotiationState.FINALIZED,
            agreement=agreement,
        )
        await self.plane.stores.contract_negotiations.create(negotiation, due_at=None)
        process = examples.transfer_process(
            name,
            state_timestamp=now,
            participant_id=US,
            type=TransferProcessType.PROVIDER,
            transfer_type=PULL,
            correlation_id=f"pid-of-{name}",
            contract_id=agreement.id,
        )
        await self.plane.stores.transfer_processes.create(process, due_at=now)
        return process


@pytest.fixture
async def authorization() -> AsyncIterator[AuthorizationServer]:
    async with AuthorizationServer().open() as server:
        yield server


@pytest.fixture
async def data_plane() -> AsyncIterator[ScriptedDataPlane]:
    async with ScriptedDataPlane().open() as plane:
        yield plane


@pytest.fixture(params=["memory", "sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/control-plane.db"


def planes(**changes: Any) -> tuple[DataPlaneEndpointSettings, ...]:
    first: dict[str, Any] = {"id": "plane", "token_alias": "plane", "transfer_types": (), **changes}
    return (
        DataPlaneEndpointSettings(**first),
        DataPlaneEndpointSettings(id="other", token_alias="other", transfer_types=()),
    )


async def opened(
    stack: AsyncExitStack, database_url: str, data_planes: tuple[DataPlaneEndpointSettings, ...]
) -> Signaling:
    bound = loopback_socket()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    settings = ControlPlaneSettings(
        participant_id=US,
        database_url=database_url,
        protocol_url="http://127.0.0.1:1",
        signaling_url=url,
        data_planes=data_planes,
        outbound=OutboundSettings(allowed_networks=("127.0.0.0/8",), allow_http=True),
    )
    secrets = {**TOKENS, "client-secret": SECRET, KEY_ALIAS: private_pem(key_of(US))}
    plane = await stack.enter_async_context(
        build_control_plane(settings, vault=InMemoryVault(secrets), clock=SystemClock())
    )
    await stack.enter_async_context(serving(plane.signaling_app, bound))
    return Signaling(plane, url, secrets)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened_things:
        yield opened_things


@pytest.mark.parametrize("spelling", ["profiles", "transferTypes"])
@pytest.mark.parametrize("ending", ["", "/", "/dataflows", "/dataflows/"])
async def test_a_registered_data_plane_gets_the_flows_of_what_it_serves(
    stack: AsyncExitStack, data_plane: ScriptedDataPlane, spelling: str, ending: str
) -> None:
    signaling = await opened(stack, "memory://", planes())
    body = {"dataplaneId": "plane", "endpoint": data_plane.url + ending, spelling: [PULL], "labels": None}
    assert (await signaling.call("PUT", "/dataplanes", body)).status_code == 200
    await signaling.plane.stores.assets.create(examples.asset(participant_id=US))
    await signaling.requested()

    async def is_started() -> bool:
        return "start" in data_plane.signals()

    await eventually(is_started)
    assert data_plane.authorizations[0] == "Bearer token-of-plane"
    assert data_plane.body("start")["profile"] == data_plane.body("start")["transferType"] == PULL


async def test_a_registration_outlives_a_restart_is_replaced_and_taken_back(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    database_url = f"sqlite:///{tmp_path}/control-plane.db"
    async with AsyncExitStack() as first:
        before = await opened(first, database_url, planes())
        await before.register("http://127.0.0.1:1/one")
        await before.register("http://127.0.0.1:1/two", profiles=["AzureStorage-PULL"])
    signaling = await opened(stack, database_url, planes())
    found = await signaling.plane.stores.data_plane_registrations.find("plane")
    assert found is not None
    assert (found.endpoint, found.transfer_types) == ("http://127.0.0.1:1/two", ("AzureStorage-PULL",))
    assert (await signaling.call("DELETE", "/dataplanes/plane")).status_code == 204
    assert (await signaling.call("DELETE", "/dataplanes/plane")).status_code == 404
    assert await signaling.plane.stores.data_plane_registrations.find("plane") is None


async def test_a_transfer_that_no_data_plane_serves_ends_with_a_clear_reason(
    stack: AsyncExitStack, database_url: str
) -> None:
    signaling = await opened(stack, database_url, planes())
    await signaling.register("http://127.0.0.1:1", profiles=["AzureStorage-PULL"])
    process = await signaling.requested()

    async def has_a_reason() -> bool:
        return (await signaling.plane.transfers.get(process.id)).error is not None

    await eventually(has_a_reason)
    error = (await signaling.plane.transfers.get(process.id)).error
    assert error is not None
    assert error.message == "No data plane serves the transfer type 'HttpData-PULL'; there is: AzureStorage-PULL."


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"token": "token-of-other"}, 404),
        ({"token": "wrong"}, 401),
        ({"token": ""}, 401),
        ({"dataplaneId": "unknown"}, 404),
        ({"profiles": []}, 400),
        ({"endpoint": "http://10.0.0.1@evil.example"}, 400),
        ({"endpoint": "ftp://plane.example"}, 400),
        ({"endpoint": None}, 400),
        ({"authorization": {"type": "oauth2_token_exchange"}}, 400),
        ({"authorization": {"type": "oauth2_client_credentials", "clientId": "x"}}, 400),
    ],
)
async def test_a_registration_that_must_not_be_is_refused_and_changes_nothing(
    stack: AsyncExitStack, database_url: str, changes: dict[str, Any], status: int
) -> None:
    signaling = await opened(stack, database_url, planes())
    answer = await signaling.register(**{"endpoint": "http://127.0.0.1:1", **changes})
    assert answer.status_code == status
    assert await signaling.plane.stores.data_plane_registrations.find("plane") is None
    assert (await signaling.call("DELETE", "/dataplanes/plane", token="token-of-other")).status_code == 404


async def test_the_credentials_of_a_registration_are_used_and_rest_in_the_vault(
    stack: AsyncExitStack, data_plane: ScriptedDataPlane, authorization: AuthorizationServer
) -> None:
    signaling = await opened(stack, "memory://", planes())
    credentials = {
        "type": "oauth2_client_credentials",
        "tokenEndpoint": f"{authorization.url}/token",
        "clientId": "us",
        "clientSecret": SECRET,
        "jwksUri": f"{authorization.url}/keys",
    }
    assert (await signaling.register(data_plane.url, authorization=credentials)).status_code == 200
    found = await signaling.plane.stores.data_plane_registrations.find("plane")
    assert SECRET not in repr(found)
    await signaling.plane.stores.assets.create(examples.asset(participant_id=US))
    for name in ("t-1", "t-2"):
        await signaling.requested(name)

    async def both_started() -> bool:
        return data_plane.signals().count("start") == 2

    await eventually(both_started)
    assert all((header or "").count(".") == 2 for header in data_plane.authorizations), "signed tokens"
    assert len(authorization.asked) == 1, "one token for several calls"
    # Its call-backs may carry tokens that its own keys have signed.
    answer = await signaling.call("POST", "/transfers/t-1/dataflow/progress", {}, token=authorization.token())
    assert answer.status_code == 200
    await signaling.call("DELETE", "/dataplanes/plane")
    assert list(signaling.secrets.values()).count(SECRET) == 1, "only what the operator stored"


GOOD: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        (GOOD, 200),
        ({"sub": "other"}, 401),
        ({"sub": None}, 401),
        ({"aud": "did:web:them"}, 401),
        ({"iss": "https://somebody.example"}, 401),
        ({"iat": None}, 401),
        ({"exp": 1}, 401),
        ({"exp": None}, 401),
    ],
)
async def test_a_call_back_is_believed_by_its_signed_token(
    stack: AsyncExitStack, authorization: AuthorizationServer, claims: dict[str, Any], status: int
) -> None:
    issuer = TokenIssuerSettings(issuer=authorization.url, jwks=authorization.jwks())
    signaling = await opened(stack, "memory://", planes(token_issuer=issuer))
    await signaling.plane.stores.transfer_processes.create(
        examples.transfer_process(data_plane_id="plane", state=TransferProcessState.SUSPENDED), due_at=None
    )
    answer = await signaling.call("POST", "/transfers/t-1/dataflow/progress", {}, token=authorization.token(**claims))
    assert answer.status_code == status
    forged = AuthorizationServer(url=authorization.url).token()
    assert (await signaling.call("POST", "/transfers/t-1/dataflow/progress", {}, token=forged)).status_code == 401
    shared = await signaling.call("POST", "/transfers/t-1/dataflow/progress", {})
    assert shared.status_code == 401, "the shared token is not accepted beside the signed one"


async def test_a_token_for_one_use_is_accepted_once(stack: AsyncExitStack, authorization: AuthorizationServer) -> None:
    issuer = TokenIssuerSettings(issuer=authorization.url, jwks_uri=f"{authorization.url}/keys", single_use=True)
    signaling = await opened(stack, "memory://", planes(token_issuer=issuer))
    await signaling.plane.stores.transfer_processes.create(
        examples.transfer_process(data_plane_id="plane", state=TransferProcessState.SUSPENDED), due_at=None
    )
    token = authorization.token()
    answers = [await signaling.call("POST", "/transfers/t-1/dataflow/progress", {}, token=token) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]


async def test_the_agreement_is_told_to_the_data_plane_that_has_the_flow_alone(
    stack: AsyncExitStack, database_url: str
) -> None:
    signaling = await opened(stack, database_url, planes())
    stores = signaling.plane.stores
    agreement = examples.agreement(provider_id=US, consumer_id="did:web:them")
    await stores.contract_negotiations.create(
        examples.negotiation(
            type=NegotiationType.PROVIDER,
            state=NegotiationState.FINALIZED,
            correlation_id="pid",
            agreement=agreement,
        ),
        due_at=None,
    )
    await stores.transfer_processes.create(
        examples.transfer_process(data_plane_id="plane", contract_id="a-1", state=TransferProcessState.SUSPENDED),
        due_at=None,
    )
    told = (await signaling.call("GET", "/transfers/t-1/agreement")).json()
    assert told == {
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"],
        "@type": "Agreement",
        "@id": "a-1",
        "target": "asset-1",
        "assigner": US,
        "assignee": "did:web:them",
        "timestamp": "2026-03-01T12:00:00.123Z",
        "permission": [{"action": "use"}],
    }
    others = await signaling.call("GET", "/transfers/t-1/agreement", token="token-of-other")
    assert others.status_code == 404


async def test_this_control_plane_makes_itself_known_with_fetched_tokens(
    stack: AsyncExitStack, data_plane: ScriptedDataPlane, authorization: AuthorizationServer
) -> None:
    client = OAuth2ClientSettings(
        token_endpoint=f"{authorization.url}/token",
        client_id="us",
        client_secret_alias="client-secret",
    )
    own = planes(url=f"{data_plane.url}/dataflows", oauth2=client, callback_oauth2=client, register_control_plane=True)
    signaling = await opened(stack, "memory://", own)

    async def is_known() -> bool:
        return data_plane.signals() == ["controlplanes"]

    await eventually(is_known)
    assert data_plane.body("controlplanes") == {
        "controlplaneId": US,
        "endpoint": signaling.url,
        "authorization": {
            "type": "oauth2_client_credentials",
            "tokenEndpoint": f"{authorization.url}/token",
            "clientId": "us",
            "clientSecret": SECRET,
        },
    }
    assert (data_plane.authorizations[0] or "").startswith("Bearer ey")
