"""Fewer requests at once when a service is too busy, and more again afterwards."""

import asyncio

import pytest

from connector_spi.errors import TransientError
from data_plane.services.request_pace import RequestPace


class BusyError(TransientError):
    """What a throttled call raises."""

    code = "BusyInTests"
    throttled = True


class Seconds:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def throttled(pace: RequestPace, *, pause: float | None = None) -> None:
    with pytest.raises(BusyError):
        async with pace.request():
            raise BusyError("busy", retry_after_seconds=pause)


async def test_no_more_requests_than_the_limit_are_under_way() -> None:
    pace, under_way, most = RequestPace(3, monotonic=Seconds()), 0, 0

    async def call() -> None:
        nonlocal under_way, most
        async with pace.request():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    await asyncio.gather(*(call() for _ in range(20)))
    assert (most, under_way) == (3, 0)


async def test_a_throttled_request_halves_the_limit_once_for_all_that_were_under_way() -> None:
    clock = Seconds()
    pace = RequestPace(64, monotonic=clock)
    for _ in range(10):
        await throttled(pace)
    assert pace.limit == 32
    clock.now = 2.0
    await throttled(pace)
    assert pace.limit == 16
    for second in range(20):
        clock.now = 4.0 + 2 * second
        await throttled(pace)
    assert pace.limit == 1, "it never stops"


async def test_the_limit_grows_back_round_by_round_and_not_above_where_it_began() -> None:
    pace = RequestPace(8, monotonic=Seconds())
    await throttled(pace)
    assert pace.limit == 4
    for _ in range(6):
        async with pace.request():
            pass
    assert 5 <= pace.limit <= 6
    for _ in range(200):
        async with pace.request():
            pass
    assert pace.limit == 8


async def test_other_errors_do_not_slow_the_flow() -> None:
    pace = RequestPace(8, monotonic=Seconds())
    for error in (TransientError("cut"), ValueError("defect")):
        with pytest.raises(type(error)):
            async with pace.request():
                raise error
    assert pace.limit == 8


async def test_a_pause_that_the_service_asks_for_is_kept() -> None:
    loop = asyncio.get_running_loop()
    pace = RequestPace(8, monotonic=loop.time)
    await throttled(pace, pause=0.2)
    began = loop.time()
    async with pace.request():
        assert loop.time() - began >= 0.19


async def test_those_that_wait_for_a_place_keep_the_pause_too() -> None:
    loop = asyncio.get_running_loop()
    pace, release = RequestPace(2, monotonic=loop.time), asyncio.Event()

    async def throttled_later() -> None:
        async with pace.request():
            await release.wait()
            raise BusyError("busy", retry_after_seconds=0.2)

    async def queued() -> float:
        async with pace.request():
            return loop.time()

    refused = [asyncio.create_task(throttled_later()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(queued())
    await asyncio.sleep(0)
    release.set()
    asked_at = loop.time()
    assert await waiting - asked_at >= 0.19
    assert [type(one) for one in await asyncio.gather(*refused, return_exceptions=True)] == [BusyError, BusyError]


async def test_a_caller_that_is_cancelled_in_the_pause_gives_its_place_back() -> None:
    loop = asyncio.get_running_loop()
    pace = RequestPace(1, monotonic=loop.time)
    await throttled(pace, pause=0.1)

    async def call() -> None:
        async with pace.request():
            pass

    paused = asyncio.create_task(call())
    await asyncio.sleep(0)
    paused.cancel()
    await asyncio.gather(paused, return_exceptions=True)
    async with asyncio.timeout(1):
        await call()


async def test_a_caller_that_is_cancelled_while_it_waits_takes_no_place() -> None:
    pace, release = RequestPace(1, monotonic=Seconds()), asyncio.Event()

    async def hold() -> None:
        async with pace.request():
            await release.wait()

    holder = asyncio.create_task(hold())
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(hold()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    release.set()
    waiting[1].cancel()
    await asyncio.gather(holder, *waiting, return_exceptions=True)
    async with asyncio.timeout(1), pace.request():
        pass
