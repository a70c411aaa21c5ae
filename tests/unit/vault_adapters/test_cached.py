"""The short memory before a vault: what is used again, for how long, and what is never kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from connector_spi.errors import SecretNotFoundError, VaultForbiddenError, VaultUnavailableError
from tests.eventually import eventually
from tests.fakes import ManualClock
from tests.unit.vault_adapters.watched_vault import WatchedVault
from vault_adapters.cached import CachedVault

PLANTED = "planted-5e1f-secret"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def inner() -> WatchedVault:
    return WatchedVault({"alias": PLANTED})


@pytest.fixture
async def vault(inner: WatchedVault, clock: ManualClock) -> AsyncIterator[CachedVault]:
    cached = CachedVault(inner, kept_for=timedelta(seconds=10), clock=clock, most_kept=3)
    yield cached
    await cached.aclose()


async def test_what_was_read_is_used_again_until_it_is_too_old(
    vault: CachedVault, inner: WatchedVault, clock: ManualClock
) -> None:
    assert [await vault.resolve("alias") for _ in range(3)] == [PLANTED] * 3
    assert inner.calls["resolve"] == 1
    await inner.store("alias", "changed by another process")
    clock.advance(9.9)
    assert await vault.resolve("alias") == PLANTED
    clock.advance(0.1)
    assert await vault.resolve("alias") == "changed by another process"


async def test_a_clock_that_is_set_back_makes_nothing_last_longer(
    vault: CachedVault, inner: WatchedVault, clock: ManualClock
) -> None:
    await vault.resolve("alias")
    clock.advance(-3600)
    await vault.resolve("alias")
    assert inner.calls["resolve"] == 2


async def test_a_secret_leaves_the_memory_although_nobody_asks_again(inner: WatchedVault, clock: ManualClock) -> None:
    vault = CachedVault(inner, kept_for=timedelta(milliseconds=20), clock=clock)
    await vault.resolve("alias")

    async def is_out_of_memory() -> bool:
        return not vault._kept

    await eventually(is_out_of_memory)


async def test_many_at_once_are_one_call(vault: CachedVault, inner: WatchedVault) -> None:
    inner.gates["resolve"] = asyncio.Event()
    readers = [asyncio.create_task(vault.resolve("alias")) for _ in range(50)]
    await _until(lambda: inner.calls["resolve"] > 0)
    inner.gates["resolve"].set()
    assert await asyncio.gather(*readers) == [PLANTED] * 50
    assert inner.calls["resolve"] == 1


async def test_a_first_caller_that_is_cancelled_takes_nobody_along(vault: CachedVault, inner: WatchedVault) -> None:
    inner.gates["resolve"] = asyncio.Event()
    first = asyncio.create_task(vault.resolve("alias"))
    await _until(lambda: inner.calls["resolve"] == 1)
    second = asyncio.create_task(vault.resolve("alias"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    inner.gates["resolve"].set()
    assert await second == PLANTED
    assert inner.calls["resolve"] == 1


async def test_an_error_goes_to_all_who_wait_and_is_not_kept(vault: CachedVault, inner: WatchedVault) -> None:
    inner.failures["resolve"] = VaultUnavailableError("No answer.")
    found = await asyncio.gather(*(vault.resolve("alias") for _ in range(5)), return_exceptions=True)
    assert [type(error) for error in found] == [VaultUnavailableError] * 5
    assert inner.calls["resolve"] == 1
    inner.failures.clear()
    assert await vault.resolve("alias") == PLANTED


async def test_a_missing_secret_is_asked_for_again(vault: CachedVault, inner: WatchedVault) -> None:
    with pytest.raises(SecretNotFoundError):
        await vault.resolve("later")
    await inner.store("later", "stored by another process")
    assert await vault.resolve("later") == "stored by another process"


async def test_a_stored_value_is_seen_at_once_and_needs_no_call(vault: CachedVault, inner: WatchedVault) -> None:
    await vault.resolve("alias")
    await vault.store("alias", "new")
    assert await vault.resolve("alias") == "new"
    assert (inner.calls["resolve"], await inner.resolve("alias")) == (1, "new")


@pytest.mark.parametrize("operation", ["store", "delete"])
@pytest.mark.parametrize("error", [VaultForbiddenError("No."), VaultUnavailableError("No answer.")])
async def test_a_change_that_failed_leaves_nothing_in_memory(
    vault: CachedVault, inner: WatchedVault, operation: str, error: Exception
) -> None:
    await vault.resolve("alias")
    inner.failures[operation] = error
    with pytest.raises(type(error)):
        await (vault.store("alias", "new") if operation == "store" else vault.delete("alias"))
    assert await vault.resolve("alias") == PLANTED
    assert inner.calls["resolve"] == 2


async def test_until_a_store_has_worked_the_old_value_counts(vault: CachedVault, inner: WatchedVault) -> None:
    await vault.resolve("alias")
    inner.gates["store"] = asyncio.Event()
    storing = asyncio.create_task(vault.store("alias", "new"))
    await _until(lambda: inner.calls["store"] == 1)
    assert await vault.resolve("alias") == PLANTED
    inner.gates["store"].set()
    await storing
    assert await vault.resolve("alias") == "new"


async def test_a_read_that_began_before_a_store_does_not_bring_the_old_value_back(
    vault: CachedVault, inner: WatchedVault
) -> None:
    inner.gates["resolve"] = asyncio.Event()
    early = asyncio.create_task(vault.resolve("alias"))
    await _until(lambda: inner.calls["resolve"] == 1)
    await vault.store("alias", "new")
    inner.gates["resolve"].set()
    assert await early == PLANTED
    assert await vault.resolve("alias") == "new"


@pytest.mark.parametrize("act", ["delete", "forget"])
async def test_nobody_joins_a_read_that_began_before_the_secret_was_dropped(
    vault: CachedVault, inner: WatchedVault, act: str
) -> None:
    inner.gates["resolve"] = asyncio.Event()
    early = asyncio.create_task(vault.resolve("alias"))
    await _until(lambda: inner.calls["resolve"] == 1)
    if act == "delete":
        await vault.delete("alias")
        await inner.store("alias", "new")
    else:
        await inner.store("alias", "new")
        vault.forget("alias")
    late = asyncio.create_task(vault.resolve("alias"))
    await _until(lambda: inner.calls["resolve"] == 2)
    inner.gates["resolve"].set()
    assert (await early, await late) == (PLANTED, "new")
    assert await vault.resolve("alias") == "new"
    assert "alias" in inner.forgotten


async def test_two_stores_at_once_leave_in_memory_what_the_vault_has(vault: CachedVault, inner: WatchedVault) -> None:
    await asyncio.gather(*(vault.store("alias", f"value {n}") for n in range(10)))
    assert await vault.resolve("alias") == await inner.resolve("alias")


async def test_a_deleted_secret_is_gone_at_once(vault: CachedVault) -> None:
    await vault.resolve("alias")
    await vault.delete("alias")
    with pytest.raises(SecretNotFoundError):
        await vault.resolve("alias")


async def test_only_so_many_are_kept_and_the_oldest_goes_first(vault: CachedVault, inner: WatchedVault) -> None:
    for number in range(4):
        await vault.store(f"alias-{number}", "value")
    for number in (3, 2, 1):
        await vault.resolve(f"alias-{number}")
    assert inner.calls["resolve"] == 0
    await vault.resolve("alias-0")
    assert inner.calls["resolve"] == 1


async def test_no_repr_shows_what_is_kept_and_closing_forgets_it(vault: CachedVault, inner: WatchedVault) -> None:
    await vault.resolve("alias")
    assert PLANTED not in f"{vault!r} {vars(vault)}"
    await vault.aclose()
    await vault.aclose()
    assert (vault._kept, inner.closed) == ({}, 2)


async def _until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds)
