"""RequestPace: how many requests of a flow are under way at once; fewer when a service says that it is too busy.

Additive increase, multiplicative decrease, as TCP does it: the limit is halved when a request is throttled and grows
by one for each round of requests that went well. While a service asks for a pause (`Retry-After`) none is begun.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from connector_spi.errors import TransientError

_SMALLEST: Final = 1
_LONGEST_PAUSE: Final = 60.0
_SETTLING_SECONDS: Final = 1.0
"""Requests that were under way when the limit was halved may be throttled too; they do not halve it again."""


class RequestPace:
    """The limit of one flow; begins at `most`, which it never exceeds."""

    def __init__(self, most: int, *, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._limit = float(most)
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._monotonic = monotonic
        self._pause_until = 0.0
        self._halved_at = float("-inf")

    @property
    def limit(self) -> int:
        """Requests that may be under way now."""
        return int(self._limit)

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Wait for a place, hold it, and learn from how the request went."""
        await self._enter()
        try:
            await self._pause()
            yield
        except TransientError as error:
            if error.throttled:
                self._throttled(error.retry_after_seconds or 0.0)
            raise
        else:
            self._limit = min(float(self._most), self._limit + 1.0 / self._limit)
        finally:
            self._under_way -= 1
            self._admit()

    async def _pause(self) -> None:
        """Wait in the place that was taken: those that queue for one must not begin in the pause either."""
        while (left := self._pause_until - self._monotonic()) > 0:  # noqa: ASYNC110 - it may grow meanwhile
            await asyncio.sleep(left)

    async def _enter(self) -> None:
        if self._under_way < self.limit and not self._waiting:
            self._under_way += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._under_way -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._under_way < self.limit:
            place = self._waiting.popleft()
            if not place.done():
                self._under_way += 1
                place.set_result(None)

    def _throttled(self, pause_seconds: float) -> None:
        now = self._monotonic()
        self._pause_until = max(self._pause_until, now + min(pause_seconds, _LONGEST_PAUSE))
        if now - self._halved_at >= _SETTLING_SECONDS:
            self._halved_at = now
            self._limit = max(float(_SMALLEST), self._limit / 2)
