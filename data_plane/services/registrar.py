"""Registrar: keeps this data plane known to one control plane, which may forget it whenever it is restarted."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from connector_spi.errors import ConnectorError
from data_plane.ports.control_plane_directory import ControlPlaneDirectory
from data_plane.services.retry import Backoff

_log = logging.getLogger(__name__)

_LEAVE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """One for each control plane."""

    directory: ControlPlaneDirectory
    every_seconds: float
    leave_at_stop: bool
    backoff: Backoff

    async def run(self) -> None:
        """Register, and again every `every_seconds`, until cancelled; then leave, where that is wished."""
        failures = 0
        try:
            while True:
                failures = 0 if await self._registered() else failures + 1
                wait = self.backoff.delay(failures - 1) if failures else self.every_seconds
                await asyncio.sleep(min(wait, self.every_seconds))
        finally:
            if self.leave_at_stop:
                await self._leave()

    async def _registered(self) -> bool:
        try:
            await self.directory.register()
        except ConnectorError as error:
            facts = {"control_plane": self.directory.name, "reason": error.message}
            _log.warning("this data plane could not be registered", extra=facts)
            return False
        return True

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self.directory.leave()
        except (ConnectorError, TimeoutError) as error:
            facts = {"control_plane": self.directory.name, "reason": str(error)}
            _log.warning("the registration of this data plane was not taken back", extra=facts)
