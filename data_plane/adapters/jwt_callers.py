"""Control planes that prove themselves by signed tokens (authorization profile oauth2_client_credentials)."""

from dataclasses import dataclass
from typing import Final

import httpx
import jwt

from connector_spi.clock import Clock
from connector_spi.errors import UnauthenticatedError
from data_plane.domain.registered_control_plane import RegisteredControlPlane
from data_plane.ports.control_plane_registry import ControlPlaneRegistry
from data_plane.services.callers import CONFIGURED
from outbound_http.jwks import FetchedKeys, InlineKeys, PublicKeys
from outbound_http.jwt_verification import JwtVerifier, TokenRules

_ID_MAX: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtRules:
    """`audience`: our own id. `configured`: the control plane of the settings, when it sends signed tokens."""

    audience: str
    configured: RegisteredControlPlane | None = None
    once: bool = False
    """Whether a token is accepted once."""
    unsigned_allowed: bool = False
    """Whether tokens of a control plane that named no keys are believed unchecked; for development."""


class JwtCallers:
    """Implements `data_plane.services.callers.CallerCheck`. A token's subject names the control plane."""

    def __init__(
        self, rules: JwtRules, registry: ControlPlaneRegistry, *, guarded: httpx.AsyncClient, clock: Clock
    ) -> None:
        self._rules = rules
        self._registry = registry
        self._guarded = guarded
        self._clock = clock
        self._verifiers: dict[RegisteredKey, JwtVerifier] = {}

    async def caller_of(self, token: str) -> str:
        """The control plane whose key has signed the token."""
        subject = _subject(token)
        known = self._rules.configured
        if known is not None and subject == known.id:
            await self._verifier(known).claims(token)
            return CONFIGURED
        found = await self._registry.find(subject)
        if found is None:
            raise UnauthenticatedError("The token's subject is no control plane that is known here.")
        await self._verifier(found).claims(token)
        return found.id

    def _verifier(self, of: RegisteredControlPlane) -> JwtVerifier:
        key = RegisteredKey(of.id, repr(of.jwks), of.jwks_uri)
        if key not in self._verifiers:
            # Verifiers of registrations that were replaced since are not kept.
            self._verifiers = {k: v for k, v in self._verifiers.items() if k.control_plane_id != of.id}
            self._verifiers[key] = self._new_verifier(of)
        return self._verifiers[key]

    def _new_verifier(self, of: RegisteredControlPlane) -> JwtVerifier:
        keys: PublicKeys | None = None
        if of.jwks is not None:
            keys = InlineKeys(of.jwks)
        elif of.jwks_uri:
            keys = FetchedKeys(self._guarded, of.jwks_uri)
        elif not self._rules.unsigned_allowed:
            raise UnauthenticatedError("This control plane named no keys that its tokens can be checked with.")
        rules = TokenRules(audience=self._rules.audience, subject=of.id, once=self._rules.once)
        return JwtVerifier(keys, rules, self._clock, insecure=self._rules.unsigned_allowed)


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """What a verifier was made from."""

    control_plane_id: str
    jwks: str
    jwks_uri: str


def _subject(token: str) -> str:
    """Who the token says that it is of; not checked yet."""
    try:
        subject = jwt.decode(token, options={"verify_signature": False}).get("sub")
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise UnauthenticatedError("The token is not one that is known here.") from error
    # As in registrations; a text that no database keeps (NUL, half of a surrogate pair) must not be looked for.
    if not isinstance(subject, str) or not 0 < len(subject) <= _ID_MAX or not _is_storable(subject):
        raise UnauthenticatedError("The token names no subject.")
    return subject


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
