"""Retries of transient errors: capped exponential back-off with full jitter, and the peer's own wish honoured."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from connector_spi.errors import LeaseLostError, TransientError
from data_plane.domain.credential_life import CredentialNeededError
from data_plane.domain.errors import ListingPositionLostError, StagedBlocksLostError, StaleDataFlowError

T = TypeVar("T")

NOT_RETRIED = (
    CredentialNeededError,
    LeaseLostError,
    ListingPositionLostError,
    StaleDataFlowError,
    StagedBlocksLostError,
)
"""Transient for the flow, but the same call again cannot help."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt, in seconds."""

    first_seconds: float = 0.2
    cap_seconds: float = 15.0

    def delay(self, attempt: int, *, wish_seconds: float | None = None) -> float:
        """Between half and all of `first * 2**attempt`, at most the cap; never less than what the peer asked for."""
        ceiling = min(self.cap_seconds, self.first_seconds * 2.0 ** min(attempt, 30))
        drawn = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        return max(drawn, min(wish_seconds or 0.0, 10 * self.cap_seconds))


class Retrier:
    """Repeats calls of one flow, and remembers the newest transient error for a flow that stands still."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self.last_error: TransientError | None = None

    async def __call__(self, call: Callable[[], Awaitable[T]], *, on_error: Callable[[], None] = lambda: None) -> T:
        """The call's result; repeated without end on transient errors, so the caller sets the deadline.

        `on_error` is told of each transient error before the wait.

        Raises:
            PermanentError: as the call raised it.
            LeaseLostError, ListingPositionLostError, StaleDataFlowError, StagedBlocksLostError: the same call again
                cannot help.
        """
        attempt = 0
        while True:
            try:
                return await call()
            except NOT_RETRIED:
                raise
            except TransientError as error:
                self.last_error = error
                on_error()
                await asyncio.sleep(self._backoff.delay(attempt, wish_seconds=error.retry_after_seconds))
                attempt += 1
