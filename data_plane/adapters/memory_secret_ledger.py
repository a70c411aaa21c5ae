"""A complete in-process SecretLedger: for tests and for trying things out."""

from collections.abc import Collection, Sequence

from connector_spi.clock import Clock
from data_plane.ports.secret_ledger import LedgerEntry, SecretOwner


class MemorySecretLedger:
    """Implements `data_plane.ports.secret_ledger.SecretLedger`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, LedgerEntry] = {}

    async def note(self, owner: SecretOwner, owner_id: str, aliases: Collection[str]) -> None:
        """Write down that secrets are about to be stored."""
        now = self._clock.now()
        self._entries |= {alias: LedgerEntry(alias, owner, owner_id, now) for alias in aliases}

    async def of(self, owner: SecretOwner, owner_id: str) -> Sequence[str]:
        """The aliases of this owner, sorted."""
        return sorted(e.alias for e in self._entries.values() if (e.owner, e.owner_id) == (owner, owner_id))

    async def entries(self) -> Sequence[LedgerEntry]:
        """Everything that is noted."""
        return [self._entries[alias] for alias in sorted(self._entries)]

    async def strike(self, aliases: Collection[str]) -> None:
        """Take these out."""
        for alias in aliases:
            self._entries.pop(alias, None)
