"""AnswerRetention: forgets the answers to the messages of flows that ended long ago. The flows themselves stay."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import TransientError
from data_plane.ports.data_flow_store import DataFlowStore

_log = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class AnswerRetention:
    """One per process; several processes may run on one database."""

    store: DataFlowStore
    clock: Clock
    retention: timedelta
    """Counted from the outcome of a flow."""

    async def run(self) -> None:
        """Forget once an hour, and at once, until cancelled."""
        while True:
            try:
                await self.store.forget_answers(ended_before=self.clock.now() - self.retention)
            except TransientError as error:
                _log.warning("old answers were not forgotten", extra={"reason": error.message})
            await asyncio.sleep(_EVERY_SECONDS)
