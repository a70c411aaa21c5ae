"""The sweep of orphaned secrets: what nobody needs any more is removed from the vault, and told."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import PermanentError, TransientError
from connector_spi.vault import Vault
from connector_spi.vault_access import vault_purpose

_log = logging.getLogger(__name__)

_LONGEST_INTERVAL: Final = timedelta(hours=1)
_LOOKS_PER_WAIT: Final = 4


@dataclass(frozen=True, slots=True)
class OrphanedSecret:
    """A secret in the vault that one of ours put there, and that nobody needs any more."""

    alias: str
    reason: str
    """Why nobody does, such as: the transfer has ended."""
    is_proven: bool = True
    """Whether our own records show that it is ours and needless. Else it may be somebody else's."""


FindOrphans = Callable[[], Awaitable[Sequence[OrphanedSecret]]]
"""The orphans at this moment. Raises what vault and store may raise."""


def looks_every(waiting: timedelta) -> timedelta:
    """How often it is worth looking when a secret is removed after `waiting`."""
    return min(waiting / _LOOKS_PER_WAIT, _LONGEST_INTERVAL)


class OrphanSweep:
    """Removes secrets that were proven orphans at every look for as long as `waiting`; tells the others once.

    A secret may be stored before the row that needs it is written, so a new orphan may be none. Since when each has
    been one is remembered in this process alone: a restart begins to wait anew. Several processes may sweep at once.
    """

    def __init__(self, *, find: FindOrphans, vault: Vault, clock: Clock, waiting: timedelta) -> None:
        self._find = find
        self._vault = vault
        self._clock = clock
        self._waiting = waiting
        self._orphan_since: dict[str, datetime] = {}
        self._told: set[str] = set()

    async def sweep(self) -> Sequence[OrphanedSecret]:
        """Look once, and remove what has waited long enough; returns that. Failures are told and wait for the next."""
        with vault_purpose("sweep of orphaned secrets"):
            try:
                found = await self._find()
            except (TransientError, PermanentError) as error:
                _log.warning("orphaned secrets were not looked for", extra={"reason": error.message})
                return []
            now = self._clock.now()
            self._orphan_since = {orphan.alias: self._orphan_since.get(orphan.alias, now) for orphan in found}
            due = [orphan for orphan in found if now - self._orphan_since[orphan.alias] >= self._waiting]
            self._tell([orphan for orphan in due if not orphan.is_proven])
            return [orphan for orphan in due if orphan.is_proven and await self._removed(orphan)]

    def _tell(self, doubtful: Sequence[OrphanedSecret]) -> None:
        for orphan in doubtful:
            if orphan.alias not in self._told:
                _log.warning(
                    "a secret in the vault seems to be nobody's; look at it with `connector vault sweep`",
                    extra={"alias": orphan.alias, "reason": orphan.reason},
                )
        self._told = {orphan.alias for orphan in doubtful}

    async def _removed(self, orphan: OrphanedSecret) -> bool:
        facts = {"alias": orphan.alias, "reason": orphan.reason}
        try:
            await self._vault.delete(orphan.alias)
        except (TransientError, PermanentError) as error:
            _log.warning("an orphaned secret was not removed", extra={**facts, "error": error.message})
            return False
        del self._orphan_since[orphan.alias]
        _log.info("an orphaned secret was removed", extra=facts)
        return True
