"""What counterparties send about transfers: checked, noted, answered. The work is the manager's."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.errors import InvalidTransitionError, NotFoundError
from connector_spi.log_context import redacted
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from control_plane.domain.inbox import FROM_COUNTERPARTY, InboxMessage, heard
from control_plane.domain.participant import Participant
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.domain.transfer_state_machine import TransferEvent, after_waiting
from control_plane.ports.data_flow_controller import DataFlowController
from control_plane.ports.destination_policy import DestinationPolicy
from control_plane.ports.stores import Stores
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.services.transfer_admission import TransferAdmission
from control_plane.services.transfer_inbox import events_of
from control_plane.services.transfer_messages import Acceptance, IncomingTransferMessage, check_pids, event_of
from control_plane.services.transfer_request_intake import IncomingTransferRequest, TransferRequestIntake

_S = TransferProcessState
_E = TransferEvent
_PAUSED: Final = frozenset({_S.SUSPENDED, _S.SUSPENDING, _S.SUSPENDING_REQUESTED})


class TransferProtocolService:
    """The transfer part of the Dataspace Protocol, receiving side."""

    def __init__(
        self,
        *,
        participant_id: str,
        stores: Stores,
        vault: Vault,
        addresses: TransferAddresses,
        destinations: DestinationPolicy,
        outbound: OutboundAddressPolicy,
        data_flows: DataFlowController,
        policies: PolicyEngine,
        start_within_seconds: float,
        clock: Clock,
        strict_pids: bool = True,
    ) -> None:
        """`strict_pids`: refuse messages whose process ids are not those of the process in the path."""
        self._processes = stores.transfer_processes
        self._addresses = addresses
        self._admission = TransferAdmission(stores.contract_negotiations, policies, clock)
        self._requests = TransferRequestIntake(
            participant_id=participant_id,
            stores=stores,
            vault=vault,
            destinations=destinations,
            outbound=outbound,
            data_flows=data_flows,
            admission=self._admission,
            start_within_seconds=start_within_seconds,
            clock=clock,
        )
        self._strict_pids = strict_pids
        self._clock = clock

    async def get(self, counter_party_id: str, process_id: str) -> TransferProcess:
        """The counterparty's own process, as far as both sides have said; steps may be behind that.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        process, pending = await self._found(counter_party_id, process_id)
        return after_waiting(process, events_of(heard(pending)))

    async def on_request(self, caller: Participant, request: IncomingTransferRequest) -> TransferProcess:
        """A consumer asks for data. The same consumer process again returns the same provider process.

        Raises:
            NotFoundError: no such agreement with this counterparty.
            InvalidInputError: a member of the message cannot work, or the consumer's id is that of another request.
            ForbiddenAddressError: the call-back address may not be called.
            PolicyDeniedError: the agreement's policy does not permit a new transfer.
        """
        return await self._requests.take(caller, request)

    async def on_message(self, counter_party_id: str, process_id: str, message: IncomingTransferMessage) -> None:
        """A counterparty tells of a change.

        Raises:
            NotFoundError: there is no such process of this counterparty.
            InvalidInputError: the ids in the message are not those of the process.
            InvalidTransitionError: the state does not allow it, now or after what is under way.
            PolicyDeniedError: the agreement's policy does not permit that a paused transfer goes on.
        """
        process, pending = await self._found(counter_party_id, process_id)
        if self._strict_pids:
            check_pids(process, message)
        event = event_of(process.type, message.name)
        if event is _E.RESUME_BY_COUNTERPARTY and process.state in _PAUSED:
            await self._admission.check(process)
        acceptance = Acceptance(process.type, message.name)
        if event is _E.START:
            await self._keep_address(process, pending, message, acceptance)
        try:
            await self._processes.append(process.id, self._note(process, event, message), acceptance)
        except InvalidTransitionError:
            if not acceptance.nothing_new:
                raise
        finally:
            if event is _E.START and process.is_pull:
                await self._addresses.forget_if_ended(process.id)

    async def _found(self, counter_party_id: str, process_id: str) -> tuple[TransferProcess, Sequence[InboxMessage]]:
        found = await self._processes.find_with_inbox(process_id)
        if found is None or found[0].counter_party_id != counter_party_id:
            raise NotFoundError(kind="TransferProcess", object_id=process_id)
        return found

    async def _keep_address(
        self,
        process: TransferProcess,
        pending: Sequence[InboxMessage],
        message: IncomingTransferMessage,
        acceptance: Acceptance,
    ) -> None:
        """Where a pull's data is served: kept before the message, for whoever acts on that needs the address.

        A message that is refused or tells nothing new replaces no address.
        """
        served_at = message.data_address if process.is_pull else None
        if served_at is not None and acceptance.takes(process, pending):
            await self._addresses.keep(process, served_at)

    def _note(self, process: TransferProcess, event: TransferEvent, message: IncomingTransferMessage) -> InboxMessage:
        consumer = process.type is TransferProcessType.CONSUMER
        other_pid = message.provider_pid if consumer else message.consumer_pid
        payload: Mapping[str, Any] = {
            "code": redacted(message.code),
            "message": redacted(message.reason),
            "correlationId": other_pid if self._strict_pids else None,
        }
        return InboxMessage(
            id=f"{FROM_COUNTERPARTY}{event.value}-{message.message_id or uuid4()}",
            kind=event.value,
            payload=payload,
            received_at=self._clock.now(),
        )
