"""RenewalLimit: how often a fresh credential is given for one transfer."""

from datetime import datetime, timedelta
from typing import Final

from connector_spi.clock import Clock
from control_plane.domain.credential_renewal import TooManyRenewalsError

_LOOKED_THROUGH_EVERY: Final = 256


class RenewalLimit:
    """The shortest time between two renewals of one transfer. It is remembered by this process alone."""

    def __init__(self, interval_seconds: float, clock: Clock) -> None:
        self._interval = timedelta(seconds=interval_seconds)
        self._clock = clock
        self._newest: dict[str, datetime] = {}

    def admit(self, process_id: str) -> None:
        """Count one renewal.

        Raises:
            TooManyRenewalsError: the newest one was too short a time ago; says when to come again.
        """
        now, before = self._clock.now(), self._newest.get(process_id)
        if before is not None and now < before + self._interval:
            wait = (before + self._interval - now).total_seconds()
            raise TooManyRenewalsError(
                f"A credential for transfer {process_id!r} was given less than {self._interval.total_seconds():g} "
                "seconds ago.",
                retry_after_seconds=wait,
            )
        if len(self._newest) % _LOOKED_THROUGH_EVERY == 0:
            self._newest = {pid: at for pid, at in self._newest.items() if now < at + self._interval}
        self._newest[process_id] = now

    def take_back(self, process_id: str) -> None:
        """The renewal did not come about: the next one need not wait."""
        self._newest.pop(process_id, None)
