"""Plays whoever signs tokens: a Kubernetes cluster with its service accounts, or Entra ID."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

_KEY_BITS: Final = 2048
_EXPONENT: Final = 65537


class TokenIssuer:
    """Signs tokens with RS256. A new key is made unless an old one is given as PEM."""

    def __init__(self, issuer: str, *, key_pem: str | None = None) -> None:
        self.issuer = issuer
        self._key = _loaded(key_pem) if key_pem else rsa.generate_private_key(_EXPONENT, _KEY_BITS)
        self._key_id = sha256(self._public_pem()).hexdigest()

    def issue(self, *, audience: str | list[str], issued: float, begins: float, expires: float, **claims: Any) -> str:
        """A signed token; times in seconds since 1970."""
        times = {"iat": int(issued), "nbf": int(begins), "exp": int(expires)}
        payload = {"iss": self.issuer, "aud": audience, **times, **claims}
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": self._key_id})

    def key_set(self) -> dict[str, Any]:
        """The public key as a JSON web key set."""
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self._key_id, "use": "sig"}]}

    def write_public_key(self, path: Path) -> None:
        """Write the public key as PEM, for the options of those who check the tokens."""
        path.write_bytes(self._public_pem())

    def private_pem(self) -> str:
        """The private key, to be kept by the emulator's state alone."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def _public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _loaded(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the key is not an RSA key")
    return key
