"""WakeUp: lets a loop sleep until something happens, and no longer than it polls anyway."""

import asyncio


class WakeUp:
    """One loop waits, anybody wakes it; waking it while it is busy makes its next wait return at once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """There may be something to do."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return when woken, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()
