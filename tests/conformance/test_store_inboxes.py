"""One text over every store of transfer processes and negotiations: no message is lost, none is stored twice."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from connector_spi.errors import NotFoundError
from control_plane.domain.inbox import InboxMessage
from control_plane.ports.stores import StatefulEntityStore
from tests.conformance.stateful_subject import SHORT, Subject, accept_all, ids, lease, lease_after_expiry
from tests.control_plane_entities import NOW, message, moment


class TestInbox:
    async def test_a_message_makes_the_entity_due_and_comes_with_the_lease(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=None)
        first, second = message("m-1"), message("m-2", kind="COMPLETE", received_at=moment(1))
        assert await store.append("one", first, accept_all)
        assert await store.append("one", second, accept_all)
        [leased] = await lease(store)
        assert leased.inbox == (first, second)

    async def test_messages_keep_the_order_in_which_they_came_whatever_their_clock_says(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=None)
        for name, received_at in (("b", moment(9)), ("a", moment(8)), ("c", moment(7))):
            await store.append("one", message(name, received_at=received_at), accept_all)
        [leased] = await lease(store)
        assert [m.id for m in leased.inbox] == ["b", "a", "c"]

    async def test_what_waits_can_be_read_by_everybody_whoever_holds_the_lease(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        assert await store.find_with_inbox("one") is None
        entity = subject.make("one")
        await store.create(entity, due_at=NOW)
        assert await store.find_with_inbox("one") == (entity, ())
        first, second = message("m-1"), message("m-2", kind="COMPLETE")
        await store.append("one", first, accept_all)
        [leased] = await lease(store)
        await store.append("one", second, accept_all)
        assert await store.find_with_inbox("one") == (entity, (first, second))
        await store.save(entity, epoch=leased.epoch, applied=(first,), due_at=None)
        assert await store.find_with_inbox("one") == (entity, (second,))

    async def test_a_message_makes_due_even_when_its_clock_is_ahead(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=None)
        await store.append("one", message(received_at=moment(3600)), accept_all)
        assert ids(await lease(store, now=NOW)) == ["one"]

    async def test_applied_messages_leave_the_inbox_and_others_stay(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=NOW)
        await store.append("one", message("done"), accept_all)
        await store.append("one", message("deferred"), accept_all)
        [leased] = await lease(store)
        await store.save(leased.entity, epoch=leased.epoch, applied=leased.inbox[:1], due_at=NOW)
        [again] = await lease(store)
        assert [m.id for m in again.inbox] == ["deferred"]

    async def test_a_deferred_message_does_not_make_the_entity_due_for_ever(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=None)
        await store.append("one", message(), accept_all)
        [leased] = await lease(store)
        await store.save(leased.entity, epoch=leased.epoch, applied=(), due_at=None)
        assert await lease(store, now=moment(3600)) == []
        assert await store.next_due_at() is None

    async def test_a_message_during_a_lease_makes_the_entity_due_after_the_save(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=NOW)
        [leased] = await lease(store)
        assert await store.append("one", message("meanwhile"), accept_all)
        await store.save(leased.entity, epoch=leased.epoch, applied=leased.inbox, due_at=None)
        [again] = await lease(store)
        assert [m.id for m in again.inbox] == ["meanwhile"]

    async def test_a_crashed_holder_loses_no_message(self, subject: Subject, store: StatefulEntityStore[Any]) -> None:
        await store.create(subject.make("one"), due_at=None)
        await store.append("one", message("before"), accept_all)
        await lease(store, seconds=SHORT, owner="crashed")
        [leased] = await lease_after_expiry(store)
        assert [m.id for m in leased.inbox] == ["before"]

    async def test_a_message_of_the_same_id_is_stored_once_while_it_waits_and_after_it_was_applied(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=None)
        assert await store.append("one", message(), accept_all)
        assert not await store.append("one", message(kind="OTHER"), refuse_all)
        [leased] = await lease(store)
        assert leased.inbox == (message(),)
        await store.save(leased.entity, epoch=leased.epoch, applied=leased.inbox, due_at=None)
        assert not await store.append("one", message(), refuse_all)
        assert await lease(store) == []

    async def test_two_entities_may_have_messages_of_the_same_id(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        for name in ("one", "two"):
            await store.create(subject.make(name), due_at=None)
            assert await store.append(name, message(), accept_all)
        assert {one.entity.id: one.inbox for one in await lease(store)} == {"one": (message(),), "two": (message(),)}

    async def test_the_judge_sees_the_entity_and_what_waits(
        self, subject: Subject, store: StatefulEntityStore[Any]
    ) -> None:
        await store.create(subject.make("one"), due_at=None)
        await store.append("one", message("m-1"), accept_all)
        seen: list[tuple[Any, list[str]]] = []
        await store.append("one", message("m-2"), lambda entity, ms: seen.append((entity, [m.id for m in ms])))
        assert seen == [(subject.make("one"), ["m-1"])]

    async def test_a_refused_message_leaves_nothing(self, subject: Subject, store: StatefulEntityStore[Any]) -> None:
        await store.create(subject.make("one"), due_at=None)
        with pytest.raises(RefusedForTest):
            await store.append("one", message(), refuse_all)
        assert await lease(store) == []
        assert await store.append("one", message(), accept_all)

    async def test_a_message_to_an_unknown_entity_is_refused(self, store: StatefulEntityStore[Any]) -> None:
        with pytest.raises(NotFoundError):
            await store.append("absent", message(), accept_all)

    async def test_of_messages_at_once_that_exclude_each_other_one_is_stored(self, subject: Subject) -> None:
        stores = [await subject.open_again(), await subject.open_again()]
        await stores[0].create(subject.make("one"), due_at=None)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(appended(stores[n % 2], f"m-{n}", refuse_second)) for n in range(12)]
        assert sum(task.result() for task in tasks) == 1
        [leased] = await lease(stores[0])
        assert len(leased.inbox) == 1

    async def test_of_the_same_message_at_once_one_is_stored(self, subject: Subject) -> None:
        stores = [await subject.open_again(), await subject.open_again()]
        await stores[0].create(subject.make("one"), due_at=None)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(appended(stores[n % 2], "same", accept_all)) for n in range(12)]
        assert sum(task.result() for task in tasks) == 1

    async def test_no_message_is_lost_between_appends_and_saves_at_once(self, subject: Subject) -> None:
        writer, worker = await subject.open_again(), await subject.open_again()
        await writer.create(subject.make("one"), due_at=None)
        expected = [f"m-{number:02}" for number in range(30)]
        applied: list[str] = []

        async def work() -> None:
            while len(applied) < len(expected):
                for leased in await lease(worker):
                    await worker.save(leased.entity, epoch=leased.epoch, applied=leased.inbox, due_at=None)
                    applied.extend(m.id for m in leased.inbox)
                await worker.wait_for_work(0.01)

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(work())
            for name in expected:
                group.create_task(appended(writer, name, accept_all))
        assert sorted(applied) == expected


class RefusedForTest(Exception):  # noqa: N818 - reads as what it says
    """What a judge raises."""


def refuse_all(_entity: Any, _waiting: Sequence[InboxMessage]) -> None:
    raise RefusedForTest


def refuse_second(_entity: Any, waiting: Sequence[InboxMessage]) -> None:
    if waiting:
        raise RefusedForTest


async def appended(
    store: StatefulEntityStore[Any], message_id: str, accept: Callable[[Any, Sequence[InboxMessage]], None]
) -> bool:
    try:
        return await store.append("one", message(message_id), accept)
    except RefusedForTest:
        return False
