"""The loop: takes what is due at once, many at a time, survives what goes wrong, and stops with nothing half done."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from connector_spi.clock import SystemClock
from connector_spi.errors import ConflictError, LeaseLostError, PermanentError, StoreUnavailableError
from control_plane.adapters.memory_stores import MemoryTransferProcessStore
from control_plane.domain.transfer_process import TransferError, TransferProcess, TransferProcessState
from control_plane.ports.stores import Leased
from control_plane.services.entity_loop import EntityLoop, Step
from tests.control_plane_entities import message, transfer_process
from tests.eventually import eventually
from tests.unit.control_plane.transfer_rig import accept_all

TakeStep = Callable[[Leased[TransferProcess]], Awaitable[Step[TransferProcess]]]
S = TransferProcessState


class UnreliableStore(MemoryTransferProcessStore):
    """Does not answer as often as the test says."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.failing_leases = 0
        self.failing_saves = 0

    async def lease_due(self, **arguments: Any) -> list[Leased[TransferProcess]]:
        if self.failing_leases > 0:
            self.failing_leases -= 1
            raise StoreUnavailableError("down")
        return await super().lease_due(**arguments)

    async def save(self, entity: TransferProcess, **arguments: Any) -> None:
        if self.failing_saves > 0:
            self.failing_saves -= 1
            raise StoreUnavailableError("down")
        await super().save(entity, **arguments)


async def finish(leased: Leased[TransferProcess]) -> Step[TransferProcess]:
    """A step that ends the process."""
    ended = leased.entity.entered(S.COMPLETED, SystemClock().now())
    return Step(ended, leased.inbox, None)


def abandon(leased: Leased[TransferProcess], error: PermanentError) -> Step[TransferProcess]:
    """The step that ends a process which cannot be saved as it was meant."""
    reason = TransferError(code=error.code, message=error.message)
    ended = leased.entity.failed_with(reason).entered(S.TERMINATED, SystemClock().now())
    return Step(ended, leased.inbox, None)


@asynccontextmanager
async def running(
    store: MemoryTransferProcessStore, take_step: TakeStep, *, lease_seconds: float = 30, parallel_steps: int = 4
) -> AsyncIterator[asyncio.Event]:
    """The loop at work; it is stopped in the end, and has to come to an end."""
    loop = EntityLoop(
        name="test",
        store=store,
        take_step=take_step,
        abandon=abandon,
        clock=SystemClock(),
        owner="test",
        lease_seconds=lease_seconds,
        parallel_steps=parallel_steps,
    )
    stop = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(loop.run(stop))
        yield stop
        stop.set()


async def add(store: MemoryTransferProcessStore, *names: str) -> None:
    for name in names:
        await store.create(transfer_process(name, correlation_id=name), due_at=SystemClock().now())


def state_is(store: MemoryTransferProcessStore, state: S, *names: str) -> Callable[[], Awaitable[bool]]:
    async def all_are() -> bool:
        found = [await store.find(name) for name in names]
        return all(process is not None and process.state is state for process in found)

    return all_are


async def test_what_becomes_due_is_worked_on_without_waiting_for_a_poll() -> None:
    store = UnreliableStore()
    async with running(store, finish):
        await add(store, "a")
        await eventually(state_is(store, S.COMPLETED, "a"), seconds=2)
        await add(store, "b")
        await eventually(state_is(store, S.COMPLETED, "b"), seconds=2)


async def test_it_wakes_when_the_time_of_an_entity_has_come() -> None:
    store = UnreliableStore()
    due = SystemClock().now() + timedelta(seconds=0.2)
    await store.create(transfer_process("later"), due_at=due)
    async with running(store, finish):
        await eventually(state_is(store, S.COMPLETED, "later"), seconds=4)
        assert SystemClock().now() >= due


async def test_a_message_wakes_an_entity_that_is_not_due() -> None:
    store = UnreliableStore()
    await store.create(transfer_process("waiting"), due_at=None)
    async with running(store, finish):
        await store.append("waiting", message(), accept_all)
        await eventually(state_is(store, S.COMPLETED, "waiting"), seconds=2)


async def test_a_slow_step_does_not_hold_up_the_others() -> None:
    store, released = UnreliableStore(), asyncio.Event()

    async def slow_for_one(leased: Leased[TransferProcess]) -> Step[TransferProcess]:
        if leased.entity.id == "slow":
            await released.wait()
        return await finish(leased)

    await add(store, "slow", "a", "b", "c", "d", "e")
    async with running(store, slow_for_one, parallel_steps=2):
        await eventually(state_is(store, S.COMPLETED, "a", "b", "c", "d", "e"))
        assert await state_is(store, S.INITIAL, "slow")()
        released.set()
        await eventually(state_is(store, S.COMPLETED, "slow"))


async def test_no_more_steps_than_allowed_run_at_once() -> None:
    store, at_once, most = UnreliableStore(), 0, 0

    async def counted(leased: Leased[TransferProcess]) -> Step[TransferProcess]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        return await finish(leased)

    names = [f"p-{number}" for number in range(20)]
    await add(store, *names)
    async with running(store, counted, parallel_steps=3):
        await eventually(state_is(store, S.COMPLETED, *names))
    assert most == 3


async def test_a_step_under_way_is_saved_before_the_loop_ends() -> None:
    store, begun, released = UnreliableStore(), asyncio.Event(), asyncio.Event()

    async def slow(leased: Leased[TransferProcess]) -> Step[TransferProcess]:
        begun.set()
        await released.wait()
        return await finish(leased)

    await add(store, "a")
    async with running(store, slow) as stop:
        await begun.wait()
        stop.set()
        await add(store, "too-late")
        released.set()
    assert await state_is(store, S.COMPLETED, "a")()
    assert await state_is(store, S.INITIAL, "too-late")(), "nothing new is begun once it is asked to stop"


async def test_a_full_loop_stops_as_soon_as_its_steps_have_ended() -> None:
    store, begun, released = UnreliableStore(), asyncio.Event(), asyncio.Event()

    async def slow(leased: Leased[TransferProcess]) -> Step[TransferProcess]:
        begun.set()
        await released.wait()
        return await finish(leased)

    await add(store, "a", "b")
    async with running(store, slow, parallel_steps=1) as stop:
        await begun.wait()
        stop.set()
        released.set()
    assert await state_is(store, S.COMPLETED, "a")()
    assert await state_is(store, S.INITIAL, "b")()


async def test_an_unexpected_error_in_one_step_stops_neither_the_loop_nor_the_process_for_good() -> None:
    store, failed = UnreliableStore(), False

    async def fails_once(leased: Leased[TransferProcess]) -> Step[TransferProcess]:
        nonlocal failed
        if leased.entity.id == "bad" and not failed:
            failed = True
            raise ZeroDivisionError
        return await finish(leased)

    await add(store, "bad", "good")
    async with running(store, fails_once, lease_seconds=0.1):
        await eventually(state_is(store, S.COMPLETED, "good", "bad"))
    assert failed


async def test_a_store_that_is_down_for_a_while_costs_only_that_while() -> None:
    store = UnreliableStore()
    store.failing_leases, store.failing_saves = 1, 1
    await add(store, "a")
    async with running(store, finish, lease_seconds=0.1):
        await eventually(state_is(store, S.COMPLETED, "a"))


async def test_what_can_never_be_saved_ends_with_the_reason_and_is_not_repeated_for_ever() -> None:
    class Clashing(MemoryTransferProcessStore):
        async def save(self, entity: TransferProcess, **arguments: Any) -> None:
            if entity.state is S.COMPLETED:
                raise ConflictError("the counterparty's process id is taken")
            await super().save(entity, **arguments)

    store = Clashing(SystemClock())
    await add(store, "a")
    async with running(store, finish, lease_seconds=600):
        await eventually(state_is(store, S.TERMINATED, "a"))
    found = await store.find("a")
    assert found is not None
    assert found.error == TransferError(code="Conflict", message="the counterparty's process id is taken")


async def test_a_lost_lease_is_no_end_of_the_loop() -> None:
    store = UnreliableStore()

    async def loses_its_lease(leased: Leased[TransferProcess]) -> Step[TransferProcess]:
        if leased.entity.id == "lost":
            raise LeaseLostError("somebody else has it")
        return await finish(leased)

    await add(store, "lost", "a")
    async with running(store, loses_its_lease):
        await eventually(state_is(store, S.COMPLETED, "a"))
