"""What data planes report: noted in the inbox of the transfer process that the flow serves."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from connector_spi.clock import Clock
from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError, InvalidTransitionError, NotFoundError
from connector_spi.log_context import redacted
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.transfer_process import (
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.stores import Stores
from control_plane.services.destination_doors import shown_part
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.services.transfer_inbox import PREPARED_DESTINATION, accepting

_CONSUMER, _PROVIDER = TransferProcessType.CONSUMER, TransferProcessType.PROVIDER
_NOT_STARTED = frozenset({TransferProcessState.REQUESTING, TransferProcessState.REQUESTED})


def flow_note_id(event: TransferEvent) -> str:
    """The id of what a data flow's report puts into the inbox: each kind counts once."""
    return f"flow-{event.value}"


def completion_of(process: TransferProcess) -> TransferEvent:
    """What it means when the process's own data plane has completed.

    The one that received a push has seen the data arrive; every other one tells its counterparty.
    """
    received = process.type is _CONSUMER and not process.is_pull
    return TransferEvent.COMPLETE_BY_EVIDENCE if received else TransferEvent.COMPLETE


class DataFlowService:
    """Call-backs of Data Plane Signaling. A data plane may speak of its own flows only; others do not exist for it.

    `data_planes`: ids of the data planes that the caller proved to be (several may share a token). Every method raises
    NotFoundError when the transfer is unknown or served by none of them. They may come in any order, and again.
    """

    def __init__(self, *, stores: Stores, addresses: TransferAddresses, clock: Clock) -> None:
        self._stores = stores
        self._processes = stores.transfer_processes
        self._addresses = addresses
        self._clock = clock

    async def on_prepared(self, data_planes: frozenset[str], process_id: str, address: DataAddress | None) -> None:
        """The flow that was accepted is ready to receive; for a push, `address` says where.

        Raises:
            InvalidInputError: a push without an address.
        """
        process = await self._own(data_planes, process_id, _CONSUMER)
        payload: dict[str, Any] = {}
        if not process.is_pull:
            if address is None:
                raise InvalidInputError(field="dataAddress", value=None, problem="is required for a push transfer")
            shown = shown_part(address)
            payload[PREPARED_DESTINATION] = {"type": shown.type, "properties": dict(shown.properties)}
        await self._note(
            process, TransferEvent.FINISH_PROVISIONING, payload, address=None if process.is_pull else address
        )

    async def on_started(
        self, data_planes: frozenset[str], process_id: str, address: DataAddress | None = None
    ) -> None:
        """The flow that was accepted has started; for a pull, `address` says where the data is served."""
        process = await self._own(data_planes, process_id, _PROVIDER)
        await self._note(process, TransferEvent.CONFIRM_STARTUP, {}, address=address if process.is_pull else None)

    async def on_completed(self, data_planes: frozenset[str], process_id: str) -> None:
        """Everything is published and marked, or fetched."""
        process = await self._own(data_planes, process_id)
        event = completion_of(process)
        if event is TransferEvent.COMPLETE_BY_EVIDENCE and process.state in _NOT_STARTED:
            # Data that has arrived proves that the transfer had started.
            await self._note(process, TransferEvent.START, {})
        await self._note(process, event, {})

    async def on_errored(
        self, data_planes: frozenset[str], process_id: str, *, code: str, message: str, remedy: str = ""
    ) -> None:
        """The flow failed for good. `remedy`: what our operator does about it; the counterparty is not told."""
        process = await self._own(data_planes, process_id)
        error = TransferError(code=code, message=redacted(message), remedy=redacted(remedy))
        await self._note(process, TransferEvent.TERMINATE, error.document)

    async def on_suspended(self, data_planes: frozenset[str], process_id: str, *, message_id: str, reason: str) -> None:
        """The flow was parked: it goes on once the transfer is resumed. A flow may be parked more than once."""
        process = await self._own(data_planes, process_id, _PROVIDER)
        payload = {"code": "DataFlowSuspended", "message": redacted(reason)}
        await self._note(process, TransferEvent.SUSPEND, payload, note_id=f"flow-suspended-{message_id}")

    async def on_progress(self, data_planes: frozenset[str], process_id: str, progress: DataFlowProgress) -> None:
        """The flow has come this far."""
        await self._own(data_planes, process_id)
        await self._processes.record_progress(process_id, progress)

    async def agreement_of(self, data_planes: frozenset[str], process_id: str) -> ContractAgreement:
        """The agreement that the flow's transfer stands on."""
        process = await self._own(data_planes, process_id)
        agreement = await self._stores.contract_negotiations.find_agreement(process.contract_id)
        if agreement is None:
            raise NotFoundError(kind="ContractAgreement", object_id=process.contract_id)
        return agreement

    async def _note(
        self,
        process: TransferProcess,
        event: TransferEvent,
        payload: Mapping[str, Any],
        *,
        address: DataAddress | None = None,
        note_id: str = "",
    ) -> None:
        note = InboxMessage(
            id=note_id or flow_note_id(event), kind=event.value, payload=payload, received_at=self._clock.now()
        )
        if address is not None and not process.is_outcome:
            # Before the note: whoever acts on the note needs the address.
            await self._addresses.keep(process, address)
        # A transfer that has moved past what the data plane reports: acknowledged, changes nothing.
        with suppress(InvalidTransitionError):
            await self._processes.append(process.id, note, accepting(event))
        if address is not None:
            await self._addresses.forget_if_ended(process.id)

    async def _own(
        self, data_planes: frozenset[str], process_id: str, side: TransferProcessType | None = None
    ) -> TransferProcess:
        process = await self._processes.find(process_id)
        if process is None or process.data_plane_id not in data_planes or side not in {None, process.type}:
            raise NotFoundError(kind="TransferProcess", object_id=process_id)
        return process
