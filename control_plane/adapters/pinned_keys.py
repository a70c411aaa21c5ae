"""Public keys of counterparties that the operator configured, or that a DID document lists for one purpose."""

from collections.abc import Sequence

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm

from connector_spi.errors import ConfigurationError
from outbound_http.jwks import PublicKeys


class PinnedKey:
    """One configured key, by whatever name a token calls it."""

    def __init__(self, participant_id: str, pem: str) -> None:
        """Reads the key.

        Raises:
            ConfigurationError: it is not a P-256 public key.
        """
        key = _public_key(participant_id, pem)
        self._keys = (jwt.PyJWK.from_dict(ECAlgorithm.to_jwk(key, as_dict=True)),)

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The key."""
        del kid
        return self._keys


class NamedKeys:
    """Keys of a DID document for Self-Issued ID Tokens: a token may leave its key unnamed only where there is one."""

    def __init__(self, keys: PublicKeys) -> None:
        self._keys = keys

    async def candidates(self, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The key of this name (DCP 1.0, validating Self-Issued ID Tokens)."""
        found = await self._keys.candidates(kid)
        return found if kid is not None or len(found) == 1 else ()


def _public_key(participant_id: str, pem: str) -> EllipticCurvePublicKey:
    setting = f"counterparties[{participant_id}].public_key"
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(key=setting, problem="is not a PEM public key") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ConfigurationError(
            key=setting, problem="is not a P-256 key", remedy="`connector identity create` prints one that is."
        )
    return key
