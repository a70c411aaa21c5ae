"""One text over every store of transfer processes and negotiations: what `StatefulEntityStore` promises."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from connector_spi.errors import ConflictError, LeaseLostError
from control_plane.ports.stores import StatefulEntityStore
from tests.conformance.stateful_subject import LONG, SHORT, Subject, accept_all, ids, lease, lease_after_expiry
from tests.control_plane_entities import NOW, message, moment


class TestEntities:
    async def test_an_entity_is_found_as_it_was_created(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        entity = subject.make()
        await store.create(entity, due_at=None)
        assert await store.find(entity.id) == entity
        assert await store.find("another") is None

    async def test_the_same_id_twice_is_a_conflict_and_changes_nothing(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=None)
        with pytest.raises(ConflictError):
            await store.create(subject.make("one", asset_id="other"), due_at=None)
        assert await store.find("one") == subject.make("one")

    async def test_the_same_process_of_the_same_counterparty_is_a_conflict(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one", correlation_id="theirs"), due_at=None)
        with pytest.raises(ConflictError):
            await store.create(subject.make("two", correlation_id="theirs"), due_at=None)
        assert await store.find("two") is None

    async def test_another_counterparty_may_use_the_same_process_id(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        mine, other = subject.make("one", correlation_id="x"), subject.make("two", correlation_id="x")
        other = replace(other, counter_party_id="did:web:third")
        await store.create(mine, due_at=None)
        await store.create(other, due_at=None)
        assert await store.find_by_correlation("did:web:third", "x") == other
        assert await store.find_by_correlation("did:web:them", "x") == mine
        assert await store.find_by_correlation("did:web:them", "y") is None

    async def test_many_entities_may_have_no_counterparty_process_yet(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=None)
        await store.create(subject.make("two"), due_at=None)
        assert await store.find("two") is not None

    async def test_a_save_that_takes_the_process_id_of_another_entity_is_a_conflict(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one", correlation_id="theirs"), due_at=None)
        await store.create(subject.make("two"), due_at=NOW)
        [leased] = await lease(store)
        with pytest.raises(ConflictError):
            await store.save(
                replace(leased.entity, correlation_id="theirs"), epoch=leased.epoch, applied=(), due_at=None
            )
        assert await store.find("two") == subject.make("two")

    async def test_of_creations_at_once_under_one_id_one_wins(self, subject: Subject) -> None:
        stores = [await subject.open_again(), await subject.open_again()]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(created(stores[n % 2], subject.make("one", asset_id=str(n)))) for n in range(10)]
        winners = [n for n, task in enumerate(tasks) if task.result()]
        assert len(winners) == 1
        found = await stores[0].find("one")
        assert found == subject.make("one", asset_id=str(winners[0]))


async def created(store: StatefulEntityStore[Any], entity: Any) -> bool:
    try:
        await store.create(entity, due_at=None)
    except ConflictError:
        return False
    return True


class TestLease:
    async def test_due_is_what_has_its_time_behind_it(self, subject: Subject, store: StatefulEntityStore[Any]) -> None:
        await store.create(subject.make("past"), due_at=moment(-1))
        await store.create(subject.make("now"), due_at=NOW)
        await store.create(subject.make("future"), due_at=moment(0.000_001))
        await store.create(subject.make("never"), due_at=None)
        assert ids(await lease(store)) == ["past", "now"]

    async def test_longest_due_comes_first_and_back_off_does_not_stand_in_the_way(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        for number in range(5):
            await store.create(subject.make(f"in-back-off-{number}"), due_at=moment(60))
        await store.create(subject.make("second"), due_at=moment(-1))
        await store.create(subject.make("third"), due_at=NOW)
        await store.create(subject.make("first"), due_at=moment(-2))
        assert ids(await lease(store, limit=2)) == ["first", "second"]
        assert ids(await lease(store, limit=2)) == ["third"]

    async def test_what_waits_for_its_message_stands_in_the_order_of_its_receipt(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        for name, due_at in (("by-time", moment(-2)), ("by-message", None), ("by-both", moment(60))):
            await store.create(subject.make(name), due_at=due_at)
        await store.append("by-message", message(received_at=moment(-3)), accept_all)
        await store.append("by-both", message(received_at=moment(-1)), accept_all)
        assert ids(await lease(store)) == ["by-message", "by-time", "by-both"]

    async def test_a_leased_entity_is_leased_to_nobody_else(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make(), due_at=NOW)
        assert len(await lease(store)) == 1
        assert await lease(store) == []

    async def test_workers_at_once_never_get_the_same_entity(self, subject: Subject) -> None:
        stores = [await subject.open_again(), await subject.open_again()]
        expected = [f"entity-{number:02}" for number in range(40)]
        for name in expected:
            await stores[0].create(subject.make(name), due_at=NOW)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(lease(stores[n % 2], limit=3, owner=f"worker-{n}")) for n in range(20)]
        taken = [name for task in tasks for name in ids(task.result())]
        assert len(taken) == len(set(taken))
        while more := ids(await lease(stores[0])):
            taken += more
        assert sorted(taken) == expected

    async def test_saving_gives_the_lease_back(self, subject: Subject, store: StatefulEntityStore[Any]) -> None:
        await store.create(subject.make(), due_at=NOW)
        [first] = await lease(store)
        changed = replace(first.entity, attempt=3, updated_at=moment(1))
        await store.save(changed, epoch=first.epoch, applied=(), due_at=NOW)
        [second] = await lease(store)
        assert second.entity == changed
        assert second.epoch > first.epoch

    async def test_a_saved_entity_is_not_due_before_its_time(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make(), due_at=NOW)
        [leased] = await lease(store)
        await store.save(leased.entity, epoch=leased.epoch, applied=(), due_at=moment(5))
        assert await lease(store, now=moment(4)) == []
        assert len(await lease(store, now=moment(5))) == 1

    async def test_an_expired_lease_is_taken_over_and_the_old_holder_refused(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make(), due_at=NOW)
        [old] = await lease(store, seconds=SHORT, owner="crashed")
        [new] = await lease_after_expiry(store)
        with pytest.raises(LeaseLostError):
            await store.save(replace(old.entity, attempt=9), epoch=old.epoch, applied=(), due_at=None)
        await store.save(replace(new.entity, attempt=1), epoch=new.epoch, applied=(), due_at=None)
        assert await store.find(new.entity.id) == replace(new.entity, attempt=1)

    async def test_a_second_save_under_one_lease_is_refused(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make(), due_at=NOW)
        [leased] = await lease(store)
        await store.save(leased.entity, epoch=leased.epoch, applied=(), due_at=None)
        with pytest.raises(LeaseLostError):
            await store.save(replace(leased.entity, attempt=9), epoch=leased.epoch, applied=(), due_at=None)
        assert await store.find(leased.entity.id) == leased.entity

    async def test_a_save_of_what_was_never_leased_or_never_stored_is_refused(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=NOW)
        for name in ("one", "absent"):
            with pytest.raises(LeaseLostError):
                await store.save(subject.make(name), epoch=0, applied=(), due_at=None)

    async def test_a_late_holder_whom_nobody_replaced_may_still_save(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make(), due_at=NOW)
        [leased] = await lease(store, seconds=0)
        await store.save(replace(leased.entity, attempt=2), epoch=leased.epoch, applied=(), due_at=None)
        assert await store.find(leased.entity.id) == replace(leased.entity, attempt=2)


class TestNextDue:
    async def test_there_is_none_when_nothing_is_due_by_time(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        assert await store.next_due_at() is None
        await store.create(subject.make(), due_at=None)
        assert await store.next_due_at() is None

    async def test_it_is_the_earliest_time(self, subject: Subject, store: StatefulEntityStore[Any]) -> None:
        await store.create(subject.make("later"), due_at=moment(9))
        await store.create(subject.make("sooner"), due_at=moment(5))
        assert await store.next_due_at() == moment(5)

    async def test_it_is_the_past_when_a_message_waits(self, subject: Subject, store: StatefulEntityStore[Any]) -> None:
        await store.create(subject.make("one"), due_at=datetime.max.replace(year=2200, tzinfo=NOW.tzinfo))
        await store.append("one", message(received_at=moment(-1)), accept_all)
        assert await store.next_due_at() == moment(-1)

    async def test_a_leased_entity_is_due_when_its_lease_ends(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=NOW)
        before = datetime.now(NOW.tzinfo)
        await lease(store, seconds=LONG)
        due_at = await store.next_due_at()
        assert due_at is not None
        after = datetime.now(NOW.tzinfo)
        assert (due_at - before).total_seconds() >= LONG - 1
        assert (due_at - after).total_seconds() <= LONG + 1


class TestWaiting:
    async def test_work_that_came_before_the_wait_is_not_missed(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=NOW)
        async with asyncio.timeout(10):
            await store.wait_for_work(LONG)

    async def test_a_wait_ends_with_its_time(self, store: StatefulEntityStore[Any]) -> None:
        async with asyncio.timeout(10):
            for _ in range(3):
                await store.wait_for_work(SHORT)

    @pytest.mark.parametrize("act", ["create", "append", "save"])
    async def test_a_wait_ends_when_something_falls_due(
        self, act: str, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=NOW)
        [leased] = await lease(store)
        await quiet(store)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(store.wait_for_work(LONG))
            await asyncio.sleep(0)
            match act:
                case "create":
                    await store.create(subject.make("two"), due_at=NOW)
                case "append":
                    await store.append("one", message(), accept_all)
                case _:
                    await store.save(leased.entity, epoch=leased.epoch, applied=(), due_at=NOW)


async def quiet(store: StatefulEntityStore[Any]) -> None:
    """Wait until nothing wakes the store any more."""
    loop = asyncio.get_running_loop()
    waited = 0.0
    while waited < SHORT:
        began = loop.time()
        await store.wait_for_work(SHORT)
        waited = loop.time() - began


class TestRestart:
    async def test_everything_is_there_after_a_restart(self, subject: Subject) -> None:
        first = await subject.open_again()
        await first.create(subject.make("one", correlation_id="theirs"), due_at=moment(7))
        await first.append("one", message("m-1"), accept_all)
        [leased] = await lease(first)
        await first.append("one", message("m-2"), accept_all)
        await first.save(leased.entity, epoch=leased.epoch, applied=leased.inbox, due_at=moment(7))
        second = await subject.open_again()
        assert await second.find("one") == leased.entity
        [again] = await lease(second)
        assert [m.id for m in again.inbox] == ["m-2"]
        assert again.epoch > leased.epoch
        assert not await second.append("one", message("m-1"), accept_all)
