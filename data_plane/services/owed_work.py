"""OwedWorkLoop: has done what is still owed after a flow's state has changed, again and again until it is done.

What is owed is persisted with the change of state, so a crash loses nothing and some of it may be done twice.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import TransientError
from connector_spi.log_context import log_facts
from data_plane.domain.data_flow import DataFlow, OwedWork
from data_plane.domain.errors import StaleDataFlowError
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.services.owed_pieces import PIECE_SECONDS, OwedPieces
from data_plane.services.retry import Backoff
from data_plane.services.wake_up import WakeUp

_log = logging.getLogger(__name__)

_FLOWS_AT_ONCE: Final = 64
"""Each may wait for somebody who does not answer, so there is room for many."""
_AFTER: Final[Mapping[OwedWork, frozenset[OwedWork]]] = {
    OwedWork.SECRET_DELETION: frozenset({OwedWork.FAILED_MARKER, OwedWork.DESTINATION_RELEASE, OwedWork.ACCESS_END}),
    OwedWork.JOURNAL_DELETION: frozenset(OwedWork) - {OwedWork.JOURNAL_DELETION},
}
"""What has to be settled before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedWorkLoop:
    """One per process; several processes may run on one database."""

    store: DataFlowStore
    pieces: OwedPieces
    clock: Clock
    backoff: Backoff
    poll_seconds: float
    wake_up: WakeUp
    _under_way: set[str] = field(default_factory=set, init=False)
    """Flows that this process is at; some of them have not claimed their work yet."""

    async def run(self) -> None:
        """Work until cancelled. Flows do not wait for one another."""
        async with asyncio.TaskGroup() as group:
            while True:
                for flow in await self._due():
                    self._under_way.add(flow.id)
                    group.create_task(self._work_on(flow), name=f"owed-work-{flow.id}")
                await self.wake_up.wait(self.poll_seconds)

    async def _due(self) -> list[DataFlow]:
        room = _FLOWS_AT_ONCE - len(self._under_way)
        if room <= 0:
            return []
        try:
            due = await self.store.with_owed_work(at=self.clock.now(), limit=room)
        except TransientError as error:
            _log.warning("owed work has to wait", extra={"reason": error.message})
            return []
        return [flow for flow in due if flow.id not in self._under_way]

    async def _work_on(self, flow: DataFlow) -> None:
        try:
            with log_facts(data_flow_id=flow.id, participant_id=flow.participant_id):
                await self._guarded(flow)
        finally:
            self._under_way.discard(flow.id)
            self.wake_up.set()

    async def _guarded(self, flow: DataFlow) -> None:
        try:
            await self._settle(flow)
        except StaleDataFlowError:
            _log.debug("the flow was changed meanwhile; its owed work is looked at again")
            return
        except TransientError as error:
            _log.info("owed work was not recorded as done", extra={"reason": error.message})
        except Exception:  # noqa: BLE001 - a defect with one flow must not stop the others
            # Its claim runs out, and it is tried again.
            _log.exception("owed work failed unexpectedly")
        else:
            return
        # The flow may be due still. A pause here keeps a database that takes no writes from being asked without end.
        await asyncio.sleep(self.poll_seconds)

    async def _settle(self, due: DataFlow) -> None:
        flow = await self.store.save(due.postponed(until=self.clock.now() + _claim(due)))
        try:
            for work in flow.owed:
                if work in flow.owed and _AFTER.get(work, frozenset()).isdisjoint(flow.owed):
                    flow = await self.pieces.do(flow, work)
        except asyncio.CancelledError:
            await self._give_back(flow)
            raise
        if flow.owed:
            wait = self.backoff.delay(due.attempt)
            flow = replace(flow, attempt=due.attempt + 1, next_attempt_at=self.clock.now() + timedelta(seconds=wait))
            # What this process has put off itself it need not find out by asking.
            asyncio.get_running_loop().call_later(wait, self.wake_up.set)
        try:
            await self.store.save(flow)
        except StaleDataFlowError:
            if OwedWork.READINESS in due.owed:
                await self._tidy_up(due.id)
            raise

    async def _tidy_up(self, flow_id: str) -> None:
        """A message ended the flow while it was made ready: what was made may be younger than its release."""
        flow = await self.store.find(flow_id)
        if flow is not None and flow.is_final:
            await self.store.save(flow.ended(*flow.owed, at=self.clock.now()))

    async def _give_back(self, flow: DataFlow) -> None:
        """Let the next process do at once what is still owed: this one is being stopped."""
        try:
            await self.store.save(replace(flow, next_attempt_at=self.clock.now() if flow.owed else None))
        except TransientError as error:
            _log.info("the claim on owed work was not given back; it runs out", extra={"reason": error.message})


def _claim(flow: DataFlow) -> timedelta:
    """How long other processes leave the flow's owed work to the one that has begun it: longer than all of it takes."""
    return timedelta(seconds=PIECE_SECONDS * (len(flow.owed) + 1))
