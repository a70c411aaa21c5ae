"""What data planes report: noted in the inbox of the transfer process that the flow serves."""

from collections.abc import Mapping
from typing import Any

from connector_spi.clock import Clock
from connector_spi.errors import InvalidTransitionError, NotFoundError
from connector_spi.log_context import redacted
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.transfer_inbox import accepting


def flow_note_id(event: TransferEvent) -> str:
    """The id of what a data flow's report puts into the inbox: each kind counts once."""
    return f"flow-{event.value}"


class DataFlowService:
    """Call-backs of Data Plane Signaling. A data plane may speak of its own flows only; others do not exist for it.

    `data_planes`: ids of the data planes that the caller proved to be (several may share a token). Every method raises
    NotFoundError when the transfer is unknown or served by none of them.
    """

    def __init__(self, *, processes: TransferProcessStore, clock: Clock) -> None:
        self._processes = processes
        self._clock = clock

    async def on_started(self, data_planes: frozenset[str], process_id: str) -> None:
        """The flow that was accepted has started."""
        await self._note(data_planes, process_id, TransferEvent.CONFIRM_STARTUP, {})

    async def on_completed(self, data_planes: frozenset[str], process_id: str) -> None:
        """Everything is published and marked."""
        await self._note(data_planes, process_id, TransferEvent.COMPLETE, {})

    async def on_errored(self, data_planes: frozenset[str], process_id: str, *, code: str, message: str) -> None:
        """The flow failed for good."""
        payload = {"code": code, "message": redacted(message)}
        await self._note(data_planes, process_id, TransferEvent.TERMINATE, payload)

    async def on_progress(self, data_planes: frozenset[str], process_id: str, progress: DataFlowProgress) -> None:
        """The flow has come this far."""
        await self._own(data_planes, process_id)
        await self._processes.record_progress(process_id, progress)

    async def _note(
        self, data_planes: frozenset[str], process_id: str, event: TransferEvent, payload: Mapping[str, Any]
    ) -> None:
        process = await self._own(data_planes, process_id)
        note = InboxMessage(id=flow_note_id(event), kind=event.value, payload=payload, received_at=self._clock.now())
        try:
            await self._processes.append(process.id, note, accepting(event))
        except InvalidTransitionError:
            # The transfer has moved past what the data plane reports: acknowledged, changes nothing.
            return

    async def _own(self, data_planes: frozenset[str], process_id: str) -> TransferProcess:
        process = await self._processes.find(process_id)
        if process is None or process.type is not TransferProcessType.PROVIDER:
            raise NotFoundError(kind="TransferProcess", object_id=process_id)
        # The flow may report before its acceptance was noted.
        first_word = process.data_plane_id is None and process.state is TransferProcessState.INITIAL
        if process.data_plane_id not in data_planes and not first_word:
            raise NotFoundError(kind="TransferProcess", object_id=process_id)
        return process
