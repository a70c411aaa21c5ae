"""A data plane that answers what a test says, over real HTTP, and keeps what it was told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from tests.serving import loopback_socket, serving


@dataclass
class ScriptedDataPlane:
    """`answers`: by the last part of the path; 200 and an empty object for every other one."""

    url: str = ""
    answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["ScriptedDataPlane"]:
        """It answers as long as this is open."""
        bound = loopback_socket()
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with serving(self._app(), bound):
            yield self

    def signals(self) -> list[str]:
        """What it was told, in order, without questions for the status."""
        return [name for name, _ in self.told if name != "status"]

    def body(self, name: str) -> dict[str, Any]:
        """The newest message of this name."""
        return next(body for told, body in reversed(self.told) if told == name)

    async def call_back(self, signaling_url: str, process_id: str, name: str, token: str = "", **members: Any) -> int:
        """Report something to a control plane; the status of its answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient() as http:
            url = f"{signaling_url}/transfers/{process_id}/dataflow/{name}"
            return (await http.post(url, json=members, headers=headers)).status_code

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.api_route("/{path:path}", methods=["GET", "POST", "PUT"])
        async def answer(path: str, request: Request) -> JSONResponse:
            name = path.rpartition("/")[2]
            self.told.append((name, await request.json() if await request.body() else {}))
            self.authorizations.append(request.headers.get("Authorization"))
            status, body = self.answers.get(name, (200, {}))
            return JSONResponse(body, status_code=status)

        return app


def address(endpoint_type: str, endpoint: str, **named: str) -> dict[str, Any]:
    """A data address as data planes write it."""
    properties = [{"@type": "EndpointProperty", "name": name, "value": value} for name, value in named.items()]
    return {
        "@type": "DataAddress",
        "endpointType": endpoint_type,
        "endpoint": endpoint,
        "endpointProperties": properties,
    }
