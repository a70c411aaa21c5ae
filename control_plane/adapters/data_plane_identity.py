"""DataPlaneIdentity by shared bearer tokens and by signed ones (OAuth 2.0 access tokens that are JWTs)."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx

from connector_spi.clock import Clock
from connector_spi.errors import UnauthenticatedError
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from control_plane.domain.data_plane_registration import DataPlaneRegistration
from control_plane.ports.stores import DefinitionStore
from outbound_http.jwks import FetchedKeys, InlineKeys, PublicKeys
from outbound_http.jwt_verification import JwtVerifier, TokenRules, bearer_token, claimed

_UNKNOWN: Final = "The Authorization header belongs to no data plane."


class SharedTokens:
    """Tells data planes apart by the bearer token that each shares with this control plane through the vault."""

    def __init__(self, vault: Vault, token_aliases: Mapping[str, str | None]) -> None:
        """`token_aliases`: data plane id -> vault alias; None means that this data plane needs no token."""
        self._vault = vault
        self._token_aliases = token_aliases

    async def authenticate(self, authorization: str | None) -> frozenset[str]:
        """See DataPlaneIdentity."""
        sent = hashlib.sha256((authorization or "").removeprefix("Bearer ").encode()).digest()
        found = set()
        for data_plane_id, alias in self._token_aliases.items():
            if alias is None:
                found.add(data_plane_id)
                continue
            expected = hashlib.sha256(
                (await resolved(self._vault, alias, purpose="check a data plane's token")).encode()
            ).digest()
            if hmac.compare_digest(sent, expected):
                found.add(data_plane_id)
        if not found:
            raise UnauthenticatedError(_UNKNOWN)
        return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssuer:
    """Whose signed tokens a data plane sends."""

    keys: PublicKeys
    audience: str
    issuer: str | None = None
    single_use: bool = False


class SignedTokens:
    """Tells data planes apart by tokens whose `sub` is the data plane's id, signed by the issuer of each."""

    def __init__(
        self,
        *,
        issuers: Mapping[str, TokenIssuer],
        configured: frozenset[str],
        registrations: DefinitionStore[DataPlaneRegistration],
        audience: str,
        guarded: httpx.AsyncClient,
        clock: Clock,
    ) -> None:
        """`issuers`: by data plane id. `configured`: ids of every data plane of the settings; no other one registers.

        `audience`: what tokens are for whose keys came with a registration. `guarded`: fetches those keys.
        """
        self._verifiers = {plane_id: _verifier(plane_id, issuer, clock) for plane_id, issuer in issuers.items()}
        self._configured = configured
        self._registrations = registrations
        self._audience = audience
        self._guarded = guarded
        self._clock = clock
        self._registered: dict[str, tuple[datetime, JwtVerifier]] = {}

    async def authenticate(self, authorization: str | None) -> frozenset[str]:
        """See DataPlaneIdentity."""
        token = bearer_token(authorization)
        data_plane_id = claimed(token, "sub")
        verifier = self._verifiers.get(data_plane_id) or await self._registered_verifier(data_plane_id)
        if verifier is None:
            raise UnauthenticatedError(_UNKNOWN)
        await verifier.claims(token)
        return frozenset({data_plane_id})

    async def _registered_verifier(self, data_plane_id: str) -> JwtVerifier | None:
        registration = await self._registrations.find(data_plane_id) if data_plane_id in self._configured else None
        if registration is None or registration.credentials is None:
            return None
        since, verifier = self._registered.get(data_plane_id, (None, None))
        if verifier is None or since != registration.registered_at:
            keys: PublicKeys
            if registration.credentials.jwks is not None:
                keys = InlineKeys(registration.credentials.jwks)
            elif registration.credentials.jwks_uri is not None:
                keys = FetchedKeys(self._guarded, registration.credentials.jwks_uri)
            else:
                return None
            verifier = _verifier(data_plane_id, TokenIssuer(keys=keys, audience=self._audience), self._clock)
            self._registered[data_plane_id] = (registration.registered_at, verifier)
        return verifier


class DataPlaneAuthenticator:
    """Both ways: what looks like a signed token is checked as one, everything else as a shared one."""

    def __init__(self, shared: SharedTokens, signed: SignedTokens) -> None:
        self._shared = shared
        self._signed = signed

    async def authenticate(self, authorization: str | None) -> frozenset[str]:
        """See DataPlaneIdentity."""
        if claimed(bearer_token(authorization), "sub"):
            return await self._signed.authenticate(authorization)
        return await self._shared.authenticate(authorization)


def _verifier(data_plane_id: str, issuer: TokenIssuer, clock: Clock) -> JwtVerifier:
    rules = TokenRules(audience=issuer.audience, issuer=issuer.issuer, subject=data_plane_id, once=issuer.single_use)
    return JwtVerifier(issuer.keys, rules, clock)
