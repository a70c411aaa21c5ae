"""Waiting for what happens by itself, in a test that has nothing to wait on but the outcome."""

import asyncio
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.01


async def eventually(condition: Callable[[], Awaitable[object]], *, seconds: float = 30) -> None:
    """Return once the condition is true; TimeoutError when it does not become so in time."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for lies in a database or another process
            await asyncio.sleep(POLL_SECONDS)
