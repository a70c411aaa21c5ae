"""Checks the signed tokens of peers (RFC 7519): signature, parties, time, and that each is used once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from connector_spi.clock import Clock
from connector_spi.errors import UnauthenticatedError
from outbound_http.jwks import PublicKeys

ALGORITHMS: Final = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA")
"""Signatures with public keys only: a token that names a symmetric algorithm, or none, is refused."""
_TOKEN_MAX: Final = 16_384
_ID_MAX: Final = 512
_REFUSED: Final = "The token does not prove who is calling"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token has to say. `issuer`, `subject`: None accepts any."""

    audience: str
    issuer: str | None = None
    subject: str | None = None
    skew_seconds: float = 30.0
    max_life_seconds: float = 86_400.0
    """A token that claims a longer life is refused: its id would have to be remembered for so long."""
    subject_required: bool = True
    """False: whoever is calling is named by another claim, so that a token needs no `sub`."""
    once: bool = False
    """Whether a token's `jti` is accepted once; a client that keeps a token for several calls sends it again."""


class JwtVerifier:
    """Verifies tokens by one set of rules and keys.

    `keys` None: the signature is not checked and anybody can write a token; only for development, where `insecure` has
    to say so.
    """

    def __init__(self, keys: PublicKeys | None, rules: TokenRules, clock: Clock, *, insecure: bool = False) -> None:
        if keys is None and not insecure:
            raise ValueError("Tokens can be checked with keys alone.")
        self._keys = keys
        self._rules = rules
        self._clock = clock
        self._seen: dict[str, float] = {}

    async def claims(self, token: str) -> Mapping[str, Any]:
        """What the token says, once all of it is checked.

        Raises:
            UnauthenticatedError: the token is refused; says why in words that help its sender alone.
            PeerUnavailableError, ForbiddenAddressError: its keys could not be fetched.
        """
        if not 0 < len(token) <= _TOKEN_MAX:
            raise UnauthenticatedError(f"{_REFUSED}: it is empty or too long.")
        # First what the token says of itself: nobody's keys are fetched for one that would be refused anyway.
        claimed = _unverified(token)
        self._check_parties(claimed)
        expires = self._check_time(claimed)
        claims = await self._signed(token)
        if self._rules.once:
            self._remember(claims, expires)
        return claims

    async def _signed(self, token: str) -> Mapping[str, Any]:
        """The claims, of a token with a good signature."""
        try:
            header = jwt.get_unverified_header(token)
            if self._keys is None:
                return _decoded(token, None)
            kid = header.get("kid")
            for key in await self._keys.candidates(kid if isinstance(kid, str) else None):
                try:
                    return _decoded(token, key)
                except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
                    continue
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise UnauthenticatedError(f"{_REFUSED}: it is malformed, or not signed as it has to be.") from error
        raise UnauthenticatedError(f"{_REFUSED}: no known key has signed it.")

    def _check_parties(self, claims: Mapping[str, Any]) -> None:
        rules, audience = self._rules, claims.get("aud")
        if rules.audience not in (audience if isinstance(audience, list) else [audience]):
            raise UnauthenticatedError(f"{_REFUSED}: its audience is not {rules.audience!r}.")
        for name, expected in (("iss", rules.issuer), ("sub", rules.subject)):
            found = claims.get(name)
            if name == "sub" and not rules.subject_required:
                continue
            if not isinstance(found, str) or not found or (expected is not None and found != expected):
                raise UnauthenticatedError(f"{_REFUSED}: its {name!r} is not the expected one.")

    def _check_time(self, claims: Mapping[str, Any]) -> float:
        """When the token ends, in seconds since 1970."""
        rules, now = self._rules, self._clock.now().timestamp()
        issued, expires = _seconds(claims.get("iat")), _seconds(claims.get("exp"))
        not_before = _seconds(claims.get("nbf", issued))
        if max(issued, not_before) > now + rules.skew_seconds:
            raise UnauthenticatedError(f"{_REFUSED}: it is of a later time.")
        if expires <= now - rules.skew_seconds:
            raise UnauthenticatedError(f"{_REFUSED}: it has expired.")
        if expires - issued > rules.max_life_seconds:
            raise UnauthenticatedError(f"{_REFUSED}: it claims a longer life than {rules.max_life_seconds:g} seconds.")
        return expires

    def _remember(self, claims: Mapping[str, Any], expires: float) -> None:
        """Accept a token's id once; ids are forgotten when the token would have expired anyway."""
        token_id = claims.get("jti")
        if not isinstance(token_id, str) or not 0 < len(token_id) <= _ID_MAX:
            raise UnauthenticatedError(f"{_REFUSED}: it has no 'jti'.")
        now, key = self._clock.now().timestamp(), f"{claims['iss']} {token_id}"
        if len(self._seen) % 256 == 0:
            limit = now - self._rules.skew_seconds
            self._seen = {seen: until for seen, until in self._seen.items() if until > limit}
        if key in self._seen:
            raise UnauthenticatedError(f"{_REFUSED}: it was used before.")
        self._seen[key] = expires


def bearer_token(authorization: str | None) -> str:
    """The token of an `Authorization` header; empty when there is none.

    The scheme's case does not matter (RFC 9110).
    """
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def claimed(token: str, name: str) -> str:
    """A text that a token says of itself, before any of it is believed; empty when it says none."""
    try:
        found = _decoded(token, None).get(name) if 0 < len(token) <= _TOKEN_MAX else None
    except (jwt.PyJWTError, ValueError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


def _unverified(token: str) -> Mapping[str, Any]:
    try:
        return _decoded(token, None)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise UnauthenticatedError(f"{_REFUSED}: it is malformed.") from error


def _decoded(token: str, key: jwt.PyJWK | None) -> Mapping[str, Any]:
    # Time and parties are checked by our own clock and rules.
    options: Any = {"verify_signature": key is not None, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    options |= {"verify_aud": False, "verify_iss": False, "verify_sub": False, "verify_jti": False}
    if key is None:
        return jwt.decode(token, options=options)
    return jwt.decode(token, key, algorithms=list(ALGORITHMS), options=options)


def _seconds(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:  # JSON knows whole numbers of any size
        seconds = math.inf
    if not math.isfinite(seconds):
        raise UnauthenticatedError(f"{_REFUSED}: 'iat' and 'exp' have to be numbers.")
    return seconds
