"""Bandwidth: how many bytes may be sent in a second, by one flow and by the whole process."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

_LONGEST_WAIT: Final = 10.0
"""Seconds until a caller that waits is told that time passes."""


class Bandwidth:
    """A queue in time: each caller is given the moment from which its bytes may go. 0 bytes per second: no limit.

    Bytes are paid for before they are sent, and time that nobody used is not saved up.
    """

    def __init__(self, bytes_per_second: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._bytes_per_second = bytes_per_second
        self._monotonic = monotonic
        self._free_at = 0.0

    async def take(self, size: int, on_waiting: Callable[[], None]) -> None:
        """Wait until `size` bytes may be sent; `on_waiting` is called now and then meanwhile."""
        if not self._bytes_per_second:
            return
        begins = max(self._free_at, self._monotonic())
        price = size / self._bytes_per_second
        self._free_at = begins + price
        try:
            while (left := begins - self._monotonic()) > 0:
                await asyncio.sleep(min(left, _LONGEST_WAIT))
                on_waiting()
        except asyncio.CancelledError:
            self._free_at -= price  # what is not sent keeps nobody waiting
            raise
