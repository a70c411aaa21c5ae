"""What is under way when a credential ends may finish; only then is the want of one told."""

import asyncio

import pytest

from data_plane.domain.credential_life import CredentialNeededError
from data_plane.services.drain import Drain

ENDED = CredentialNeededError("ended")


async def one(drain: Drain, done: list[str], name: str, until: asyncio.Event | None = None) -> None:
    async with drain.sending():
        if until is None:
            raise ENDED
        await until.wait()
        done.append(name)


async def test_the_want_of_a_credential_is_told_once_nothing_is_under_way() -> None:
    drain, gate, done = Drain(), asyncio.Event(), list[str]()
    under_way = asyncio.create_task(one(drain, done, "a", gate))
    await asyncio.sleep(0)
    without = [asyncio.create_task(one(drain, done, "b")) for _ in range(3)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert drain.begun
    assert not any(task.done() for task in without)
    gate.set()
    results = await asyncio.gather(*without, return_exceptions=True)
    assert results == [ENDED] * 3
    assert under_way.done()
    assert done == ["a"]


async def test_a_sending_that_fails_otherwise_is_not_waited_for() -> None:
    drain = Drain()
    with pytest.raises(ValueError, match="broken"):
        async with drain.sending():
            raise ValueError("broken")
    assert not drain.begun
    with pytest.raises(CredentialNeededError):
        await one(drain, [], "a")


async def test_who_waits_can_be_cancelled() -> None:
    drain, done = Drain(), list[str]()
    under_way = asyncio.create_task(one(drain, done, "a", asyncio.Event()))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(one(drain, done, "b"))
    for _ in range(3):
        await asyncio.sleep(0)
    for task in (waiting, under_way):
        task.cancel()
    await asyncio.wait({waiting, under_way}, timeout=5)
    assert waiting.cancelled()
