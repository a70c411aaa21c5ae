"""What every emulator can be told under `/_emulator/`: to fail, to throttle, to be slow, to be wrong about the time.

It also tells which requests came. A record holds no header and no body, so no secret.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Final

from fastapi import FastAPI, Query, Request, Response

from emulators.clock import OffsetClock

CONTROLS: Final = "/_emulator"
_LONGEST_LOG: Final = 10_000

Count = Annotated[int, Query(ge=0)]


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request and its answer. `caller`: what the emulator knows about who asked; never a credential."""

    method: str
    path: str
    query: str
    status: int
    caller: str


@dataclass(slots=True)
class Faults:
    """How many of the next requests go wrong, and how. Throttling comes first, then failing; a delay adds to either."""

    throttled: int = 0
    failing: int = 0
    failing_status: int = 500
    delayed: int = 0
    delay_seconds: float = 0


class Controls:
    """The faults, the clock and the request log of one emulator.

    `throttled` and `failed` make the answers in the words of the service that is played. `touches`: which paths the
    faults apply to.
    """

    def __init__(
        self,
        *,
        throttled: Callable[[Request], Response],
        failed: Callable[[Request, int], Response],
        touches: Callable[[str], bool] = lambda _: True,
        clock: OffsetClock | None = None,
    ) -> None:
        self.clock = clock or OffsetClock()
        self._faults = Faults()
        self._throttled = throttled
        self._failed = failed
        self._touches = touches
        self._log: deque[RequestRecord] = deque(maxlen=_LONGEST_LOG)

    def attach(self, app: FastAPI) -> None:
        """Add the controls to an application, and have them see each of its requests."""
        app.middleware("http")(self._answer)
        routes: list[tuple[str, str, Callable[..., object]]] = [
            ("POST", "throttle", self._throttle),
            ("POST", "fail", self._fail),
            ("POST", "delay", self._delay),
            ("POST", "clock", self._set_clock),
            ("GET", "requests", self._requests),
        ]
        for method, name, endpoint in routes:
            app.add_api_route(f"{CONTROLS}/{name}", endpoint, methods=[method])

    async def _throttle(self, requests: Count) -> Faults:
        self._faults.throttled = requests
        return self._faults

    async def _fail(self, requests: Count, status: Annotated[int, Query(ge=400, le=599)] = 500) -> Faults:
        self._faults.failing, self._faults.failing_status = requests, status
        return self._faults

    async def _delay(self, requests: Count, seconds: Annotated[float, Query(ge=0, le=600)]) -> Faults:
        self._faults.delayed, self._faults.delay_seconds = requests, seconds
        return self._faults

    async def _set_clock(self, offset_seconds: float) -> dict[str, float]:
        self.clock.offset_seconds = offset_seconds
        return {"offset_seconds": offset_seconds}

    async def _requests(self) -> list[dict[str, str | int]]:
        return [asdict(record) for record in self._log]

    async def _answer(self, request: Request, answered: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path.startswith(CONTROLS):
            return await answered(request)
        fault = await self._fault(request) if self._touches(request.url.path) else None
        response = fault or await answered(request)
        caller = getattr(request.state, "caller", "")
        record = RequestRecord(request.method, request.url.path, request.url.query, response.status_code, caller)
        self._log.append(record)
        return response

    async def _fault(self, request: Request) -> Response | None:
        faults = self._faults
        if faults.delayed:
            faults.delayed -= 1
            await asyncio.sleep(faults.delay_seconds)
        if faults.throttled:
            faults.throttled -= 1
            return self._throttled(request)
        if faults.failing:
            faults.failing -= 1
            return self._failed(request, faults.failing_status)
        return None
