"""The control plane that the conformance kit plays, after its published sources: what it answers, and what it refuses.

Each call-back is waited for by a handler that answers once; without one it is 404. A body that breaks the schemas of
Data Plane Signaling 1.0-RC3 is 400, and the handler goes on waiting.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from connector_spi.signaling import DataFlowState

STATES = frozenset(DataFlowState)


@dataclass
class KitControlPlane:
    """`address`: where it listens. `seen`: the event, status and body of every call-back."""

    address: str = ""
    seen: list[tuple[str, int, Any]] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    key_id: str = "key-1"
    documents_served: int = 0
    _expected: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def did(self) -> str:
        """Its identity."""
        return f"did:web:{self.address.removeprefix('http://').replace(':', '%3A')}"

    def expect(self, event: str) -> asyncio.Event:
        """Answer the next call-back of this kind; the event is set when it came."""
        return self._expected.setdefault(event, asyncio.Event())

    def rotate_key(self) -> None:
        """Sign with a new key from now on, as the kit does for every test."""
        self.key, self.key_id = ec.generate_private_key(ec.SECP256R1()), f"{self.key_id}+"

    def client_token(self, claims: dict[str, Any]) -> str:
        """A token as the reader of a pull signs it."""
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": f"{self.did}#{self.key_id}"})

    async def called_back(self, request: web.Request) -> web.Response:
        event, body = request.match_info["event"], await request.json()
        status = self._status(event, body)
        self.seen.append((event, status, body))
        return web.json_response({"problems": problems(body)} if status == 400 else {}, status=status)

    def _status(self, event: str, body: Any) -> int:
        if event not in self._expected:
            return 404
        if problems(body):
            return 400
        self._expected.pop(event).set()
        return 200

    async def document(self, _request: web.Request) -> web.Response:
        self.documents_served += 1
        jwk = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        method = {"id": f"{self.did}#{self.key_id}", "type": "JsonWebKey2020", "publicKeyJwk": jwk}
        return web.json_response({"id": self.did, "verificationMethod": [method]})


def problems(body: Any) -> list[str]:
    """What breaks the schema of a StatusMessage."""
    found = [name for name in ("messageId", "dataFlowId") if not isinstance(body.get(name), str)]
    found += [] if body.get("state") in STATES else ["state"]
    found += [name for name, value in body.items() if value is None]
    return found + (address_problems(body["dataAddress"]) if "dataAddress" in body else [])


def address_problems(address: dict[str, Any]) -> list[str]:
    """What breaks the schema of a DataAddress (Dataspace Protocol 2025-1)."""
    found = [] if address.get("@type") == "DataAddress" else ["@type"]
    found += [name for name in ("endpointType", "endpoint") if name in address and not isinstance(address[name], str)]
    found += [] if "endpointType" in address else ["endpointType"]
    properties = address.get("endpointProperties", [{"@type": "EndpointProperty", "name": "", "value": ""}])
    found += [] if properties else ["endpointProperties"]
    for one in properties:
        good = one.get("@type") == "EndpointProperty" and isinstance(one.get("name"), str)
        found += [] if good and isinstance(one.get("value"), str) else ["endpointProperties"]
    return found


@asynccontextmanager
async def kit_control_plane() -> AsyncIterator[KitControlPlane]:
    """It listens as long as this is open."""
    kit = KitControlPlane()
    app = web.Application()
    app.router.add_post("/transfers/{id:.+}/dataflow/{event}", kit.called_back)
    app.router.add_get("/.well-known/did.json", kit.document)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    kit.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield kit
    finally:
        await runner.cleanup()
