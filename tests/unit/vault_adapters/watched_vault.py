"""A vault that counts its calls, can be told to wait or to fail, and keeps its secrets in memory."""

import asyncio
from collections import Counter

from vault_adapters.memory import InMemoryVault


class WatchedVault(InMemoryVault):
    """Stands for a vault server: slow while `gate` is closed, refusing while there are `failures`."""

    def __init__(self, secrets: dict[str, str] | None = None) -> None:
        super().__init__(secrets)
        self.calls: Counter[str] = Counter()
        self.failures: dict[str, Exception] = {}
        """By operation; raised as long as they are there."""
        self.gates: dict[str, asyncio.Event] = {}
        """By operation; waited for after a read has its value, and before a write is made."""
        self.forgotten: list[str] = []
        self.closed = 0

    async def resolve(self, alias: str) -> str:
        self._note("resolve")
        value = await super().resolve(alias)
        await self._gate("resolve")
        return value

    async def store(self, alias: str, value: str) -> None:
        self._note("store")
        await self._gate("store")
        await super().store(alias, value)

    async def delete(self, alias: str) -> None:
        self._note("delete")
        await self._gate("delete")
        await super().delete(alias)

    def forget(self, alias: str) -> None:
        self.forgotten.append(alias)

    async def aclose(self) -> None:
        self.closed += 1

    def _note(self, operation: str) -> None:
        self.calls[operation] += 1
        if operation in self.failures:
            raise self.failures[operation]

    async def _gate(self, operation: str) -> None:
        if (gate := self.gates.get(operation)) is not None:
            await gate.wait()
