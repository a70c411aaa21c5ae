"""Stores as one run of a control plane sees them: each lease is the test's decision, each change is looked at.

The stores underneath stay when the control plane goes down; this layer dies with it, and whatever the dead one still
tries to write fails.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from connector_spi.errors import StoreUnavailableError
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.query import QuerySpec
from control_plane.ports.stores import Leased, StatefulEntityStore
from tests.fakes import ManualClock

Entity = TypeVar("Entity")


class Witness(Protocol):
    """Is told of every change of what is stored."""

    async def saved(self, entity: Any, applied: Sequence[InboxMessage]) -> None: ...

    async def appended(self, entity_id: str, message: InboxMessage) -> None: ...


class WatchedStore(Generic[Entity]):
    """One stateful store. Names that are not here are those of the store underneath."""

    def __init__(self, inner: StatefulEntityStore[Entity], clock: ManualClock, witness: Witness) -> None:
        self._inner = inner
        self._clock = clock
        self._witness = witness
        self._at_gate: asyncio.Future[None] | None = None
        self._dead = False
        self.failing_saves = 0
        """How many of the next saves fail: the database does not answer."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def die(self) -> None:
        """Its control plane is gone."""
        self._dead = True

    @property
    def is_at_gate(self) -> bool:
        """Whether the loop wants to lease something."""
        return self._at_gate is not None and not self._at_gate.done()

    def let_pass(self) -> None:
        """Let the loop lease one entity, if one is due."""
        if self._at_gate is not None and not self._at_gate.done():
            self._at_gate.set_result(None)

    async def create(self, entity: Entity, *, due_at: datetime | None) -> None:
        self._check_alive()
        await self._inner.create(entity, due_at=due_at)
        await self._witness.saved(entity, ())

    async def append(
        self, entity_id: str, message: InboxMessage, accept: Callable[[Entity, Sequence[InboxMessage]], None]
    ) -> bool:
        self._check_alive()
        is_new = await self._inner.append(entity_id, message, accept)
        if is_new:
            await self._witness.appended(entity_id, message)
        return is_new

    async def query(self, query: QuerySpec) -> list[Entity]:
        return await self._inner.query(query)

    async def lease_due(self, *, now: datetime, limit: int, lease_seconds: float, owner: str) -> list[Leased[Entity]]:
        del now, limit
        self._at_gate = asyncio.get_running_loop().create_future()
        await self._at_gate
        self._check_alive()
        return await self._inner.lease_due(now=self._clock.now(), limit=1, lease_seconds=lease_seconds, owner=owner)

    async def save(
        self, entity: Entity, *, epoch: int, applied: Sequence[InboxMessage], due_at: datetime | None
    ) -> None:
        self._check_alive()
        if self.failing_saves:
            self.failing_saves -= 1
            raise StoreUnavailableError("The test's database does not answer.")
        await self._inner.save(entity, epoch=epoch, applied=applied, due_at=due_at)
        await self._witness.saved(entity, applied)

    def _check_alive(self) -> None:
        if self._dead:
            raise StoreUnavailableError("This control plane is down.")
