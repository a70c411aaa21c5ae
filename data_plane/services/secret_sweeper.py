"""SecretSweeper: has orphaned secrets removed, from time to time."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from connector_spi.errors import PermanentError, TransientError
from connector_spi.orphan_sweep import OrphanSweep, looks_every
from data_plane.services.orphaned_secrets import OrphanedSecrets

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SecretSweeper:
    """One per process; several processes may run on one database."""

    sweep: OrphanSweep
    orphans: OrphanedSecrets
    waiting: timedelta
    """How long a secret has to be an orphan before it is removed."""

    async def run(self) -> None:
        """Look at once, and again and again, until cancelled."""
        while True:
            await self.sweep.sweep()
            try:
                await self.orphans.tidy_ledger(older_than=self.waiting)
            except (TransientError, PermanentError) as error:
                _log.warning("the ledger of secrets was not tidied", extra={"reason": error.message})
            await asyncio.sleep(looks_every(self.waiting).total_seconds())
