"""How participants prove who they are: picks the CounterpartyIdentity that the settings name."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

import httpx

from connector_spi.clock import Clock
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from control_plane.adapters.client_id_identity import ClientIdIdentity
from control_plane.adapters.configured_claims import ConfiguredClaims
from control_plane.adapters.jwt_identity import JwtIdentity
from control_plane.adapters.oauth2_identity import CounterpartyTokens, OAuth2Identity
from control_plane.adapters.pinned_keys import NamedKeys, PinnedKey
from control_plane.bootstrap.identity_plugins import IdentityContext, plugged_identity
from control_plane.bootstrap.identity_rules import identity_problems
from control_plane.ports.counterparty_identity import CounterpartyIdentity
from control_plane.settings import (
    ControlPlaneSettings,
    CounterpartySettings,
    CounterpartyTokenSettings,
    OAuth2IdentitySettings,
)
from outbound_http.did_web import DidWebKeys
from outbound_http.jwks import FetchedKeys, InlineKeys, PublicKeys
from outbound_http.jwt_verification import JwtVerifier, TokenRules
from outbound_http.oauth2_tokens import ClientCredentials, OAuth2TokenClient

_log = logging.getLogger(__name__)

_KEYS_FLOOR_SECONDS: Final = 1.0
"""Between two looks at the authorization server's keys. Short, because a caller whose token is refused gives up."""
_COUNTERPARTY: Final = "{counterparty}"


def open_identity(
    settings: ControlPlaneSettings, *, vault: Vault, clock: Clock, guarded: httpx.AsyncClient
) -> CounterpartyIdentity:
    """The identity of `identity.mode`, with the claims that the operator knows of counterparties.

    Raises:
        ConfigurationError: a setting cannot work; names it and the remedy.
    """
    for problem in identity_problems(settings.identity, settings.participant_id, settings.counterparties):
        raise problem
    identity = _chosen(settings, vault, clock, guarded)
    claims = {peer.id: peer.claims for peer in settings.counterparties if peer.claims}
    return ConfiguredClaims(identity, claims) if claims else identity


def _chosen(
    settings: ControlPlaneSettings, vault: Vault, clock: Clock, guarded: httpx.AsyncClient
) -> CounterpartyIdentity:
    mode, oauth2 = settings.identity.mode, settings.identity.oauth2
    if mode == "key":
        return _signed(settings, _known_keys(settings, guarded), vault, clock)
    if mode == "dcp-id-token":
        key_id = f"{settings.participant_id}#{settings.identity.key_name}"
        return _signed(settings, _invocation_keys(settings, guarded), vault, clock, key_id=key_id)
    if mode == "oauth2" and oauth2 is not None:
        return _oauth2(settings, oauth2, vault, clock, guarded)
    if mode == "client-id":
        _log.warning(
            "INSECURE: identity.mode is client-id. Everybody who reaches this connector may call under any name, and "
            "see and change what belongs to that participant. For labs only."
        )
        return ClientIdIdentity(settings.participant_id)
    return plugged_identity(
        mode,
        IdentityContext(
            participant_id=settings.participant_id,
            counterparties=tuple(peer.id for peer in settings.counterparties),
            settings=settings.identity.plugin,
            vault=vault,
            clock=clock,
            guarded=guarded,
        ),
    )


def _signed(
    settings: ControlPlaneSettings,
    keys: Mapping[str, PublicKeys],
    vault: Vault,
    clock: Clock,
    *,
    key_id: str | None = None,
) -> JwtIdentity:
    own = settings.identity
    return JwtIdentity(
        participant_id=settings.participant_id,
        signing_key_alias=own.signing_key_alias,
        keys=keys,
        token_seconds=own.token_seconds,
        clock_skew_seconds=own.clock_skew_seconds,
        vault=vault,
        clock=clock,
        key_id=key_id,
    )


def _known_keys(settings: ControlPlaneSettings, guarded: httpx.AsyncClient) -> dict[str, PublicKeys]:
    documents = DidWebKeys(guarded, http_hosts=settings.identity.did_http_hosts, relationship="authentication")

    def keys_of(peer: CounterpartySettings) -> PublicKeys:
        return documents.of(peer.id) if peer.key_source == "did-web" else PinnedKey(peer.id, peer.public_key or "")

    return {peer.id: keys_of(peer) for peer in settings.counterparties}


def _invocation_keys(settings: ControlPlaneSettings, guarded: httpx.AsyncClient) -> dict[str, PublicKeys]:
    hosts = settings.identity.did_http_hosts
    documents = DidWebKeys(guarded, http_hosts=hosts, relationship="capabilityInvocation")
    return {peer.id: NamedKeys(documents.of(peer.id)) for peer in settings.counterparties}


def _oauth2(
    settings: ControlPlaneSettings,
    oauth2: OAuth2IdentitySettings,
    vault: Vault,
    clock: Clock,
    guarded: httpx.AsyncClient,
) -> OAuth2Identity:
    keys: PublicKeys
    if oauth2.jwks is not None:
        keys = InlineKeys(oauth2.jwks)
    else:
        keys = FetchedKeys(guarded, oauth2.jwks_uri or "", floor_seconds=_KEYS_FLOOR_SECONDS)
    rules = TokenRules(
        audience=oauth2.accepted_audience or settings.participant_id,
        issuer=oauth2.issuer,
        skew_seconds=settings.identity.clock_skew_seconds,
        max_life_seconds=oauth2.max_token_seconds,
        subject_required=False,
        once=oauth2.single_use,
    )
    tokens = CounterpartyTokens(
        _requests(settings, oauth2, vault), lambda credentials: OAuth2TokenClient(guarded, credentials)
    )
    verifier = JwtVerifier(keys, rules, clock)
    names = {peer.id: peer.oauth2.claim_value for peer in settings.counterparties if peer.oauth2.claim_value}
    return OAuth2Identity(
        tokens, verifier, participant_claim=oauth2.participant_claim, claims=oauth2.claims, names=names
    )


def _requests(
    settings: ControlPlaneSettings, oauth2: OAuth2IdentitySettings, vault: Vault
) -> Callable[[str], ClientCredentials]:
    """What a token for each counterparty is asked for with."""
    wishes = {peer.id: peer.oauth2 for peer in settings.counterparties}

    async def secret() -> str:
        return await resolved(vault, oauth2.client_secret_alias, purpose="fetch a token for a counterparty")

    def wanted(participant_id: str) -> ClientCredentials:
        own = wishes.get(participant_id, CounterpartyTokenSettings())

        def value(name: str) -> str:
            chosen: str | None = getattr(own, name)
            text: str = getattr(oauth2, name) if chosen is None else chosen
            return text.replace(_COUNTERPARTY, participant_id)

        return ClientCredentials(
            token_endpoint=oauth2.token_endpoint,
            client_id=oauth2.client_id,
            secret=secret,
            scope=value("scope"),
            audience=value("audience"),
            resource=value("resource"),
        )

    return wanted
