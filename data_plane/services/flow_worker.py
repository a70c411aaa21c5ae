"""FlowWorker: works on one leased flow, from the lease to the saved outcome."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from connector_spi.clock import Clock
from connector_spi.errors import LeaseLostError, PermanentError, StoreUnavailableError, TransientError
from connector_spi.log_context import log_facts
from connector_spi.signaling import DataFlowState
from data_plane.domain.credential_life import CredentialNeededError
from data_plane.domain.data_flow import DataFlow, DataFlowFailure, OwedWork
from data_plane.domain.data_flow_state_machine import DataFlowEvent, fire
from data_plane.domain.errors import (
    FlowFailedError,
    FlowStoppedError,
    FlowTimeLimitError,
    NoProgressError,
    StaleDataFlowError,
)
from data_plane.ports.data_flow_store import DataFlowStore, Lease, LeasedFlow
from data_plane.services.copy_engine import CopyEngine
from data_plane.services.progress_meter import ProgressMeter
from data_plane.services.progress_reporter import ProgressReporter
from data_plane.services.retry import Backoff, Retrier
from data_plane.services.single_error import single_error

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """How long things may take, in seconds."""

    lease: float
    heartbeat: float
    no_progress: float
    """A flow in which no block moves for so long is dead; a slow one is not."""
    flow: float
    """Absolute cap, counted from the last start or resume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowWorker:
    """Runs flows; holds nothing of any one of them."""

    store: DataFlowStore
    engine: CopyEngine
    reporter: ProgressReporter
    clock: Clock
    limits: WorkerLimits
    backoff: Backoff

    async def run(self, leased: LeasedFlow, meter: ProgressMeter) -> None:
        """Copy, then save the outcome. The lease is kept by a heartbeat, and given back at the end.

        Returns without an outcome when the flow was stopped by a message or is another worker's now.
        """
        flow, lease = leased.flow, leased.lease
        with log_facts(data_flow_id=flow.id, participant_id=flow.participant_id):
            try:
                await self._run(leased, meter)
            except (LeaseLostError, FlowStoppedError) as error:
                _log.info("the worker leaves the flow", extra={"reason": error.message})
            except asyncio.CancelledError:
                await self._release(lease)
                raise
            # After any other error, a defect, the lease runs out by itself: that spaces the attempts.
            await self._release(lease)

    async def _run(self, leased: LeasedFlow, meter: ProgressMeter) -> None:
        retried = Retrier(self.backoff)
        with single_error():
            async with asyncio.TaskGroup() as group:
                helpers = (
                    group.create_task(self._heartbeat(leased.lease, meter)),
                    group.create_task(self.reporter.run(leased.flow, meter)),
                )
                outcome = await self._outcome(leased, meter, retried)
                for helper in helpers:
                    helper.cancel()
        await retried(lambda: self.store.renew(leased.lease, meter.counters(), seconds=self.limits.lease))
        await self._save(leased.lease, outcome, retried)

    async def _outcome(
        self, leased: LeasedFlow, meter: ProgressMeter, retried: Retrier
    ) -> Callable[[DataFlow], DataFlow]:
        """Copy; returns what to do to the flow afterwards."""
        try:
            await self._within_limits(leased, meter, retried)
        except PermanentError as error:
            failure = FlowFailedError.of(error).failure
            facts = {"code": failure.code, "reason": failure.message, "detail": failure.remedy}
            _log.warning("the flow failed", extra=facts)
        except CredentialNeededError as error:
            _log.warning("the flow is parked", extra={"code": error.code, "reason": error.message})
            reason = f"{error.code}: {error.message}"
            # A message that came meanwhile may have brought what was missing: then the flow is tried again.
            return lambda flow: self._parked(flow, reason) if flow.version == leased.flow.version else flow
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001 - a defect must end the flow with a reason too, not leave it hanging
            _log.exception("the flow failed with an unexpected error")
            failure = DataFlowFailure("InternalError", f"The data plane failed unexpectedly ({type(error).__name__}).")
        else:
            return self._completed
        return lambda flow: self._failed(flow, failure)

    async def _within_limits(self, leased: LeasedFlow, meter: ProgressMeter, retried: Retrier) -> None:
        loop, now = asyncio.get_running_loop(), self.clock.now()
        ends_at = (leased.flow.started_at or now) + timedelta(seconds=self.limits.flow)
        cap = asyncio.timeout((ends_at - now).total_seconds())
        idle = asyncio.timeout(self.limits.no_progress)
        try:
            async with cap, idle:
                meter.on_activity = lambda: _postpone(idle, loop.time() + self.limits.no_progress)
                await self.engine.run(leased, meter, retried)
        except TimeoutError as error:
            if idle.expired():
                raise NoProgressError(seconds=self.limits.no_progress, last_error=retried.last_error) from error
            if cap.expired():
                raise FlowTimeLimitError(seconds=self.limits.flow) from error
            raise
        finally:
            meter.on_activity = lambda: None

    async def _heartbeat(self, lease: Lease, meter: ProgressMeter) -> None:
        """Keep the lease; raise when it is lost, or when a message has stopped the flow."""
        loop = asyncio.get_running_loop()
        held_until = loop.time() + self.limits.lease
        while True:
            asked_at = loop.time()
            try:
                async with asyncio.timeout_at(held_until):
                    flow = await self.store.renew(lease, meter.counters(), seconds=self.limits.lease)
            except StoreUnavailableError:
                _log.warning("the lease could not be renewed")
            except TimeoutError as error:
                raise LeaseLostError("The database did not answer for the length of a lease.") from error
            else:
                held_until = asked_at + self.limits.lease
                if flow.state is not DataFlowState.STARTED:
                    raise FlowStoppedError(f"The flow is {flow.state}.")
            await asyncio.sleep(self.limits.heartbeat)

    async def _save(self, lease: Lease, outcome: Callable[[DataFlow], DataFlow], retried: Retrier) -> None:
        """Save the outcome unless a message has decided otherwise meanwhile."""

        async def save() -> None:
            flow = await self.store.find(lease.flow_id)
            while flow is not None and flow.state is DataFlowState.STARTED:
                try:
                    saved = await self.store.save(outcome(flow), lease=lease)
                except StaleDataFlowError:
                    flow = await self.store.find(lease.flow_id)
                else:
                    _log.info("the worker is done with the flow", extra={"state": saved.state.value})
                    return

        await retried(save)

    def _completed(self, flow: DataFlow) -> DataFlow:
        now = self.clock.now()
        ended = fire(flow, DataFlowEvent.COMPLETE, at=now)
        return ended.ended(OwedWork.COMPLETED_CALLBACK, at=now)

    def _parked(self, flow: DataFlow, reason: str) -> DataFlow:
        """Suspended, with all that was staged and published, until somebody resumes it."""
        now = self.clock.now()
        parked = replace(fire(flow, DataFlowEvent.SUSPEND, at=now), reason=reason)
        return parked.owing(OwedWork.SUSPENDED_CALLBACK, at=now)

    def _failed(self, flow: DataFlow, failure: DataFlowFailure) -> DataFlow:
        now = self.clock.now()
        ended = replace(fire(flow, DataFlowEvent.FAIL, at=now), failure=failure)
        return ended.ended(OwedWork.FAILED_MARKER, OwedWork.ERRORED_CALLBACK, at=now)

    async def _release(self, lease: Lease) -> None:
        try:
            async with asyncio.timeout(self.limits.lease):
                await self.store.release(lease)
        except (StoreUnavailableError, TimeoutError):
            _log.warning("the lease could not be given back; it ends by itself")


def _postpone(timeout: asyncio.Timeout, when: float) -> None:
    # Blocks that are still ending after the time ran out must not touch the timeout any more.
    if not timeout.expired():
        timeout.reschedule(when)
