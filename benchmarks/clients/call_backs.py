"""A control plane that only waits for the outcome of one data flow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from benchmarks.errors import BenchmarkError
from benchmarks.measurement import RUN_SECONDS

_COMPLETED = "completed"
_FAILED = frozenset({"errored", "terminated"})


class Outcomes:
    """`base` is the URL that a data plane sends its call-backs to."""

    def __init__(self) -> None:
        self.base = ""
        self._outcome: asyncio.Future[tuple[str, Any]] = asyncio.get_running_loop().create_future()

    async def handle(self, request: web.Request) -> web.Response:
        """One call-back."""
        kind = request.match_info["kind"]
        if kind in _FAILED | {_COMPLETED} and not self._outcome.done():
            self._outcome.set_result((kind, await request.json()))
        return web.json_response({})

    async def completed(self) -> None:
        """Return once the flow is completed.

        Raises:
            BenchmarkError: it ended otherwise, or not within `RUN_SECONDS`.
        """
        try:
            kind, body = await asyncio.wait_for(self._outcome, RUN_SECONDS)
        except TimeoutError:
            raise BenchmarkError(f"The data flow did not end within {RUN_SECONDS:.0f} seconds.") from None
        if kind != _COMPLETED:
            raise BenchmarkError(f"The data flow ended {kind}: {body}")


@asynccontextmanager
async def listening_for_outcomes() -> AsyncIterator[Outcomes]:
    """Listen on loopback for as long as the context lasts."""
    outcomes = Outcomes()
    app = web.Application()
    app.router.add_post("/signaling/transfers/{flow_id}/dataflow/{kind}", outcomes.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        outcomes.base = f"http://127.0.0.1:{runner.addresses[0][1]}/signaling"
        yield outcomes
    finally:
        await runner.cleanup()
