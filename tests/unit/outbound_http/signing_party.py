"""A party that signs tokens and publishes its keys over real HTTP."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.loopback_server import answering
from tests.unit.data_plane.fakes import NOON


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: ec.EllipticCurvePrivateKey, kid: str | None) -> dict[str, Any]:
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwk if kid is None else {**jwk, "kid": kid}


@dataclass
class SigningParty:
    """`document`: what it publishes; without one, its key set."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    kid: str | None = "k1"
    document: Callable[[], dict[str, Any]] | None = None

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [public_jwk(self.key, self.kid)]}

    def rotate(self, kid: str) -> None:
        self.key, self.kid = new_key(), kid

    async def respond(self, writer: asyncio.StreamWriter) -> None:
        body = self.document() if self.document else self.jwks
        await answering(json.dumps(body).encode())(writer)

    def token(self, *, algorithm: str = "ES256", key: Any = None, **claims: Any) -> str:
        now = int(NOON.timestamp())
        said = {"iss": "them", "sub": "them", "aud": "us", "iat": now, "exp": now + 60, "jti": "1", **claims}
        headers = {} if self.kid is None else {"kid": self.kid}
        stated = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(stated, self.key if key is None else key, algorithm=algorithm, headers=headers)
