"""An event loop on a clock in the test's hand: it never waits, and stops when nothing is left to do at that time.

So time-outs of the product (of a call, of a step, of a loop that sleeps) come when the test moves the clock, and every
run with the same decisions is the same run.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.fakes import ManualClock

T = TypeVar("T")


class _NeverWaits(selectors.SelectSelector):
    """Where a selector would wait, it says that there is nothing to do."""

    def __init__(self) -> None:
        super().__init__()
        self.at_rest: Callable[[], None] = lambda: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self.at_rest()
        return super().select(0)


class SteppedLoop(asyncio.SelectorEventLoop):
    """Runs everything that can run at the clock's time, and returns."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        selector = _NeverWaits()
        super().__init__(selector)
        selector.at_rest = self.stop

    def time(self) -> float:
        return self._clock.now().timestamp()

    def settle(self) -> None:
        """Run until every task waits for the network, for a gate or for the clock."""
        self.run_forever()

    def result_of(self, work: Coroutine[Any, Any, T]) -> T:
        """Run until this work is done; it must not wait for what only the test can bring about."""
        task = self.create_task(work)
        self.settle()
        if not task.done():
            task.cancel()
            self.settle()
            raise AssertionError(f"{task!r} waits for something that never comes")
        return task.result()

    def shut(self) -> None:
        """Cancel every task, and close."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.settle()
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()
