"""What the suites over stores of stateful entities share: a kind of entity under test, and short ways to lease."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from control_plane.domain.inbox import InboxMessage
from control_plane.ports.stores import Leased, StatefulEntityStore
from tests.control_plane_entities import NOW

LONG = 600.0
"""Seconds: longer than any test."""
SHORT = 0.02
"""Seconds: a lease that is over before anybody could use it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of entity under test, and how to open its store once more."""

    make: Callable[..., Any]
    open_again: Callable[[], Awaitable[StatefulEntityStore[Any]]]


def accept_all(_entity: Any, _waiting: Sequence[InboxMessage]) -> None:
    """Refuses nothing."""


async def lease(
    store: StatefulEntityStore[Any], *, now: datetime = NOW, limit: int = 10, seconds: float = LONG, owner: str = "w"
) -> list[Leased[Any]]:
    return await store.lease_due(now=now, limit=limit, lease_seconds=seconds, owner=owner)


async def lease_after_expiry(store: StatefulEntityStore[Any]) -> list[Leased[Any]]:
    """Lease again once the short lease that somebody holds is over."""
    async with asyncio.timeout(10):
        while not (leased := await lease(store)):
            await store.wait_for_work(SHORT)
    return leased


def ids(leased: Sequence[Leased[Any]]) -> list[str]:
    return [one.entity.id for one in leased]
