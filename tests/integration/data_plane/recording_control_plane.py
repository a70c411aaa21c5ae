"""A control plane that only listens: what it was told, and what it is to answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class RecordingControlPlane:
    """`calls`: (flow id, kind, body) in order. `answers`: HTTP statuses by kind, used up one by one; then 200."""

    base: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        flow_id, kind = request.match_info["flow_id"], request.match_info["kind"]
        self.calls.append((flow_id, kind, await request.json()))
        self.authorizations.append(request.headers.get("Authorization", ""))
        self._changed.set()
        queue = self.answers.get(kind, [])
        return web.json_response({}, status=queue.pop(0) if queue else 200)

    def of(self, flow_id: str, kind: str) -> list[dict[str, Any]]:
        return [body for called, what, body in self.calls if (called, what) == (flow_id, kind)]

    async def told(self, flow_id: str, kind: str, *, times: int = 1, seconds: float = 60) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while len(self.of(flow_id, kind)) < times:
                self._changed.clear()
                await self._changed.wait()
        return self.of(flow_id, kind)[-1]


@asynccontextmanager
async def listening_control_plane() -> AsyncIterator[RecordingControlPlane]:
    recorder = RecordingControlPlane()
    async with serving_calls(recorder):
        yield recorder


@asynccontextmanager
async def serving_calls(recorder: RecordingControlPlane) -> AsyncIterator[None]:
    """Let data planes reach it, at its `base`."""
    app = web.Application()
    app.router.add_post("/signaling/transfers/{flow_id}/dataflow/{kind}", recorder.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    recorder.base = f"http://127.0.0.1:{port}/signaling"
    try:
        yield
    finally:
        await runner.cleanup()
