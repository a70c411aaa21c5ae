"""DataFlowManager: the loop that leases flows and runs them side by side."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from connector_spi.errors import TransientError
from connector_spi.signaling import DataFlowProgress
from data_plane.ports.data_flow_store import DataFlowStore, LeasedFlow
from data_plane.services.flow_worker import FlowWorker
from data_plane.services.progress_meter import ProgressMeter
from data_plane.services.wake_up import WakeUp

_log = logging.getLogger(__name__)

_STOP_SECONDS: Final = 5.0
"""How long a message waits for a flow's bytes to stop; a cancelled request ends far sooner."""


class DataFlowManager:
    """Owns the tasks of the flows that this process works on.

    It looks for flows when it is woken, and every `poll_seconds` for those that another process left behind.
    """

    def __init__(
        self,
        store: DataFlowStore,
        worker: FlowWorker,
        *,
        worker_id: str,
        max_flows: int,
        poll_seconds: float,
        on_flow_ended: Callable[[], None],
    ) -> None:
        self._store = store
        self._worker = worker
        self._worker_id = worker_id
        self._max_flows = max_flows
        self._poll_seconds = poll_seconds
        self._on_flow_ended = on_flow_ended
        self._wake_up = WakeUp()
        self._running: dict[str, tuple[asyncio.Task[None], ProgressMeter]] = {}

    def wake(self) -> None:
        """There may be a flow to work on."""
        self._wake_up.set()

    def progress_of(self, flow_id: str) -> DataFlowProgress | None:
        """How far a flow is that runs in this process; None for others."""
        running = self._running.get(flow_id)
        return None if running is None else running[1].progress()

    async def stop_flow(self, flow_id: str) -> None:
        """Stop the flow's bytes, if they move in this process; returns when they have stopped."""
        running = self._running.get(flow_id)
        if running is not None:
            running[0].cancel()
            await asyncio.wait({running[0]}, timeout=_STOP_SECONDS)

    async def run(self) -> None:
        """Lease and run flows until cancelled; then stop them all and give their leases back."""
        async with asyncio.TaskGroup() as group:
            while True:
                for leased in await self._due():
                    self._start(group, leased)
                await self._wake_up.wait(self._poll_seconds)

    async def _due(self) -> list[LeasedFlow]:
        room = self._max_flows - len(self._running)
        if room <= 0:
            return []
        try:
            return list(await self._store.lease_due(self._worker_id, limit=room, seconds=self._worker.limits.lease))
        except TransientError as error:
            _log.warning("no flow could be leased", extra={"reason": error.message})
            return []

    def _start(self, group: asyncio.TaskGroup, leased: LeasedFlow) -> None:
        flow_id = leased.flow.id
        meter = ProgressMeter(leased.flow.counters, monotonic=time.monotonic)
        task = group.create_task(self._guarded(leased, meter), name=f"data-flow-{flow_id}")
        self._running[flow_id] = (task, meter)
        task.add_done_callback(lambda ended: self._ended(flow_id, ended))

    async def _guarded(self, leased: LeasedFlow, meter: ProgressMeter) -> None:
        try:
            await self._worker.run(leased, meter)
        except Exception:  # noqa: BLE001 - a defect in one flow must not stop the others
            # Its lease runs out, and the flow is tried again.
            _log.exception("a flow ended with an unexpected error", extra={"data_flow_id": leased.flow.id})

    def _ended(self, flow_id: str, task: asyncio.Task[None]) -> None:
        running = self._running.get(flow_id)
        if running is not None and running[0] is task:
            del self._running[flow_id]
        self.wake()
        self._on_flow_ended()
