"""Two control planes that trust one authorization server, whatever that server goes through."""

from pathlib import Path
from typing import Any, Final

import pytest

from connector_spi.errors import PeerRefusedError
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.settings import IdentitySettings, OAuth2IdentitySettings
from tests.eventually import eventually
from tests.integration.control_plane.authorization_server import SECRET, AuthorizationServer
from tests.integration.control_plane.participants import (
    CONSUMER,
    PROVIDER,
    Participant,
    negotiate,
    offer,
    offered,
    reached,
)

OFFER: Final = str(OfferId(definition_id="c-1", asset_id="asset-1"))
FINALIZED: Final = NegotiationState.FINALIZED
CLIENTS: Final[dict[str, dict[str, Any]]] = {
    "provider-client": {"sub": PROVIDER, "region": "eu"},
    "consumer-client": {"sub": CONSUMER, "region": "us", "realm_access": {"roles": ["buyer"]}},
}


@pytest.fixture
async def server() -> AuthorizationServer:
    """Its address is known from the beginning; it answers when a test opens it."""
    server = AuthorizationServer(clients=CLIENTS)
    async with server.open():
        pass
    return server


def participant(name: str, client_id: str, server: AuthorizationServer, folder: Path) -> Participant:
    oauth2 = OAuth2IdentitySettings(
        token_endpoint=f"{server.url}/token",
        client_id=client_id,
        client_secret_alias="client-secret",
        issuer=server.url,
        jwks_uri=f"{server.url}/keys",
        claims=("region", "realm_access.roles"),
    )
    identity = IdentitySettings(mode="oauth2", oauth2=oauth2)
    return Participant(name, folder, knows={}, secrets={"client-secret": SECRET}, identity=identity)


@pytest.fixture
def provider(server: AuthorizationServer, tmp_path: Path) -> Participant:
    return participant(PROVIDER, "provider-client", server, tmp_path)


@pytest.fixture
def consumer(server: AuthorizationServer, tmp_path: Path) -> Participant:
    return participant(CONSUMER, "consumer-client", server, tmp_path)


async def test_they_come_to_an_agreement_and_know_each_others_claims(
    server: AuthorizationServer, provider: Participant, consumer: Participant
) -> None:
    async with server.open(), provider.running() as theirs, consumer.running() as ours:
        await offer(theirs)
        await negotiate(ours, provider.address, offer_id=OFFER)
        pid = (await reached(ours, FINALIZED)).correlation_id or ""
        claims = (await reached(theirs, FINALIZED, pid)).counter_party_claims
    assert claims == {"region": "us", "realm_access.roles": ["buyer"]}
    assert [form["audience"] for form in server.asked] == [PROVIDER, CONSUMER], "one token for all messages"


async def test_keys_that_are_rotated_and_a_server_that_restarts_cost_no_negotiation(
    server: AuthorizationServer, provider: Participant, consumer: Participant
) -> None:
    async with consumer.running() as ours:
        async with server.open(), provider.running() as theirs:
            await offer(theirs)
            await negotiate(ours, provider.address, offer_id=OFFER, name="before")
            await reached(ours, FINALIZED, "before")
            # Both hold tokens of the old key. The provider comes back and knows the new one alone.
            server.rotate("key-2")
        async with provider.running() as theirs:
            await negotiate(ours, provider.address, offer_id=OFFER, name="meanwhile")

            async def has_failed_twice() -> bool:
                return (await ours.negotiations.get("meanwhile")).attempt >= 2

            await eventually(has_failed_twice)
            async with server.open():
                pid = (await reached(ours, FINALIZED, "meanwhile")).correlation_id or ""
                await reached(theirs, FINALIZED, pid)


async def test_a_client_whose_secret_is_refused_is_told_what_to_change(
    server: AuthorizationServer, provider: Participant, consumer: Participant
) -> None:
    consumer.secrets["client-secret"] = "PLANTED and wrong"
    async with server.open(), provider.running() as theirs, consumer.running() as ours:
        await offer(theirs)
        with pytest.raises(PeerRefusedError, match=r"\(invalid_client\); check client id and secret") as refused:
            await offered(ours, provider.address)
    assert "PLANTED" not in str(refused.value)
