"""Every CounterpartyIdentity that the settings can choose, with what each promises, and real servers behind them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from connector_spi.clock import SystemClock
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.bootstrap.identities import open_identity
from control_plane.domain.participant import Counterparty
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from control_plane.settings import (
    ControlPlaneSettings,
    CounterpartySettings,
    IdentitySettings,
    OAuth2IdentitySettings,
)
from outbound_http.guarded_client import guarded_client
from tests.integration.control_plane.authorization_server import SECRET, AuthorizationServer
from tests.serving import loopback_socket, serving
from tests.unit.control_plane.keys import KEY_ALIAS, key_of, private_pem, public_pem
from tests.unit.outbound_http.signing_party import public_jwk
from vault_adapters.memory import InMemoryVault

SENDER: Final = "a sender cannot use another name"
RECEIVER: Final = "a token for somebody else is refused"
TIME: Final = "a token is good for a limited time"
ONCE: Final = "a token is good for one message"
NAMES: Final = ("alice", "bob", "carol")
Configured = tuple[IdentitySettings, tuple[CounterpartySettings, ...]]


@dataclass
class IdentitiesUnderTest:
    """Alice, Bob and Carol, who know each other. `ids`: what they call themselves in this dataspace.

    `signer`: the key that signs Alice's tokens; None where nothing is signed. `stranger`: somebody outside of this
    dataspace who uses Alice's name.
    """

    ids: Mapping[str, str]
    of: Mapping[str, CounterpartyIdentity]
    stranger: CounterpartyIdentity
    signer: Callable[[], ec.EllipticCurvePrivateKey] | None = None

    def peer(self, name: str) -> Counterparty:
        """Whom to call."""
        return Counterparty(id=self.ids[name], address=f"https://{name}.example/2025-1")

    async def header(self, sender: str = "alice", receiver: str = "bob") -> str:
        """What the sender puts on a message."""
        return await self.of[sender].authorization_for(self.peer(receiver))

    async def forged(self, **changes: Any) -> str:
        """Alice's header for Bob, with other claims, properly signed; a claim with the value None is left out."""
        assert self.signer is not None
        token = (await self.header()).removeprefix("Bearer ")
        claims = {**jwt.decode(token, options={"verify_signature": False}), **changes}
        present = {name: value for name, value in claims.items() if value is not None}
        headers = {k: v for k, v in jwt.get_unverified_header(token).items() if k == "kid"}
        return "Bearer " + jwt.encode(present, self.signer(), algorithm="ES256", headers=headers)


@dataclass(frozen=True)
class Subject:
    """One mode, and what it promises."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[IdentitiesUnderTest]]
    promises: frozenset[str] = field(default_factory=frozenset)

    def __str__(self) -> str:
        return self.name


@asynccontextmanager
async def _identities(
    ids: Mapping[str, str], configured: Callable[[str], Configured], **facts: Any
) -> AsyncIterator[IdentitiesUnderTest]:
    """Each with its own vault; `configured`: the settings of a name, `stranger` among them."""
    policy = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)
    async with guarded_client(policy, call_seconds=5) as guarded:

        def opened(name: str) -> CounterpartyIdentity:
            identity, counterparties = configured(name)
            settings = ControlPlaneSettings(
                participant_id=ids.get(name, ids["alice"]),
                database_url="memory://",
                protocol_url="https://us.example",
                signaling_url="https://us.example",
                identity=identity,
                counterparties=counterparties,
            )
            vault = InMemoryVault({KEY_ALIAS: private_pem(key_of(name)), "client-secret": SECRET})
            return open_identity(settings, vault=vault, clock=SystemClock(), guarded=guarded)

        yield IdentitiesUnderTest(ids, {name: opened(name) for name in NAMES}, opened("stranger"), **facts)


@asynccontextmanager
async def with_keys() -> AsyncIterator[IdentitiesUnderTest]:
    ids = {name: f"{name}-company" for name in NAMES}
    known = tuple(CounterpartySettings(id=ids[name], public_key=public_pem(key_of(name))) for name in NAMES)
    async with _identities(ids, lambda _: (IdentitySettings(), known), signer=lambda: key_of("alice")) as opened:
        yield opened


def _with_documents(mode: str, relationship: str) -> Callable[[], AbstractAsyncContextManager[IdentitiesUnderTest]]:
    @asynccontextmanager
    async def open_all() -> AsyncIterator[IdentitiesUnderTest]:
        bound = loopback_socket()
        host = f"127.0.0.1:{bound.getsockname()[1]}"
        ids = {name: f"did:web:{host.replace(':', '%3A')}:{name}" for name in NAMES}
        identity = IdentitySettings(mode=mode, did_http_hosts=(host,))
        known = tuple(CounterpartySettings(id=did, key_source="did-web") for did in ids.values())
        async with (
            serving(_documents(ids, relationship), bound),
            _identities(ids, lambda _: (identity, known), signer=lambda: key_of("alice")) as opened,
        ):
            yield opened

    return open_all


def _documents(ids: Mapping[str, str], relationship: str) -> FastAPI:
    app = FastAPI()

    @app.get("/{name}/did.json")
    async def document(name: str) -> dict[str, Any]:
        method = {"id": "#key-1", "type": "JsonWebKey2020", "publicKeyJwk": public_jwk(key_of(name), None)}
        return {"id": ids[name], "verificationMethod": [method], relationship: [f"{ids[name]}#key-1"]}

    return app


@asynccontextmanager
async def with_authorization_server() -> AsyncIterator[IdentitiesUnderTest]:
    ids = {name: f"urn:participant:{name}" for name in NAMES}
    clients = {f"client-of-{name}": {"sub": None, "azp": ids[name], "region": "eu"} for name in NAMES}
    trusted = AuthorizationServer(clients=clients)
    foreign = AuthorizationServer(clients={"client-of-stranger": {"azp": ids["alice"]}})

    def configured(name: str) -> Configured:
        server = foreign if name == "stranger" else trusted
        oauth2 = OAuth2IdentitySettings(
            token_endpoint=f"{server.url}/token",
            client_id=f"client-of-{name}",
            client_secret_alias="client-secret",
            issuer=server.url,
            jwks_uri=f"{server.url}/keys",
            participant_claim="azp",
            claims=("region",),
        )
        return IdentitySettings(mode="oauth2", oauth2=oauth2), ()

    async with (
        trusted.open(),
        foreign.open(),
        _identities(ids, configured, signer=lambda: trusted.key) as opened,
    ):
        yield opened


@asynccontextmanager
async def with_client_ids() -> AsyncIterator[IdentitiesUnderTest]:
    identity = IdentitySettings(mode="client-id", allow_insecure_client_id=True)
    async with _identities({name: f"{name}-lab" for name in NAMES}, lambda _: (identity, ())) as opened:
        yield opened


_SIGNED: Final = frozenset({SENDER, RECEIVER, TIME})
SUBJECTS: Final = (
    Subject("key", with_keys, _SIGNED | {ONCE}),
    Subject("key-from-did-web", _with_documents("key", "authentication"), _SIGNED | {ONCE}),
    Subject("dcp-id-token", _with_documents("dcp-id-token", "capabilityInvocation"), _SIGNED | {ONCE}),
    Subject("oauth2", with_authorization_server, _SIGNED),
    Subject("client-id", with_client_ids),
)
