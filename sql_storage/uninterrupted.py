"""Database calls that a cancellation does not cut in two.

Cancelling a call of an async SQLite driver in mid-transaction leaves a connection behind that still holds the write
lock (measured with aiosqlite 0.22 and SQLAlchemy 2.1): every later writer then waits in vain. Transactions here take
milliseconds, so a cancelled caller waits for the end of its transaction, and is cancelled then.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def uninterrupted(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let the method run to its end before a cancellation of its caller goes on."""

    @wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        work = asyncio.ensure_future(method(*args, **kwargs))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await _ended(work)
            raise

    return run


async def _ended(work: asyncio.Future[T]) -> None:
    """Wait for the end, whatever it is; the caller is being cancelled and takes no result."""
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            continue
    if not work.cancelled():
        work.exception()
