"""An OAuth 2.0 authorization server: gives out signed tokens for client credentials, and shows its keys."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
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
    """`asked`: the form of each request for a token."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @asynccontextmanager
    async def open(self) -> AsyncIterator["AuthorizationServer"]:
        """It answers as long as this is open."""
        bound = loopback_socket()
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with serving(self._app(), bound):
            yield self

    def jwks(self) -> dict[str, Any]:
        """The public key."""
        return {"keys": [{**json.loads(ECAlgorithm.to_jwk(self.key.public_key())), "kid": "key-1", "use": "sig"}]}

    def token(self, **changes: Any) -> str:
        """A token; a claim with the value None is left out."""
        now = int(SystemClock().now().timestamp())
        claims = {
            "iss": self.url,
            "sub": "plane",
            "aud": "did:web:us",
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid4()),
        }
        present = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode(present, self.key, algorithm="ES256", headers={"kid": "key-1"})

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/token")
        async def give(request: Request) -> JSONResponse:
            form = dict(p.split("=", 1) for p in (await request.body()).decode().split("&"))
            self.asked.append(form)
            if form.get("client_secret") != SECRET:
                return JSONResponse({"error": "invalid_client"}, status_code=401)
            return JSONResponse({"access_token": self.token(), "token_type": "Bearer", "expires_in": 60})

        @app.get("/keys")
        async def keys() -> JSONResponse:
            return JSONResponse(self.jwks())

        return app
