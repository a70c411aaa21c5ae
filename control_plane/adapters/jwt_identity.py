"""CounterpartyIdentity by short-lived JWTs that each participant signs itself.

Each message carries a token of its own: ES256, issuer and subject are the sender, the audience is the receiver, and
its id is accepted once. Such a token proves its sender's name and nothing else. Source of the claims: RFC 7519; with a
key name, the form is that of a Self-Issued ID Token (DCP 1.0), without an access token for credentials.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connector_spi.clock import Clock
from connector_spi.errors import PermanentError, UnauthenticatedError
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from control_plane.domain.participant import Counterparty, Participant
from outbound_http.jwks import PublicKeys
from outbound_http.jwt_verification import JwtVerifier, TokenRules, bearer_token, claimed

_ALGORITHM: Final = "ES256"
_LIFE_MAX_SECONDS: Final = 600
"""A token that claims a longer life is refused: its id would have to be remembered that long."""
_KEY_KEPT: Final = timedelta(seconds=30)


class SigningKeyError(PermanentError):
    """The participant's private key cannot be used."""

    code = "SigningKey"
    cause = (
        "what the vault holds as this participant's signing key cannot be used: it is not the PEM of a P-256 private "
        "key"
    )
    remedy = (
        "Make one with `connector identity create --config FILE`; `identity.signing_key_alias` names where it rests."
    )


class JwtIdentity:
    """Signs with the participant's key from the vault; verifies with the keys of the counterparties that it knows."""

    def __init__(
        self,
        *,
        participant_id: str,
        signing_key_alias: str,
        keys: Mapping[str, PublicKeys],
        token_seconds: float,
        clock_skew_seconds: float,
        vault: Vault,
        clock: Clock,
        key_id: str | None = None,
    ) -> None:
        """`keys`: by participant id; everybody else is refused. `key_id`: how tokens name this participant's key."""
        self._participant_id = participant_id
        self._signing_key_alias = signing_key_alias
        self._token_life = timedelta(seconds=token_seconds)
        self._vault = vault
        self._clock = clock
        self._headers = {"kid": key_id} if key_id else None
        self._signing_key: tuple[EllipticCurvePrivateKey, datetime] | None = None
        self._verifiers = {peer: self._verifier(peer, known, clock_skew_seconds) for peer, known in keys.items()}

    async def authorization_for(self, counterparty: Counterparty) -> str:
        """A fresh token for one message."""
        now = self._clock.now()
        claims = {
            "iss": self._participant_id,
            "sub": self._participant_id,
            "aud": counterparty.id,
            "iat": now,
            "nbf": now,
            "exp": now + self._token_life,
            "jti": str(uuid4()),
        }
        return "Bearer " + jwt.encode(claims, await self._key(), algorithm=_ALGORITHM, headers=self._headers)

    def refused(self, counterparty: Counterparty, authorization: str) -> bool:
        """Each message has a token of its own already, signed with the same key."""
        return False

    async def authenticate(self, authorization: str | None) -> Participant:
        """Who signed this token."""
        token = bearer_token(authorization)
        issuer = claimed(token, "iss")
        if issuer not in self._verifiers:
            raise UnauthenticatedError("The header holds no token, or none of a counterparty that is known here.")
        await self._verifiers[issuer].claims(token)
        return Participant(id=issuer)

    def _verifier(self, peer: str, keys: PublicKeys, skew_seconds: float) -> JwtVerifier:
        rules = TokenRules(
            audience=self._participant_id,
            issuer=peer,
            subject=peer,
            skew_seconds=skew_seconds,
            max_life_seconds=_LIFE_MAX_SECONDS,
            once=True,
        )
        return JwtVerifier(keys, rules, self._clock)

    async def _key(self) -> EllipticCurvePrivateKey:
        """The private key; kept for seconds only, so that a rotated one is picked up."""
        now = self._clock.now()
        if self._signing_key is None or now > self._signing_key[1]:
            key = _private_key(
                self._signing_key_alias,
                await resolved(self._vault, self._signing_key_alias, purpose="sign a protocol message"),
            )
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
