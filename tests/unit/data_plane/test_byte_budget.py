"""Bytes in memory are bounded, and shared fairly."""

import asyncio

import pytest

from data_plane.services.byte_budget import ByteBudget


async def waiting(*tasks: asyncio.Task[int]) -> list[bool]:
    """Which of the tasks still wait, once everything that can run has run."""
    for _ in range(5):
        await asyncio.sleep(0)
    return [not task.done() for task in tasks]


async def test_no_more_is_handed_out_than_there_is() -> None:
    budget = ByteBudget(10)
    assert await budget.acquire("a", 6) == 6
    second = asyncio.create_task(budget.acquire("a", 6))
    assert await waiting(second) == [True]
    budget.release(6)
    assert await second == 6
    assert budget.free_bytes == 4


async def test_a_flow_with_many_blocks_does_not_starve_another() -> None:
    budget = ByteBudget(10)
    await budget.acquire("greedy", 10)
    greedy = [asyncio.create_task(budget.acquire("greedy", 10)) for _ in range(3)]
    await waiting(*greedy)
    modest = asyncio.create_task(budget.acquire("modest", 10))
    await waiting(modest)
    budget.release(10)
    assert await waiting(*greedy, modest) == [False, True, True, True]
    budget.release(10)
    assert await waiting(*greedy, modest) == [False, True, True, False]
    for task in greedy[1:]:
        budget.release(10)
        await task


async def test_a_block_larger_than_everything_waits_until_nothing_else_is_held() -> None:
    budget = ByteBudget(10)
    await budget.acquire("a", 1)
    huge = asyncio.create_task(budget.acquire("b", 100))
    assert await waiting(huge) == [True]
    budget.release(1)
    assert await huge == 10


@pytest.mark.parametrize("granted", [False, True])
async def test_a_cancelled_wait_takes_nothing(*, granted: bool) -> None:
    budget = ByteBudget(10)
    await budget.acquire("a", 10)
    cancelled = asyncio.create_task(budget.acquire("b", 10))
    await waiting(cancelled)
    if granted:
        budget.release(10)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    if not granted:
        budget.release(10)
    assert budget.free_bytes == 10
    assert await budget.acquire("c", 10) == 10
