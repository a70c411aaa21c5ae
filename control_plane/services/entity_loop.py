"""The loop that both managers share: lease what is due, take one step with each, save, sleep until a change."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from connector_spi.clock import Clock
from connector_spi.errors import ConflictError, InvalidInputError, LeaseLostError, PermanentError, StoreUnavailableError
from control_plane.domain.inbox import InboxMessage
from control_plane.ports.stores import Leased, StatefulEntityStore
from control_plane.services.waits import first_of

_log = logging.getLogger(__name__)

Entity = TypeVar("Entity")

_IDLE_SECONDS: Final = 5.0
"""The safety net: how long the loop sleeps at most when nothing wakes it."""
_STORE_DOWN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Step(Generic[Entity]):
    """The result of one step: what to save, which messages it used up, and when the entity is due again."""

    entity: Entity
    applied: Sequence[InboxMessage]
    due_at: datetime | None


class EntityLoop(Generic[Entity]):
    """Runs steps of many entities at once, each under its own fenced lease."""

    def __init__(
        self,
        *,
        name: str,
        store: StatefulEntityStore[Entity],
        take_step: Callable[[Leased[Entity]], Awaitable[Step[Entity]]],
        abandon: Callable[[Leased[Entity], PermanentError], Step[Entity]],
        clock: Clock,
        owner: str,
        lease_seconds: float,
        parallel_steps: int,
    ) -> None:
        self._name = name
        self._store = store
        self._take_step = take_step
        self._abandon = abandon
        self._clock = clock
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._parallel_steps = parallel_steps
        self._running = 0
        self._slot_freed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let the steps under way end; their time is limited."""
        async with asyncio.TaskGroup() as steps:
            while not stop.is_set():
                try:
                    if not await self._begin_due(steps):
                        await first_of(stop.wait(), self._sleep())
                except StoreUnavailableError:
                    _log.warning("the store does not answer", extra={"loop": self._name})
                    await first_of(stop.wait(), asyncio.sleep(_STORE_DOWN_SECONDS))

    async def _begin_due(self, steps: asyncio.TaskGroup) -> int:
        free = self._parallel_steps - self._running
        if free <= 0:
            self._slot_freed.clear()
            await self._slot_freed.wait()
            return 1
        due = await self._store.lease_due(
            now=self._clock.now(), limit=free, lease_seconds=self._lease_seconds, owner=self._owner
        )
        self._running += len(due)
        for leased in due:
            steps.create_task(self._step(leased))
        return len(due)

    async def _sleep(self) -> None:
        due_at = await self._store.next_due_at()
        seconds = _IDLE_SECONDS
        if due_at is not None:
            # Due already and not leased by us: another worker holds it. Look again soon, not at once.
            seconds = min(max((due_at - self._clock.now()).total_seconds(), 0.05), _IDLE_SECONDS)
        await self._store.wait_for_work(seconds)

    async def _save(self, leased: Leased[Entity], step: Step[Entity]) -> None:
        await self._store.save(step.entity, epoch=leased.epoch, applied=step.applied, due_at=step.due_at)

    async def _step(self, leased: Leased[Entity]) -> None:
        try:
            step = await self._take_step(leased)
            try:
                await self._save(leased, step)
            except (ConflictError, InvalidInputError) as error:
                # What a counterparty sent clashes with what is stored: no repetition mends that.
                _log.error("a step can never be saved", extra={"loop": self._name, "error": error.message})
                await self._save(leased, self._abandon(leased, error))
        except LeaseLostError:
            _log.warning("a step was not saved: its lease was lost", extra={"loop": self._name})
        except StoreUnavailableError:
            _log.warning("a step was not saved: the store does not answer", extra={"loop": self._name})
        except Exception:  # noqa: BLE001 - a defect in one step must not stop the others
            _log.exception("a step failed unexpectedly; its lease runs out", extra={"loop": self._name})
        finally:
            self._running -= 1
            self._slot_freed.set()
