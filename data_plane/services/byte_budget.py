"""ByteBudget: how many bytes of blocks may be in memory at once, for the whole process, fair between flows."""

import asyncio
from collections import OrderedDict, deque


class ByteBudget:
    """Hands out bytes; flows that wait are served in turn, one block each, so that none starves another.

    One block larger than the whole budget is let through when nothing else is held.
    """

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._free = total_bytes
        self._waiting: OrderedDict[str, deque[tuple[int, asyncio.Future[None]]]] = OrderedDict()

    @property
    def free_bytes(self) -> int:
        """What may be taken at once."""
        return self._free

    async def acquire(self, flow_id: str, size: int) -> int:
        """Wait for `size` bytes; returns what was taken, which is what must be released."""
        amount = min(size, self._total)
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(flow_id, deque()).append((amount, granted))
        self._serve()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.release(amount)
            else:
                self._forget(flow_id, granted)
            raise
        return amount

    def release(self, amount: int) -> None:
        """Give bytes back."""
        self._free += amount
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            flow_id, queue = next(iter(self._waiting.items()))
            amount, granted = queue[0]
            if amount > self._free:
                return
            queue.popleft()
            if queue:
                self._waiting.move_to_end(flow_id)
            else:
                del self._waiting[flow_id]
            if not granted.done():
                self._free -= amount
                granted.set_result(None)

    def _forget(self, flow_id: str, granted: asyncio.Future[None]) -> None:
        left = deque(entry for entry in self._waiting.get(flow_id, ()) if entry[1] is not granted)
        if left:
            self._waiting[flow_id] = left
        else:
            self._waiting.pop(flow_id, None)
        self._serve()
