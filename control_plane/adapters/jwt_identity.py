"""CounterpartyIdentity by short-lived signed JWTs, checked against the counterparty's configured public key.

Each message carries a token of its own: ES256, issuer and subject are the sender, the audience is the receiver, and
its id is accepted once. Source of the claims: RFC 7519; the profile is this project's.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from connector_spi.clock import Clock
from connector_spi.errors import ConfigurationError, PermanentError, UnauthenticatedError
from connector_spi.vault import Vault
from control_plane.domain.participant import Counterparty, Participant

_ALGORITHM: Final = "ES256"
_SCHEME: Final = "Bearer "
_TOKEN_MAX: Final = 8192
_LIFE_MAX_SECONDS: Final = 600
"""A token that claims a longer life is refused: its id would have to be remembered that long."""
_KEY_KEPT: Final = timedelta(seconds=30)
_REFUSED: Final = "The Authorization header does not prove who is calling."


class SigningKeyError(PermanentError):
    """The participant's private key cannot be used."""

    code = "SigningKey"


class JwtIdentity:
    """Signs with the participant's key from the vault; verifies with the keys that the operator configured."""

    def __init__(
        self,
        *,
        participant_id: str,
        signing_key_alias: str,
        public_keys: Mapping[str, str],
        token_seconds: float,
        clock_skew_seconds: float,
        vault: Vault,
        clock: Clock,
    ) -> None:
        """`public_keys`: participant id -> PEM.

        Raises:
            ConfigurationError: one of the keys is not a P-256 public key.
        """
        self._participant_id = participant_id
        self._signing_key_alias = signing_key_alias
        self._public_keys = {peer: _public_key(peer, pem) for peer, pem in public_keys.items()}
        self._token_life = timedelta(seconds=token_seconds)
        self._clock_skew_seconds = clock_skew_seconds
        self._vault = vault
        self._clock = clock
        self._seen: dict[str, float] = {}
        self._signing_key: tuple[EllipticCurvePrivateKey, datetime] | None = None

    async def authorization_for(self, counterparty: Counterparty) -> str:
        """A fresh token for one message."""
        now = self._clock.now()
        claims = {
            "iss": self._participant_id,
            "sub": self._participant_id,
            "aud": counterparty.id,
            "iat": now,
            "exp": now + self._token_life,
            "jti": str(uuid4()),
        }
        return _SCHEME + jwt.encode(claims, await self._key(), algorithm=_ALGORITHM)

    async def authenticate(self, authorization: str | None) -> Participant:
        """Who signed this token."""
        token = (authorization or "").removeprefix(_SCHEME)
        if not authorization or not authorization.startswith(_SCHEME) or len(token) > _TOKEN_MAX:
            raise UnauthenticatedError(_REFUSED)
        try:
            named = jwt.decode(token, options={"verify_signature": False}).get("iss")
            key = self._public_keys.get(named) if isinstance(named, str) else None
            if key is None or not isinstance(named, str):
                raise UnauthenticatedError(_REFUSED)
            claims = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                audience=self._participant_id,
                issuer=named,
                leeway=self._clock_skew_seconds,
                options={"require": ["iss", "sub", "aud", "iat", "exp", "jti"]},
            )
            life_seconds = float(claims["exp"]) - float(claims["iat"])
        except (jwt.PyJWTError, OverflowError) as error:
            raise UnauthenticatedError(_REFUSED) from error
        # PyJWT takes numbers as texts, and NaN, which is neither more nor less than anything.
        if claims["sub"] != named or not life_seconds <= _LIFE_MAX_SECONDS:
            raise UnauthenticatedError(_REFUSED)
        self._remember(f"{named} {claims['jti']}", float(claims["exp"]))
        return Participant(id=named)

    def _remember(self, token_id: str, expires: float) -> None:
        """Accept a token's id once; ids are forgotten when the token would have expired anyway."""
        now = self._clock.now().timestamp()
        if token_id in self._seen:
            raise UnauthenticatedError(_REFUSED)
        if len(self._seen) % 256 == 0:
            limit = now - self._clock_skew_seconds
            self._seen = {key: until for key, until in self._seen.items() if until > limit}
        self._seen[token_id] = expires

    async def _key(self) -> EllipticCurvePrivateKey:
        """The private key; kept for seconds only, so that a rotated one is picked up."""
        now = self._clock.now()
        if self._signing_key is None or now > self._signing_key[1]:
            key = _private_key(self._signing_key_alias, await self._vault.resolve(self._signing_key_alias))
            self._signing_key = (key, now + _KEY_KEPT)
        return self._signing_key[0]


def _private_key(alias: str, pem: str) -> EllipticCurvePrivateKey:
    refused = f"The secret under the alias {alias!r} is not a private key for {_ALGORITHM}."
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(refused) from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise SigningKeyError(refused)
    return key


def _public_key(peer: str, pem: str) -> EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(key=f"counterparties[{peer}].public_key", problem="is not a PEM public key") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ConfigurationError(
            key=f"counterparties[{peer}].public_key",
            problem="is not a P-256 key",
            remedy="`connector identity create` prints one that is.",
        )
    return key
