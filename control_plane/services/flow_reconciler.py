"""FlowReconciler: asks the data planes about running flows, should a call-back ever be lost.

Call-backs are what counts, and are repeated until they are heard; this is the safety net below them. What it finds
becomes the same message, under the same id, that the call-back would have put into the process's inbox.
"""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import InvalidTransitionError, PermanentError, StoreUnavailableError, TransientError
from connector_spi.log_context import redacted
from connector_spi.signaling import DataFlowState
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.domain.transfer_process import TransferError, TransferProcess
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.data_flow_controller import DataFlowController, FlowStatus
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.data_flow_service import completion_of, flow_note_id
from control_plane.services.transfer_inbox import accepting

_log = logging.getLogger(__name__)

_PAGE: Final = 200
_RUNNING: Final = (
    Criterion(
        operand_left="state", operator="in", operand_right=["PREPARATION_REQUESTED", "STARTUP_REQUESTED", "STARTED"]
    ),
)


class FlowReconciler:
    """Looks at flows that have run for a while; APScheduler calls `sweep`."""

    def __init__(
        self,
        *,
        processes: TransferProcessStore,
        data_flows: DataFlowController,
        clock: Clock,
        silence_seconds: float,
    ) -> None:
        """`silence_seconds`: a state younger than this is left to the call-backs."""
        self._processes = processes
        self._data_flows = data_flows
        self._clock = clock
        self._silence = timedelta(seconds=silence_seconds)

    async def sweep(self) -> None:
        """Ask once about every running flow; never raises for what ports are allowed to raise."""
        try:
            async for process in self._running():
                await self._ask(process)
        except StoreUnavailableError:
            _log.warning("the sweep over data flows was cut short: the store does not answer")

    async def _running(self) -> AsyncIterator[TransferProcess]:
        offset = 0
        while page := await self._processes.query(QuerySpec(offset=offset, limit=_PAGE, criteria=_RUNNING)):
            for process in page:
                has_flow = process.data_plane_id is not None
                if has_flow and process.state_timestamp + self._silence <= self._clock.now():
                    yield process
            offset += len(page)

    async def _ask(self, process: TransferProcess) -> None:
        try:
            event, payload = _meaning(process, await self._data_flows.status(process))
        except StoreUnavailableError:
            raise
        except (TransientError, PermanentError) as error:
            _log.warning(
                "a data plane could not be asked about a flow",
                extra={"transfer_process_id": process.id, "error": redacted(error.message)},
            )
            return
        if event is None:
            return
        _log.warning(
            "a data flow has ended without a call-back",
            extra={"transfer_process_id": process.id, "event": event.value},
        )
        note = InboxMessage(id=flow_note_id(event), kind=event.value, payload=payload, received_at=self._clock.now())
        try:
            await self._processes.append(process.id, note, accepting(event))
        except InvalidTransitionError:
            # The call-back came meanwhile.
            return


def _meaning(process: TransferProcess, status: FlowStatus | None) -> tuple[TransferEvent | None, dict[str, str]]:
    if status is None:
        lost = "The data plane does not know the data flow any more."
        return TransferEvent.TERMINATE, {"code": "DataFlowLost", "message": lost}
    if status.state is DataFlowState.COMPLETED:
        return completion_of(process), {}
    if status.state is DataFlowState.TERMINATED:
        failure = status.failure
        code = failure.code if failure else "DataFlowError"
        text = redacted(failure.message) if failure else "The data plane ended the data flow and gave no reason."
        remedy = redacted(failure.remedy or "") if failure else ""
        return TransferEvent.TERMINATE, TransferError(code=code, message=text, remedy=remedy).document
    return None, {}
