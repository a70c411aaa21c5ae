"""Several control planes: who they are, what is theirs, and where their call-backs go."""

from typing import Any

import httpx
import pytest

from connector_spi.errors import ConfigurationError, UnauthenticatedError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.plane_registration import ControlPlaneRegistrationMessage
from connector_spi.signaling import DataFlowStatusMessage
from data_plane.adapters.callback_targets import CallbackTargets, ConfiguredControlPlane
from data_plane.adapters.control_plane_http_client import ControlPlaneHttpClient
from data_plane.adapters.jwt_callers import JwtCallers, JwtRules
from data_plane.adapters.memory_control_plane_registry import MemoryControlPlaneRegistry
from data_plane.domain.registered_control_plane import RegisteredControlPlane
from data_plane.services.callers import CONFIGURED, AnyOf, SharedToken
from data_plane.services.control_plane_registration import ControlPlaneRegistration
from outbound_http.guarded_client import guarded_client
from tests.loopback_server import loopback_server
from tests.unit.data_plane.fakes import ManualClock, a_data_flow
from tests.unit.data_plane.plane import TOKEN, PlaneInMemory, start_message
from tests.unit.outbound_http.signing_party import SigningParty
from tests.unit.outbound_http.test_oauth2_tokens import OPEN, Issuer

FLOW = "/dataflows/process-1"
ENDPOINT = "https://control-plane.example/signaling"


def registration(control_plane_id: str = "cp-1", **changes: Any) -> dict[str, Any]:
    return {"controlplaneId": control_plane_id, "endpoint": ENDPOINT, **changes}


def credentials(**changes: Any) -> dict[str, Any]:
    return {
        "type": "oauth2_client_credentials",
        "tokenEndpoint": "https://control-plane.example/token",
        "clientId": "us",
        "clientSecret": "the-client-secret",
        **changes,
    }


def plane_with_jwt(*, once: bool = False, unsigned_allowed: bool = False) -> PlaneInMemory:
    """A plane that knows its shared token, and the signed ones of registered control planes."""

    async def token() -> str:
        return TOKEN

    plane = PlaneInMemory()
    jwt_rules = JwtRules(audience="data-plane", once=once, unsigned_allowed=unsigned_allowed)
    jwt_callers = JwtCallers(jwt_rules, plane.control_planes, guarded=httpx.AsyncClient(), clock=ManualClock())
    plane.callers = AnyOf(SharedToken(token), jwt_callers)
    return plane


def as_party(party: SigningParty, control_plane_id: str = "cp-1", **claims: Any) -> dict[str, str]:
    said = {"iss": control_plane_id, "sub": control_plane_id, "aud": "data-plane", **claims}
    return {"Authorization": f"Bearer {party.token(**said)}"}


async def register(client: httpx.AsyncClient, party: SigningParty, control_plane_id: str = "cp-1") -> None:
    message = registration(control_plane_id, authorization=credentials(jwks=party.jwks))
    assert (await client.put("/controlplanes", json=message)).status_code == 200


async def test_a_registration_is_kept_without_its_secret_and_replaced_in_full() -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        first = await client.put("/controlplanes", json=registration(authorization=credentials()))
        known = await plane.control_planes.find("cp-1")
        assert first.status_code == 200
        assert known is not None
        assert (known.endpoint, known.client_id, plane.secrets[known.secret_alias]) == (
            ENDPOINT,
            "us",
            "the-client-secret",
        )
        assert "the-client-secret" not in repr(known)
        await client.put("/controlplanes", json=registration(endpoint=f"{ENDPOINT}/2/"))
        known = await plane.control_planes.find("cp-1")
        assert known == RegisteredControlPlane(id="cp-1", endpoint=f"{ENDPOINT}/2")
        assert plane.secrets == {}
        assert (await client.delete("/controlplanes/cp-1")).status_code == 204
        assert (await client.delete("/controlplanes/cp-1")).status_code == 404


async def test_data_planes_that_share_a_vault_keep_the_same_control_planes_secret_apart() -> None:
    one, other = PlaneInMemory(), PlaneInMemory()
    shared = ControlPlaneRegistration(
        known=other.control_planes,
        vault=one.vault,
        ledger=other.ledger,
        policy=OutboundAddressPolicy(allowed_hosts=("control-plane.example",)),
    )
    message = registration(authorization=credentials(clientSecret="another-secret"))
    await shared.register(ControlPlaneRegistrationMessage.model_validate(message), CONFIGURED)
    async with one.client(working=False) as client:
        await client.put("/controlplanes", json=registration(authorization=credentials()))
        await client.put("/controlplanes", json=registration(authorization=credentials(clientSecret="renewed")))
        assert sorted(one.secrets.values()) == ["another-secret", "renewed"]
        assert (await client.delete("/controlplanes/cp-1")).status_code == 204
    assert list(one.secrets.values()) == ["another-secret"]


@pytest.mark.parametrize(
    "message",
    [
        {"endpoint": ENDPOINT},
        registration(endpoint="https://elsewhere.example/"),
        registration(endpoint="http://control-plane.example/"),
        registration(authorization={"type": "oauth2_client_credentials"}),
        registration(authorization={"type": "oauth2_token_exchange"}),
        registration(authorization=credentials(tokenEndpoint="https://elsewhere.example/")),
        registration(authorization=credentials(jwksUri="https://elsewhere.example/")),
        registration(authorization=credentials(jwks={"keys": []}, jwksUri="https://control-plane.example/jwks")),
    ],
)
async def test_a_registration_that_cannot_work_or_may_not_be_called_is_refused(message: dict[str, Any]) -> None:
    plane = PlaneInMemory()
    async with plane.client(working=False) as client:
        answer = await client.put("/controlplanes", json=message)
    assert (answer.status_code, plane.secrets) == (400, {})
    assert "the-client-secret" not in answer.text


async def test_a_control_plane_with_a_signed_token_sees_its_own_flows_alone() -> None:
    plane, party, other = plane_with_jwt(), SigningParty(), SigningParty()
    async with plane.client(working=False) as client:
        await register(client, party)
        await register(client, other, "cp-2")
        mine, theirs = as_party(party), as_party(other, "cp-2")
        assert (await client.post("/dataflows/start", json=start_message(), headers=mine)).status_code == 200
        assert (await client.get(f"{FLOW}/status", headers=mine)).status_code == 200
        for stranger in (theirs, {"Authorization": f"Bearer {TOKEN}"}):
            assert (await client.get(f"{FLOW}/status", headers=stranger)).status_code == 404
            for message in ("suspend", "resume", "started", "terminate", "completed"):
                answer = await client.post(f"{FLOW}/{message}", json={"messageId": "m"}, headers=stranger)
                assert answer.status_code == 404
            again = await client.post("/dataflows/start", json=start_message(), headers=stranger)
            assert again.status_code == 409
        assert (await client.get(f"{FLOW}/status", headers=mine)).json()["state"] == "STARTED"


@pytest.mark.parametrize("claims", [{"aud": "others"}, {"exp": 1}, {"sub": "cp-9"}, {"sub": 7}])
async def test_a_token_that_is_not_for_us_or_of_nobody_known_is_401(claims: dict[str, Any]) -> None:
    plane, party = plane_with_jwt(), SigningParty()
    async with plane.client(working=False) as client:
        await register(client, party)
        headers = {
            "Authorization": f"Bearer {party.token(**{'iss': 'cp-1', 'sub': 'cp-1', 'aud': 'data-plane', **claims})}"
        }
        answer = await client.get(f"{FLOW}/status", headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("subject", ["cp-1\0", "\ud800", "x" * 257, ""])
async def test_a_subject_that_no_database_keeps_is_not_looked_for(subject: str) -> None:
    looked_for: list[str] = []

    class Registry(MemoryControlPlaneRegistry):
        async def find(self, control_plane_id: str) -> RegisteredControlPlane | None:
            looked_for.append(control_plane_id)
            return await super().find(control_plane_id)

    callers = JwtCallers(JwtRules(audience="data-plane"), Registry(), guarded=httpx.AsyncClient(), clock=ManualClock())
    with pytest.raises(UnauthenticatedError):
        await callers.caller_of(SigningParty().token(sub=subject, aud="data-plane"))
    assert looked_for == []


async def test_a_token_is_good_for_one_message_where_that_is_configured() -> None:
    plane, party = plane_with_jwt(once=True), SigningParty()
    async with plane.client(working=False) as client:
        await register(client, party)
        statuses = [
            (await client.get(f"{FLOW}/status", headers=as_party(party, jti=jti))).status_code
            for jti in ("one", "one", "two")
        ]
    assert statuses == [404, 401, 404]


async def test_a_replaced_key_opens_nothing_any_more() -> None:
    plane, party, successor = plane_with_jwt(), SigningParty(), SigningParty()
    async with plane.client(working=False) as client:
        await register(client, party)
        assert (await client.get(f"{FLOW}/status", headers=as_party(party))).status_code == 404
        await register(client, successor)
        assert (await client.get(f"{FLOW}/status", headers=as_party(party))).status_code == 401
        assert (await client.get(f"{FLOW}/status", headers=as_party(successor))).status_code == 404


async def test_a_control_plane_changes_its_own_registration_alone() -> None:
    plane, party = plane_with_jwt(), SigningParty()
    async with plane.client(working=False) as client:
        await register(client, party)
        mine = as_party(party)
        assert (await client.put("/controlplanes", json=registration("cp-2"), headers=mine)).status_code == 401
        assert (await client.delete("/controlplanes/cp-2", headers=mine)).status_code == 401
        assert (await client.delete("/controlplanes/cp-1", headers=mine)).status_code == 204
        assert (await client.get(f"{FLOW}/status", headers=mine)).status_code == 401


@pytest.mark.parametrize("unsigned_allowed", [True, False])
async def test_without_keys_a_token_is_believed_only_where_that_is_wished(*, unsigned_allowed: bool) -> None:
    plane, stranger = plane_with_jwt(unsigned_allowed=unsigned_allowed), SigningParty()
    async with plane.client(working=False) as client:
        await client.put("/controlplanes", json=registration(authorization=credentials()))
        answer = await client.get(f"{FLOW}/status", headers=as_party(stranger))
    assert answer.status_code == (404 if unsigned_allowed else 401)


async def test_a_call_back_goes_to_the_control_plane_that_owns_the_flow_with_a_token_of_its_own() -> None:
    plane, issuer = PlaneInMemory(), Issuer()
    plane.secrets["alias"] = "the-client-secret"
    calls: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(401 if len(calls) == 1 else 200)

    async with (
        loopback_server(issuer.respond) as server,
        guarded_client(OPEN, call_seconds=5) as tokens,
        httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
    ):
        await plane.control_planes.save(
            RegisteredControlPlane(
                id="cp-1",
                endpoint=ENDPOINT,
                token_endpoint=server.address,
                client_id="us",
                secret_alias="alias",
            )
        )
        targets = CallbackTargets(
            configured=ConfiguredControlPlane(base="http://configured"),
            registry=plane.control_planes,
            vault=plane.vault,
            plain=http,
            guarded=Routed(http, tokens, server.address),
        )
        client, message = ControlPlaneHttpClient(targets), DataFlowStatusMessage(data_flow_id="flow-1")
        owned = a_data_flow(control_plane_id="cp-1", callback_base="http://ignored")
        with pytest.raises(Exception, match="401"):
            await client.completed(owned, message)
        await client.completed(owned, message)
        with pytest.raises(ConfigurationError):
            await client.completed(a_data_flow(control_plane_id="gone"), message)
    assert [str(call.url) for call in calls] == [f"{ENDPOINT}/transfers/flow-1/dataflow/completed"] * 2
    assert [call.headers["Authorization"] for call in calls] == ["Bearer token-1", "Bearer token-2"]


class Routed(httpx.AsyncClient):
    """One client for two servers: tokens come from a real one."""

    def __init__(self, http: httpx.AsyncClient, tokens: httpx.AsyncClient, address: str) -> None:
        super().__init__(transport=httpx.MockTransport(lambda _request: httpx.Response(500)))
        self._http, self._tokens, self._address = http, tokens, address

    def stream(self, method: str, url: Any, **options: Any) -> Any:
        return self._tokens.stream(method, url, **options)

    async def post(self, url: Any, **options: Any) -> httpx.Response:
        return await self._http.post(url, **options)
