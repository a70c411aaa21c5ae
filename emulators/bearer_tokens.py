"""Checks signed tokens as their receivers do: signature, issuer, audience and time. RS256 alone."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

Claims = dict[str, Any]
PublicKeys = Mapping[str | None, RSAPublicKey]
"""Public keys by key id; under None the one that takes tokens with any key id."""

_ALGORITHM: Final = "RS256"
_OWN_CHECKS: Final = ("verify_aud", "verify_exp", "verify_iat", "verify_iss", "verify_nbf")


class Fault(StrEnum):
    """What is wrong with a token."""

    MALFORMED = "malformed"
    SIGNATURE = "signature"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"


class RefusedTokenError(Exception):
    """The token is not accepted; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"the token is refused: {fault}")
        self.fault = fault


def keys_of_jwks(document: Mapping[str, Any]) -> PublicKeys:
    """The RSA keys of a JSON web key set."""
    keys = jwt.PyJWKSet.from_dict(dict(document)).keys
    return {key.key_id: key.key for key in keys if isinstance(key.key, RSAPublicKey)}


def keys_in_file(path: Path) -> PublicKeys:
    """The keys in a file: one public key as PEM, or a JSON web key set."""
    content = path.read_bytes()
    if content.lstrip().startswith(b"{"):
        return keys_of_jwks(json.loads(content))
    key = load_pem_public_key(content)
    if not isinstance(key, RSAPublicKey):
        raise TypeError(f"{path} holds no RSA public key")
    return {None: key}


def key_id(token: str) -> str | None:
    """The key id that the token names.

    Raises:
        RefusedTokenError: it is not a signed token.
    """
    try:
        named = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError as error:
        raise RefusedTokenError(Fault.MALFORMED) from error
    return named if isinstance(named, str) else None


def verified_claims(
    token: str, keys: PublicKeys, *, issuer: str | None, audiences: frozenset[str] | None, now: float
) -> Claims:
    """The claims of a token that is signed, meant for one of the audiences and valid now (seconds since 1970).

    `issuer` or `audiences` None: any.

    Raises:
        RefusedTokenError: it is not.
    """
    key = keys.get(key_id(token)) or keys.get(None)
    if key is None:
        raise RefusedTokenError(Fault.SIGNATURE)
    try:
        claims: Claims = jwt.decode(token, key, algorithms=[_ALGORITHM], options=dict.fromkeys(_OWN_CHECKS, False))  # type: ignore[arg-type]
    except jwt.InvalidSignatureError as error:
        raise RefusedTokenError(Fault.SIGNATURE) from error
    except jwt.InvalidTokenError as error:
        raise RefusedTokenError(Fault.MALFORMED) from error
    if issuer is not None and claims.get("iss") != issuer:
        raise RefusedTokenError(Fault.ISSUER)
    if audiences is not None and not audiences.intersection(_audiences(claims)):
        raise RefusedTokenError(Fault.AUDIENCE)
    _check_time(claims, now)
    return claims


def _audiences(claims: Claims) -> list[str]:
    audience = claims.get("aud", [])
    return [audience] if isinstance(audience, str) else list(audience)


def _check_time(claims: Claims, now: float) -> None:
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(begins, int | float):
        raise RefusedTokenError(Fault.MALFORMED)
    if now >= expires:
        raise RefusedTokenError(Fault.EXPIRED)
    if now < begins:
        raise RefusedTokenError(Fault.NOT_YET_VALID)
