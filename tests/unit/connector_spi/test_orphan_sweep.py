"""Orphaned secrets are removed once they have been orphans for long enough, and not before."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest

from connector_spi.errors import StoreUnavailableError, VaultForbiddenError
from connector_spi.orphan_sweep import OrphanedSecret, OrphanSweep, looks_every
from tests.fakes import ManualClock
from tests.unit.vault_adapters.watched_vault import WatchedVault


class Stage:
    """A vault, and what is said to be an orphan in it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.vault = WatchedVault({"one": "planted-secret", "two": "planted-secret", "needed": "planted-secret"})
        self.orphans = ["one"]
        self.failure: Exception | None = None
        self.sweep = OrphanSweep(find=self.find, vault=self.vault, clock=self.clock, waiting=timedelta(hours=24))

    async def find(self) -> Sequence[OrphanedSecret]:
        if self.failure is not None:
            raise self.failure
        there = await self.vault.aliases()
        return [OrphanedSecret(alias, "nobody needs it") for alias in self.orphans if alias in there]

    async def after(self, hours: float) -> list[str]:
        """What a sweep removes so much later."""
        self.clock.advance(hours * 3600)
        return [orphan.alias for orphan in await self.sweep.sweep()]


async def test_an_orphan_is_removed_after_the_waiting_time_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage = Stage()
    assert [await stage.after(hours) for hours in (0, 12, 11.9)] == [[], [], []]
    stage.orphans.append("two")
    assert await stage.after(0.1) == ["one"]
    assert await stage.vault.aliases() == ["needed", "two"]
    [record] = [r for r in caplog.records if r.getMessage() == "an orphaned secret was removed"]
    assert (vars(record)["alias"], vars(record)["reason"]) == ("one", "nobody needs it")
    assert "planted-secret" not in caplog.text
    assert [await stage.after(hours) for hours in (23.9, 0.1)] == [[], ["two"]]


async def test_a_secret_that_was_needed_in_between_waits_anew() -> None:
    stage = Stage()
    await stage.after(0)
    stage.orphans.clear()
    await stage.after(12)
    stage.orphans.append("one")
    assert [await stage.after(hours) for hours in (12, 23.9)] == [[], []]
    assert await stage.after(0.1) == ["one"]


async def test_a_look_that_fails_removes_nothing_and_forgets_nothing(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    await stage.after(0)
    stage.failure = StoreUnavailableError("The database did not answer.")
    assert await stage.after(24) == []
    assert "orphaned secrets were not looked for" in caplog.text
    stage.failure = None
    assert await stage.after(0) == ["one"]


async def test_a_secret_that_cannot_be_removed_is_tried_again_and_holds_no_other_up() -> None:
    stage = Stage()
    stage.orphans.append("two")
    await stage.after(0)
    stage.vault.failures["delete"] = VaultForbiddenError("No.")
    assert await stage.after(24) == []
    assert stage.vault.calls["delete"] == 2
    stage.vault.failures.clear()
    assert await stage.after(0) == ["one", "two"]


async def test_two_processes_that_sweep_at_once_are_harmless() -> None:
    stage = Stage()
    other = OrphanSweep(find=stage.find, vault=stage.vault, clock=stage.clock, waiting=timedelta(hours=24))
    await stage.after(0)
    await other.sweep()
    assert await stage.after(24) == ["one"]
    assert await other.sweep() == []


def test_looks_are_so_frequent_that_the_waiting_time_is_kept_about() -> None:
    assert looks_every(timedelta(days=1)) == timedelta(hours=1)
    assert looks_every(timedelta(seconds=2)) == timedelta(seconds=0.5)


async def test_what_may_be_somebody_elses_is_told_once_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    doubtful = OrphanedSecret("one", "no row knows it", is_proven=False)

    async def find() -> Sequence[OrphanedSecret]:
        return [doubtful, OrphanedSecret("two", "nobody needs it")]

    stage.sweep = OrphanSweep(find=find, vault=stage.vault, clock=stage.clock, waiting=timedelta(hours=24))
    assert [await stage.after(hours) for hours in (0, 24, 24)] == [[], ["two"], []]
    assert await stage.vault.aliases() == ["needed", "one"]
    [told] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert (vars(told)["alias"], vars(told)["reason"]) == ("one", "no row knows it")
