"""What tokens of an authorization server say about a counterparty, and what they are asked for with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from pydantic import ValidationError

from connector_spi.clock import SystemClock
from connector_spi.errors import ForbiddenAddressError, PeerUnavailableError, UnauthenticatedError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.bootstrap.identities import open_identity
from control_plane.domain.participant import CLAIMS_MAX_BYTES, Counterparty, Participant
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from control_plane.settings import (
    ControlPlaneSettings,
    CounterpartySettings,
    CounterpartyTokenSettings,
    IdentitySettings,
    OAuth2IdentitySettings,
)
from outbound_http.guarded_client import guarded_client
from tests.integration.control_plane.authorization_server import SECRET, AuthorizationServer
from vault_adapters.memory import InMemoryVault

US: Final = "did:web:us"
PEER: Final = Counterparty(id="them", address="https://them.example/2025-1")
LOOPBACK: Final = ("127.0.0.0/8",)


@asynccontextmanager
async def opened(
    server: AuthorizationServer,
    *,
    counterparties: tuple[CounterpartySettings, ...] = (),
    networks: tuple[str, ...] = LOOPBACK,
    **changes: Any,
) -> AsyncIterator[CounterpartyIdentity]:
    oauth2 = OAuth2IdentitySettings(
        **{
            "token_endpoint": f"{server.url}/token",
            "client_id": "us",
            "client_secret_alias": "client-secret",
            "issuer": server.url,
            "jwks_uri": f"{server.url}/keys",
            **changes,
        }
    )
    settings = ControlPlaneSettings(
        participant_id=US,
        database_url="memory://",
        protocol_url="https://us.example",
        signaling_url="https://us.example",
        identity=IdentitySettings(mode="oauth2", oauth2=oauth2),
        counterparties=counterparties,
    )
    policy = OutboundAddressPolicy(allowed_networks=networks, allow_http=True)
    async with guarded_client(policy, call_seconds=5) as guarded:
        vault = InMemoryVault({"client-secret": SECRET})
        yield open_identity(settings, vault=vault, clock=SystemClock(), guarded=guarded)


@pytest.fixture
async def server() -> AsyncIterator[AuthorizationServer]:
    async with AuthorizationServer().open() as server:
        yield server


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("sub", {"sub": "them"}),
        ("azp", {"sub": "a-guid", "azp": "them"}),
        ("referringConnector", {"sub": "AB:CD:keyid:EF", "referringConnector": "them"}),
        ("connector.id", {"connector": {"id": "them"}}),
        ("https://x.example/id", {"https://x.example/id": "them"}),
    ],
)
async def test_a_chosen_claim_names_the_participant(
    server: AuthorizationServer, claim: str, said: dict[str, Any]
) -> None:
    async with opened(server, participant_claim=claim) as identity:
        assert await identity.authenticate(f"Bearer {server.token(**said)}") == Participant(id="them")
        with pytest.raises(UnauthenticatedError, match="names no participant"):
            await identity.authenticate(f"Bearer {server.token(**{name: {'x': 1} for name in said})}")


async def test_a_participant_whose_tokens_name_a_client_is_known_by_its_id(server: AuthorizationServer) -> None:
    known = CounterpartySettings(id="them", oauth2=CounterpartyTokenSettings(claim_value="1f0c-7d2e"))
    async with opened(server, counterparties=(known,)) as identity:
        assert (await identity.authenticate(f"Bearer {server.token(sub='1f0c-7d2e')}")).id == "them"
        assert (await identity.authenticate(f"Bearer {server.token(sub='others')}")).id == "others"
        with pytest.raises(UnauthenticatedError, match="by its id"):
            await identity.authenticate(f"Bearer {server.token(sub='them')}")


@pytest.mark.parametrize("name", [None, "", "a b", "a\tb", "a\0", "x" * 513, 7, ["them"], {"a": "them"}])
async def test_what_is_no_name_is_refused(server: AuthorizationServer, name: Any) -> None:
    async with opened(server, participant_claim="azp") as identity:
        with pytest.raises(UnauthenticatedError):
            await identity.authenticate(f"Bearer {server.token(azp=name)}")


async def test_only_the_chosen_claims_are_known_of_a_counterparty(server: AuthorizationServer) -> None:
    claims = ("region", "realm_access.roles", "dotted.name", "missing", "realm_access.missing.deeper")
    token = server.token(
        **{"sub": "them", "region": "eu", "realm_access": {"roles": ["a", "b"]}, "dotted.name": 1, "secret": "no"}
    )
    async with opened(server, claims=claims) as identity:
        caller = await identity.authenticate(f"Bearer {token}")
    assert caller.claims == {"region": "eu", "realm_access.roles": ["a", "b"], "dotted.name": 1}


@pytest.mark.parametrize("value", ["x" * CLAIMS_MAX_BYTES, "a\0b", float("nan")])
async def test_claims_that_cannot_be_kept_are_refused(server: AuthorizationServer, value: Any) -> None:
    async with opened(server, claims=("region",)) as identity:
        with pytest.raises(UnauthenticatedError, match="claims"):
            await identity.authenticate(f"Bearer {server.token(region=value)}")


async def test_what_the_operator_says_counts_before_what_the_token_says(server: AuthorizationServer) -> None:
    known = CounterpartySettings(id="them", claims={"region": "eu", "tier": "gold"})
    async with opened(server, claims=("region", "level"), counterparties=(known,)) as identity:
        caller = await identity.authenticate(f"Bearer {server.token(sub='them', region='us', level=3)}")
        stranger = await identity.authenticate(f"Bearer {server.token(sub='stranger', region='us')}")
    assert caller.claims == {"region": "eu", "tier": "gold", "level": 3}
    assert stranger.claims == {"region": "us"}


async def test_the_audience_may_be_that_of_the_whole_dataspace(server: AuthorizationServer) -> None:
    async with opened(server, accepted_audience="idsc:IDS_CONNECTORS_ALL") as identity:
        token = server.token(sub="them", aud=["idsc:IDS_CONNECTORS_ALL"])
        assert (await identity.authenticate(f"Bearer {token}")).id == "them"
        with pytest.raises(UnauthenticatedError):
            await identity.authenticate(f"Bearer {server.token(sub='them', aud=US)}")


async def test_a_token_is_for_one_counterparty_and_used_for_many_messages(server: AuthorizationServer) -> None:
    other = Counterparty(id="others", address="https://others.example")
    wishes = CounterpartyTokenSettings(audience="", scope="read", resource="urn:{counterparty}")
    known = CounterpartySettings(id="others", oauth2=wishes)
    async with opened(server, scope="all", counterparties=(known,)) as identity:
        first = [await identity.authorization_for(PEER) for _ in range(3)]
        second = await identity.authorization_for(other)
    assert len(set(first)) == 1
    assert second != first[0]
    asked = [{k: v for k, v in form.items() if k in {"scope", "audience", "resource"}} for form in server.asked]
    assert asked == [{"scope": "all", "audience": "them"}, {"scope": "read", "resource": "urn:others"}]


async def test_a_token_that_was_refused_is_replaced(server: AuthorizationServer) -> None:
    async with opened(server) as identity:
        first = await identity.authorization_for(PEER)
        assert identity.refused(PEER, first)
        second = await identity.authorization_for(PEER)
        assert identity.refused(PEER, first), "an old one does not count against the new one"
        assert (second != first, await identity.authorization_for(PEER)) == (True, second)


async def test_keys_in_the_settings_need_no_address(server: AuthorizationServer) -> None:
    async with opened(server, jwks_uri=None, jwks=server.jwks()) as identity:
        assert (await identity.authenticate(f"Bearer {server.token(sub='them')}")).id == "them"
        other = AuthorizationServer(url=server.url)
        with pytest.raises(UnauthenticatedError):
            await identity.authenticate(f"Bearer {other.token(sub='them')}")


async def test_a_token_for_one_use_is_taken_once_where_that_is_set(server: AuthorizationServer) -> None:
    async with opened(server, single_use=True) as identity:
        header = f"Bearer {server.token(sub='them')}"
        await identity.authenticate(header)
        with pytest.raises(UnauthenticatedError, match="used before"):
            await identity.authenticate(header)


async def test_addresses_of_the_authorization_server_are_guarded_too(server: AuthorizationServer) -> None:
    async with opened(server, networks=()) as identity:
        with pytest.raises(ForbiddenAddressError):
            await identity.authorization_for(PEER)
        with pytest.raises(ForbiddenAddressError):
            await identity.authenticate(f"Bearer {server.token()}")
    assert server.asked == []


async def test_a_server_that_is_down_is_a_passing_trouble() -> None:
    server = AuthorizationServer()
    async with server.open():
        pass
    async with opened(server) as identity:
        for _ in range(2):
            with pytest.raises(PeerUnavailableError):
                await identity.authorization_for(PEER)
            with pytest.raises(PeerUnavailableError):
                await identity.authenticate(f"Bearer {server.token()}")


@pytest.mark.parametrize("keys", [{"jwks_uri": None}, {"jwks": {"keys": []}}])
async def test_keys_come_from_one_place(server: AuthorizationServer, keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of jwks and jwks_uri"):
        async with opened(server, **keys):
            pass
