"""A counterparty that answers what a test says, over real HTTP, keeps what it was told, and speaks for the test."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from control_plane.dsp_messages import CONTEXT
from tests.serving import loopback_socket, serving

THEM: Final = "did:web:them"
TYPES: Final = {
    "start": "TransferStartMessage",
    "completion": "TransferCompletionMessage",
    "suspension": "TransferSuspensionMessage",
    "termination": "TransferTerminationMessage",
}
AUTHORIZATION: Final = {"Authorization": json.dumps({"clientId": THEM})}


@dataclass
class ScriptedParticipant:
    """`answers`: status by the last part of the path, 200 for every other one; `shows`: its state, for those who ask.

    `held`: names of messages whose answers wait until `release` is called.
    """

    url: str = ""
    answers: dict[str, int] = field(default_factory=dict)
    shows: str = ""
    pid: str = ""
    """What it calls its newest process."""
    held: set[str] = field(default_factory=set)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["ScriptedParticipant"]:
        """It answers as long as this is open."""
        bound = loopback_socket()
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with serving(self._app(), bound):
            try:
                yield self
            finally:
                self.release()

    def messages(self) -> list[str]:
        """The names of what it was told, in order."""
        return [name for name, _ in self.told]

    def newest(self, name: str) -> dict[str, Any]:
        """The newest message of this name."""
        return next(body for told, body in reversed(self.told) if told == name)

    def release(self) -> None:
        """Answer what is held."""
        self.held.clear()
        self._released.set()
        self._released = asyncio.Event()

    async def ask(self, base_url: str, pid: str) -> dict[str, Any]:
        """What a process shows."""
        async with httpx.AsyncClient(headers=AUTHORIZATION) as http:
            response = await http.get(f"{base_url}/transfers/{pid}")
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def request(self, base_url: str, **members: Any) -> httpx.Response:
        """Ask for data."""
        body = {"@context": [CONTEXT], "@type": "TransferRequestMessage", "callbackAddress": self.url, **members}
        async with httpx.AsyncClient(headers=AUTHORIZATION) as http:
            return await http.post(f"{base_url}/transfers/request", json=body)

    async def say(self, base_url: str, name: str, *, consumer: str, provider: str, **members: Any) -> httpx.Response:
        """Say something about a process that both know."""
        pid = provider if consumer == self.pid else consumer
        ids = {"consumerPid": consumer, "providerPid": provider}
        body = {"@context": [CONTEXT], "@type": TYPES[name], **ids, **members}
        async with httpx.AsyncClient(headers=AUTHORIZATION) as http:
            return await http.post(f"{base_url}/transfers/{pid}/{name}", json=body)

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/transfers/{pid}")
        async def show(pid: str) -> JSONResponse:
            ids = {"consumerPid": pid, "providerPid": pid}
            return JSONResponse({"@type": "TransferProcess", **ids, "state": self.shows} if self.shows else ids)

        @app.post("/{path:path}")
        async def answer(path: str, request: Request) -> JSONResponse:
            name = path.rpartition("/")[2]
            body = await request.json()
            self.told.append((name, body))
            if name in self.held:
                await self._released.wait()
            ids = {"consumerPid": body["consumerPid"], "providerPid": body.get("providerPid", self.pid)}
            return JSONResponse({"@type": "TransferProcess", **ids}, status_code=self.answers.get(name, 200))

        return app
