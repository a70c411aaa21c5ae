"""A limit of bytes per second, shared by whoever sends."""

import asyncio

from data_plane.services.bandwidth import Bandwidth


def unheard() -> None:
    """Nobody listens."""


async def test_without_a_limit_nobody_waits() -> None:
    limit = Bandwidth(0)
    async with asyncio.timeout(1):
        for _ in range(1000):
            await limit.take(10**12, unheard)


async def test_bytes_are_spread_over_time_whoever_sends_them() -> None:
    loop = asyncio.get_running_loop()
    limit = Bandwidth(1000, monotonic=loop.time)
    began = loop.time()
    await asyncio.gather(*(limit.take(50, unheard) for _ in range(7)))
    # The first goes at once; each of the other six waits for the 50 ms of those before it.
    assert loop.time() - began >= 0.29


async def test_idle_time_is_not_saved_up() -> None:
    now = 0.0
    limit = Bandwidth(10, monotonic=lambda: now)
    await limit.take(10, unheard)
    now = 100.0
    await limit.take(10, unheard)
    waiting = asyncio.create_task(limit.take(10, unheard))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()


async def test_callers_that_are_cancelled_leave_no_debt() -> None:
    loop = asyncio.get_running_loop()
    limit = Bandwidth(100, monotonic=loop.time)
    await limit.take(1, unheard)
    waiting = [asyncio.create_task(limit.take(10_000, unheard)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(5):
        await limit.take(1, unheard)


async def test_a_caller_that_waits_is_told_that_time_passes() -> None:
    loop = asyncio.get_running_loop()
    limit, heard = Bandwidth(1000, monotonic=loop.time), 0

    def hear() -> None:
        nonlocal heard
        heard += 1

    await limit.take(20, hear)
    await limit.take(20, hear)
    assert heard == 1
