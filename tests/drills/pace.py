"""Holds transfers back in front of storage, so that a drill happens in their middle however fast the machine is."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from tests.fault_proxy.exchange import Exchange
from tests.fault_proxy.proxy import FaultProxy

STREAMED: Final = {
    "CONNECTOR_DATA_PLANE__COPY_MODE": "streamed",
    "CONNECTOR_DATA_PLANE__MAX_OBJECTS_IN_PARALLEL": "2",
}
"""Settings of the data plane: what goes from service to service would pass many objects at once."""
_EVERYTHING: Final = 1_000_000


@dataclass(slots=True)
class Turnstile:
    """Lets one transfer's objects through as it is told; the others wait for their turn."""

    allowed: int = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def let_through(self, count: int = 1) -> None:
        """So many objects may pass now; those that might before are among them."""
        self.allowed = max(self.allowed, count)
        self._more.set()

    def open(self) -> None:
        """All may pass."""
        self.let_through(_EVERYTHING)

    async def hold(self, exchange: Exchange) -> None:
        """The fault: pass the object on when it is its turn."""
        body = await exchange.received()
        while not self.allowed:
            self._more.clear()
            await self._more.wait()
        self.allowed -= 1
        await exchange.answered(await exchange.forwarded(body))


@dataclass(frozen=True, slots=True)
class Pace:
    """The proxy in front of storage."""

    proxy: FaultProxy

    def turnstile(self, container: str) -> Turnstile:
        """Nothing is stored in this container from now on but what the turnstile lets through."""
        held = Turnstile()
        self.proxy.inject(held.hold, "Put Blob", where=lambda request: request.container == container, times=None)
        return held

    def refused(self, account: str) -> int:
        """How many requests to the account storage has refused with 403 so far."""
        return sum(record.status == 403 and record.request.account == account for record in self.proxy.requests)
