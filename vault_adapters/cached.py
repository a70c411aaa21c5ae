"""A vault behind a short memory: what was read is used again for some seconds, and asked for once at a time."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

from connector_spi.clock import Clock
from connector_spi.vault import Vault

MOST_KEPT: Final = 1000
"""Secrets in memory at once; the oldest goes first."""


@dataclass(slots=True)
class _Kept:
    value: str = field(repr=False)
    asked_at: datetime
    removal: asyncio.TimerHandle
    """Takes the secret out of memory although nobody asks again."""


class CachedVault:
    """Implements `connector_spi.vault.Vault` over another one. What this process stores or deletes it sees at once.

    What another process changes is seen after `kept_for` at the latest, counted from when the vault was asked.
    Failures are not kept, a missing secret least of all: somebody may be about to store it.
    """

    def __init__(self, inner: Vault, *, kept_for: timedelta, clock: Clock, most_kept: int = MOST_KEPT) -> None:
        self._inner = inner
        self._kept_for = kept_for
        self._clock = clock
        self._most_kept = most_kept
        self._kept: dict[str, _Kept] = {}
        self._reads: dict[str, asyncio.Task[str]] = {}
        """Reads that are under way, and whose value is wanted; `forget` takes one out."""
        self._running: set[asyncio.Task[str]] = set()
        self._changes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def resolve(self, alias: str) -> str:
        """The secret's value, from memory where that is young enough; errors as for the port."""
        kept = self._kept.get(alias)
        # A clock that was set back makes an entry look as if it came from the future.
        if kept is not None and timedelta(0) <= self._clock.now() - kept.asked_at < self._kept_for:
            return kept.value
        read = self._reads.get(alias) or self._begun(alias)
        # Others may wait for the same read: whoever is cancelled leaves alone.
        return await asyncio.shield(read)

    async def store(self, alias: str, value: str) -> None:
        """Store in the vault, then keep the value; errors as for the port."""
        async with self._changing(alias):
            asked_at = self._clock.now()
            try:
                await self._inner.store(alias, value)
            finally:
                # What was read before is old now; and after a failure nobody knows which value stands.
                self.forget(alias)
            self._keep(alias, value, asked_at)

    async def delete(self, alias: str) -> None:
        """Remove the secret from the vault and from memory; errors as for the port."""
        async with self._changing(alias):
            try:
                await self._inner.delete(alias)
            finally:
                self.forget(alias)

    async def aliases(self, prefix: str = "") -> list[str]:
        """As the vault says; never from memory."""
        return await self._inner.aliases(prefix)

    def forget(self, alias: str) -> None:
        """Ask the vault the next time; a read that is under way is not kept, and nobody joins it any more."""
        if (kept := self._kept.pop(alias, None)) is not None:
            kept.removal.cancel()
        self._reads.pop(alias, None)
        self._inner.forget(alias)

    async def aclose(self) -> None:
        """Forget everything, and close the vault."""
        for alias in list(self._kept):
            self.forget(alias)
        for read in self._running:
            read.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._inner.aclose()

    def _begun(self, alias: str) -> asyncio.Task[str]:
        read = asyncio.create_task(self._read(alias), name="vault-read")
        self._reads[alias] = read
        self._running.add(read)
        read.add_done_callback(self._ended)
        return read

    async def _read(self, alias: str) -> str:
        this = asyncio.current_task()
        asked_at = self._clock.now()
        try:
            value = await self._inner.resolve(alias)
        except BaseException:
            if self._reads.get(alias) is this:
                self.forget(alias)
            raise
        if self._reads.get(alias) is this:
            # Else the secret was changed or forgotten meanwhile, and this may be what it was before.
            del self._reads[alias]
            self._keep(alias, value, asked_at)
        return value

    def _ended(self, read: asyncio.Task[str]) -> None:
        self._running.discard(read)
        if not read.cancelled():
            # Everybody who waited may be gone; an error that nobody heard of is no news for the log.
            read.exception()

    def _keep(self, alias: str, value: str, asked_at: datetime) -> None:
        while len(self._kept) >= self._most_kept:
            self._drop(next(iter(self._kept)))
        self._drop(alias)
        timer = asyncio.get_running_loop().call_later(self._kept_for.total_seconds(), self._drop, alias)
        self._kept[alias] = _Kept(value, asked_at, timer)

    def _drop(self, alias: str) -> None:
        if (kept := self._kept.pop(alias, None)) is not None:
            kept.removal.cancel()

    def _changing(self, alias: str) -> asyncio.Lock:
        """Changes of one secret take turns, so that what is kept is what the vault has in the end."""
        return self._changes.setdefault(alias, asyncio.Lock())
