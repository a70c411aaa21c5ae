"""An OAuth 2.0 authorization server: gives out signed tokens for client credentials, and shows its keys."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from jwt.algorithms import ECAlgorithm

from connector_spi.clock import SystemClock
from tests.serving import loopback_socket, serving

SECRET = "the-client-secret"


@dataclass
class AuthorizationServer:
    """`asked`: the form of each request for a token. `clients`: what the tokens of each client say of it."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    kid: str = "key-1"
    clients: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    life_seconds: int = 60
    _port: int = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["AuthorizationServer"]:
        """It answers as long as this is open; opened again, at the same address."""
        bound = loopback_socket(self._port)
        self._port = bound.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        async with serving(self._app(), bound):
            yield self

    def rotate(self, kid: str) -> None:
        """From now on another key signs, and the old one is not shown any more."""
        self.key, self.kid = ec.generate_private_key(ec.SECP256R1()), kid

    def jwks(self) -> dict[str, Any]:
        """The public key."""
        return {"keys": [{**json.loads(ECAlgorithm.to_jwk(self.key.public_key())), "kid": self.kid, "use": "sig"}]}

    def token(self, **changes: Any) -> str:
        """A token; a claim with the value None is left out."""
        now = int(SystemClock().now().timestamp())
        claims = {
            "iss": self.url,
            "sub": "plane",
            "aud": "did:web:us",
            "iat": now,
            "exp": now + self.life_seconds,
            "jti": str(uuid4()),
        }
        present = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode(present, self.key, algorithm="ES256", headers={"kid": self.kid})

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/token")
        async def give(request: Request) -> JSONResponse:
            form = dict(parse_qsl((await request.body()).decode()))
            self.asked.append(form)
            if form.get("client_secret") != SECRET:
                return JSONResponse({"error": "invalid_client"}, status_code=401)
            says = dict(self.clients.get(form["client_id"], {}))
            if "audience" in form:
                says["aud"] = form["audience"]
            answer = {"access_token": self.token(**says), "token_type": "Bearer", "expires_in": self.life_seconds}
            return JSONResponse(answer)

        @app.get("/keys")
        async def keys() -> JSONResponse:
            return JSONResponse(self.jwks())

        return app
