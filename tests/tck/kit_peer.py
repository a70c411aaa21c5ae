"""The data plane and the other participant that the conformance kit plays, after its published sources.

A signal is answered once, and only while it is waited for; a body that breaks the schemas is 400. Answers are as short
as the kit's, process ids of the other side are random, and the next message follows at once.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from tests.eventually import eventually
from tests.serving import loopback_socket, serving
from tests.tck.control_plane_under_test import (
    AS_CONSUMER,
    AS_PROVIDER,
    CONSUMER,
    PROVIDER,
    TRANSFER_TYPE,
    ControlPlaneUnderTest,
)

CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
_BEGINNING = (
    *("messageId", "participantId", "counterPartyId", "dataspaceContext", "processId"),
    *("agreementId", "datasetId", "profile", "claims"),
)
REQUIRED = {
    "prepare": _BEGINNING,
    "start": _BEGINNING,
    **dict.fromkeys(("started", "suspend", "resume", "terminate"), ("messageId",)),
}
"""Members that the kit's schemas demand of each signal."""


@dataclass
class KitPeer:
    """What it was told, and what it expects. `url`: where it plays both parts."""

    url: str = ""
    cut: ControlPlaneUnderTest | None = None
    signals: list[str] = field(default_factory=list)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    process_id: str = ""
    party: str = ""
    """What it calls itself as the other participant."""
    dsp: list[str] = field(default_factory=list)
    _expected: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["KitPeer"]:
        """It answers as long as this is open."""
        bound = loopback_socket()
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with serving(self._app(), bound), httpx.AsyncClient(timeout=10) as self._http:
            yield self

    def expect(self, signal: str, answer: dict[str, Any] | None = None, *, status: int = 200) -> None:
        """The next signal of this name is answered so."""
        self._expected[signal] = (status, answer or {})

    async def told(self, signal: str) -> dict[str, Any]:
        """Wait until this signal was the last one."""

        async def is_last() -> bool:
            assert not self.problems, self.problems
            return self.signals[-1:] == [signal]

        await eventually(is_last, seconds=10)
        return self.bodies[signal]

    async def trigger(self) -> None:
        """Let the control plane begin a transfer as the consumer."""
        self.party = PROVIDER
        answer = await self._sent(
            f"{self._cut.webhook_url}/dataflows/trigger",
            {"agreementId": AS_CONSUMER, "datasetId": "any", "dataPlaneUrl": self.url, "dspUrl": self.url},
        )
        self.process_id = answer["id"]

    async def request(self) -> None:
        """Ask the control plane for data, as the consumer's control plane."""
        self.party = CONSUMER
        body = {
            "@context": CONTEXT,
            "@type": "TransferRequestMessage",
            "consumerPid": str(uuid4()),
            "callbackAddress": self.url,
            "agreementId": AS_PROVIDER,
            "format": TRANSFER_TYPE,
        }
        answer = await self._sent(f"{self._cut.protocol_url}/transfers/request", body, name=self.party)
        self.process_id = answer["providerPid"]

    async def tell(self, name: str, message_type: str, **members: Any) -> None:
        """A message of the Dataspace Protocol, with a random id of the other side."""
        body = {
            "@context": CONTEXT,
            "@type": message_type,
            "providerPid": self.process_id,
            "consumerPid": str(uuid4()),
            **members,
        }
        await self._sent(f"{self._cut.protocol_url}/transfers/{self.process_id}/{name}", body, name=self.party)

    async def call_back(self, name: str, **members: Any) -> None:
        """A call-back of the data plane, without the message id that the kit leaves out as well."""
        await self._sent(f"{self._cut.signaling_url}/transfers/{self.process_id}/dataflow/{name}", members)

    async def requested(self) -> None:
        """Wait until the control plane has sent its request for data."""

        async def is_there() -> bool:
            return "request" in self.dsp

        await eventually(is_there, seconds=10)

    async def reached(self, state: str) -> None:
        """Wait until the control plane shows the transfer in this state of the protocol."""

        async def is_there() -> bool:
            url = f"{self._cut.protocol_url}/transfers/{self.process_id}"
            answer = await self._http.get(url, headers={"Authorization": _named(self.party)})
            return bool(answer.is_success and answer.json()["state"] == state)

        await eventually(is_there, seconds=10)

    @property
    def _cut(self) -> ControlPlaneUnderTest:
        assert self.cut is not None
        return self.cut

    async def _sent(self, url: str, body: dict[str, Any], *, name: str = "") -> dict[str, Any]:
        headers = {"Authorization": _named(name)} if name else {}
        answer = await self._http.post(url, json=body, headers=headers)
        assert answer.is_success, (url, answer.status_code, answer.text)
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/transfers/request")
        async def request(request: Request) -> JSONResponse:
            self.dsp.append("request")
            pids = {"providerPid": str(uuid4()), "consumerPid": (await request.json())["consumerPid"]}
            return JSONResponse({"@context": CONTEXT, "@type": "TransferProcess", **pids})

        @app.post("/transfers/{pid}/start")
        async def start(pid: str, request: Request) -> JSONResponse:
            self.dsp.append("start")
            self.bodies["TransferStartMessage"] = await request.json()
            pids = {"providerPid": self.process_id, "consumerPid": str(uuid4())}
            return JSONResponse({"@context": CONTEXT, "@type": "TransferProcess", **pids})

        @app.post("/dataflows/{path:path}")
        async def signal(path: str, request: Request) -> JSONResponse:
            name = path.rpartition("/")[2]
            body = await request.json()
            missing = [member for member in REQUIRED.get(name, ()) if member not in body]
            nulls = [member for member, value in body.items() if value is None]
            if name not in self._expected or missing or nulls:
                self.problems.append(f"{path}: not awaited, or lacks {missing}, or nulls {nulls}")
                return JSONResponse({}, status_code=400 if missing or nulls else 404)
            status, answer = self._expected.pop(name)
            self.bodies[name] = body | {"path": path}
            self.signals.append(name)
            return JSONResponse(answer, status_code=status)

        return app


def _named(party: str) -> str:
    return f'{{"clientId":"{party}"}}'
