"""Which identity the settings choose, what it needs, and what a caller is told when it cannot be checked."""

import asyncio
import logging
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any, Final

import httpx
import pytest
from pydantic import ValidationError

from connector_spi.clock import SystemClock
from connector_spi.errors import (
    ConfigurationError,
    ConnectorError,
    ForbiddenAddressError,
    InvalidInputError,
    PeerUnavailableError,
    UnauthenticatedError,
)
from control_plane.adapters.client_id_identity import ClientIdIdentity
from control_plane.adapters.configured_claims import ConfiguredClaims
from control_plane.adapters.jwt_identity import JwtIdentity
from control_plane.bootstrap import build_control_plane, identity_plugins
from control_plane.bootstrap.identities import open_identity
from control_plane.bootstrap.identity_plugins import GROUP, IdentityContext
from control_plane.domain.participant import CLAIMS_MAX_BYTES, Counterparty, Participant
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from control_plane.protocol_api import authentication
from control_plane.protocol_api.authentication import IdentityUncheckedError, authenticated
from control_plane.settings import (
    ControlPlaneSettings,
    CounterpartySettings,
    CounterpartyTokenSettings,
    IdentitySettings,
    OAuth2IdentitySettings,
)
from tests.unit.control_plane.keys import key_of, public_pem
from vault_adapters.memory import InMemoryVault

US: Final = "did:web:us.example"
KEY: Final = public_pem(key_of("them"))


def chosen(
    participant_id: str = US, peers: tuple[CounterpartySettings, ...] = (), **identity: Any
) -> CounterpartyIdentity:
    settings = ControlPlaneSettings(
        participant_id=participant_id,
        database_url="memory://",
        protocol_url="https://us.example",
        signaling_url="https://us.example",
        identity=IdentitySettings(**identity),
        counterparties=peers,
    )
    return open_identity(settings, vault=InMemoryVault(), clock=SystemClock(), guarded=httpx.AsyncClient())


def test_without_a_word_messages_are_signed() -> None:
    assert isinstance(chosen(peers=(CounterpartySettings(id="them", public_key=KEY),)), JwtIdentity)
    known = CounterpartySettings(id="them", public_key=KEY, claims={"region": "eu"})
    assert isinstance(chosen(peers=(known,)), ConfiguredClaims)


@pytest.mark.parametrize(
    ("identity", "peer", "setting", "remedy"),
    [
        ({}, {"id": "them"}, "counterparties[0].public_key", "connector identity create"),
        ({}, {"id": "them", "key_source": "did-web"}, "counterparties[0].id", "no did:web"),
        ({"mode": "dcp-id-token"}, {"id": "them"}, "counterparties[0].id", "no did:web"),
        ({"mode": "oauth2"}, {"id": "them"}, "identity.oauth2", "where tokens come from"),
        ({"mode": "client-id"}, {"id": "them"}, "identity.mode", "allow_insecure_client_id = true"),
        ({"mode": "dcp"}, {"id": "them"}, "identity.mode", "Known are: key, oauth2, client-id, dcp-id-token"),
    ],
)
def test_what_cannot_work_is_named_with_its_remedy(
    identity: dict[str, Any], peer: dict[str, Any], setting: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        chosen(peers=(CounterpartySettings(**peer),), **identity)
    assert refused.value.key == setting
    assert remedy in refused.value.message


@pytest.mark.parametrize("others", ["client-1", "them"])
def test_no_two_counterparties_share_what_their_tokens_say(others: str) -> None:
    oauth2 = OAuth2IdentitySettings(
        token_endpoint="https://as.example/token",
        client_id="us",
        client_secret_alias="client-secret",
        issuer="https://as.example",
        jwks_uri="https://as.example/keys",
    )
    said = {"them": None if others == "them" else "client-1", "others": others}
    peers = tuple(
        CounterpartySettings(id=peer, oauth2=CounterpartyTokenSettings(claim_value=value))
        for peer, value in said.items()
    )
    with pytest.raises(ConfigurationError) as refused:
        chosen(peers=peers, mode="oauth2", oauth2=oauth2)
    assert refused.value.key == "counterparties[1].oauth2.claim_value"


def test_a_self_issued_token_needs_a_name_that_keys_are_found_by() -> None:
    with pytest.raises(ConfigurationError, match=r"participant\.id"):
        chosen("our-company", mode="dcp-id-token")


def test_claims_of_a_counterparty_are_bounded() -> None:
    with pytest.raises(ValidationError, match=str(CLAIMS_MAX_BYTES)):
        CounterpartySettings(id="them", claims={"x": "y" * CLAIMS_MAX_BYTES})


def test_an_identity_that_proves_nothing_says_so_aloud(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        chosen(mode="client-id", allow_insecure_client_id=True)
    assert "INSECURE" in caplog.text


async def test_a_client_id_is_written_as_edc_writes_it() -> None:
    header = await ClientIdIdentity("us").authorization_for(Counterparty(id="them", address="https://them.example/dsp"))
    assert header == '{"region":"eu","audience":"https://them.example/dsp","clientId":"us"}'


@pytest.mark.parametrize("header", ['{"audience":null,"clientId":"them"}', ' {"clientId": "them", "x": [{}]} '])
async def test_members_that_are_missing_or_unknown_do_not_matter(header: str) -> None:
    assert await ClientIdIdentity("us").authenticate(header) == Participant(id="them")


class Failing:
    """An identity that cannot check, or takes its time."""

    def __init__(self, error: ConnectorError | None) -> None:
        self._error = error

    async def authorization_for(self, counterparty: Counterparty) -> str:
        return f"for {counterparty.id}"

    def refused(self, counterparty: Counterparty, authorization: str) -> bool:
        return False

    async def authenticate(self, authorization: str | None) -> Participant:
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()
        return Participant(id="nobody")


@pytest.mark.parametrize(
    "error",
    [
        PeerUnavailableError("https://idp.internal?sig=PLANTED does not answer"),
        ForbiddenAddressError("10.0.0.1 may not be called"),
        InvalidInputError(field="jwks", value="...", problem="holds no key"),
        None,
    ],
)
async def test_what_cannot_be_checked_is_no_refusal_and_tells_nothing(
    error: ConnectorError | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "_CHECK_SECONDS", 0.01)
    with caplog.at_level(logging.INFO), pytest.raises(IdentityUncheckedError) as unchecked:
        await authenticated(Failing(error), "Bearer x")
    assert unchecked.value.message == "Who is calling cannot be checked now. Try again later."
    [record] = caplog.records
    assert vars(record)["reason"]
    assert "PLANTED" not in vars(record)["reason"]


@pytest.mark.parametrize(("error", "status"), [(PeerUnavailableError("x"), 503), (UnauthenticatedError("x"), 401)])
async def test_both_are_answered_in_the_protocols_form(error: ConnectorError, status: int) -> None:
    settings = ControlPlaneSettings(
        participant_id=US,
        database_url="memory://",
        protocol_url="https://us.example",
        signaling_url="https://us.example",
    )
    vault, identity = InMemoryVault(), Failing(error)
    async with build_control_plane(settings, vault=vault, clock=SystemClock(), identity=identity) as plane:
        transport = httpx.ASGITransport(plane.protocol_app)
        async with httpx.AsyncClient(transport=transport, base_url="https://us.example") as client:
            answer = await client.get("/2025-1/transfers/t-1", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["@type"]) == (status, "TransferError")
    assert ("Retry-After" in answer.headers) == (status == 503)


def opens(context: IdentityContext) -> CounterpartyIdentity:
    """A plug-in."""
    assert (context.participant_id, context.settings) == (US, {"scope": "member"})
    return Failing(None)


def breaks(_: IdentityContext) -> CounterpartyIdentity:
    """One that does not open."""
    raise RuntimeError("no such realm")


def returns_nothing(_: IdentityContext) -> None:
    """One that is no identity."""


def test_a_plug_in_is_chosen_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, dcp="opens")
    assert isinstance(chosen(mode="dcp", plugin={"scope": "member"}), Failing)


@pytest.mark.parametrize(
    ("function", "said"),
    [("breaks", "no such realm"), ("returns_nothing", "returns no CounterpartyIdentity"), ("gone", "AttributeError")],
)
def test_a_plug_in_that_does_not_open_is_named(monkeypatch: pytest.MonkeyPatch, function: str, said: str) -> None:
    _install(monkeypatch, dcp=function)
    with pytest.raises(ConfigurationError, match=said) as refused:
        chosen(mode="dcp", plugin={"scope": "member"})
    assert "'dcp'" in refused.value.message


def _install(monkeypatch: pytest.MonkeyPatch, **functions: str) -> None:
    points = EntryPoints(EntryPoint(name, f"{__name__}:{function}", GROUP) for name, function in functions.items())
    monkeypatch.setattr(identity_plugins, "entry_points", points.select)
