"""What counterparties send about transfers: checked, noted, answered. The work is the manager's."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.data_address import KEY_NAME, SECRET, DataAddress
from connector_spi.errors import ConflictError, InvalidInputError, InvalidTransitionError, NotFoundError
from connector_spi.log_context import redacted
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from control_plane.domain.inbox import WAKE, InboxMessage
from control_plane.domain.participant import Participant
from control_plane.domain.transfer_process import (
    NO_DESTINATION,
    ResourcePhase,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
    data_address_alias,
    is_pull,
)
from control_plane.domain.transfer_state_machine import TransferEvent, state_to_come
from control_plane.ports.data_flow_controller import DataFlowController
from control_plane.ports.destination_policy import DestinationPolicy
from control_plane.ports.stores import Stores
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.services.transfer_inbox import accepting, events_of

_log = logging.getLogger(__name__)

_S = TransferProcessState
_E = TransferEvent
_CONSUMER, _PROVIDER = TransferProcessType.CONSUMER, TransferProcessType.PROVIDER

START: Final = "start"
COMPLETION: Final = "completion"
SUSPENSION: Final = "suspension"
TERMINATION: Final = "termination"

_EVENTS: Final = {
    (_CONSUMER, START): _E.START,
    (_PROVIDER, START): _E.RESUME_BY_COUNTERPARTY,
    (_CONSUMER, COMPLETION): _E.COMPLETE_BY_COUNTERPARTY,
    (_PROVIDER, COMPLETION): _E.COMPLETE_BY_COUNTERPARTY,
    (_CONSUMER, SUSPENSION): _E.SUSPEND_BY_COUNTERPARTY,
    (_PROVIDER, SUSPENSION): _E.SUSPEND_BY_COUNTERPARTY,
    (_CONSUMER, TERMINATION): _E.TERMINATE_BY_COUNTERPARTY,
    (_PROVIDER, TERMINATION): _E.TERMINATE_BY_COUNTERPARTY,
}
_PAUSED: Final = frozenset({_S.SUSPENDED, _S.SUSPENDING, _S.SUSPENDING_REQUESTED})
_ENDED: Final = frozenset({_S.TERMINATED, _S.TERMINATING_REQUESTED})
_DONE: Final = frozenset({_S.COMPLETED, _S.COMPLETING, _S.COMPLETING_REQUESTED})
_ALREADY_SO: Final = {
    # The consumer may have found all the data before it heard of the start.
    (_CONSUMER, START): frozenset(
        {
            _S.STARTUP_REQUESTED,
            _S.STARTED,
            _S.RESUMING_REQUESTED,
            _S.COMPLETING,
            _S.COMPLETING_REQUESTED,
            _S.COMPLETED,
        }
    ),
    (_PROVIDER, START): frozenset({_S.STARTED, _S.RESUMING, _S.RESUMING_REQUESTED}),
    (_CONSUMER, COMPLETION): _DONE,
    (_PROVIDER, COMPLETION): _DONE,
    (_CONSUMER, SUSPENSION): _PAUSED,
    (_PROVIDER, SUSPENSION): _PAUSED,
    (_CONSUMER, TERMINATION): _ENDED,
    (_PROVIDER, TERMINATION): _ENDED,
}
"""States in which a message tells nothing new, or the same wish was on its way: acknowledged, changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingTransferRequest:
    """A TransferRequestMessage. `data_address` holds the secret until it is in the vault."""

    consumer_pid: str
    agreement_id: str
    transfer_type: str
    callback_address: str
    protocol: str
    data_address: DataAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingTransferMessage:
    """A start, completion, suspension or termination message.

    `data_address`: where a pull's data is served, secrets included, until it is in the vault.
    """

    name: str
    message_id: str
    consumer_pid: str
    provider_pid: str
    code: str = ""
    reason: str = ""
    data_address: DataAddress | None = None


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
        self._participant_id = participant_id
        self._stores = stores
        self._processes = stores.transfer_processes
        self._vault = vault
        self._addresses = addresses
        self._destinations = destinations
        self._outbound = outbound
        self._data_flows = data_flows
        self._policies = policies
        self._strict_pids = strict_pids
        self._start_within_seconds = start_within_seconds
        self._clock = clock

    async def get(self, counter_party_id: str, process_id: str) -> TransferProcess:
        """The counterparty's own process.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        process = await self._processes.find(process_id)
        if process is None or process.counter_party_id != counter_party_id:
            raise NotFoundError(kind="TransferProcess", object_id=process_id)
        return process

    async def on_request(self, caller: Participant, request: IncomingTransferRequest) -> TransferProcess:
        """A consumer asks for data. The same consumer process again returns the same provider process.

        Raises:
            NotFoundError: no such agreement with this counterparty.
            InvalidInputError: a member of the message cannot work.
            ForbiddenAddressError: the call-back address may not be called.
        """
        destination = await self._checked(caller.id, request)
        found = await self._processes.find_by_correlation(caller.id, request.consumer_pid)
        if found is None:
            found = await self._created(caller, request, destination)
        if found.state is _S.INITIAL and found.secret_alias is not None and not found.is_pull:
            # Only now: had the secret gone first, a crash would have left it in the vault without an owner.
            await self._vault.store(found.secret_alias, destination.get(SECRET))
            _log.info(
                "credential stored in the vault",
                extra={"alias": found.secret_alias, "transfer_process_id": found.id},
            )
            wake = InboxMessage(id="credential-stored", kind=WAKE, received_at=self._clock.now())
            await self._processes.append(found.id, wake, _always)
        return found

    async def on_message(self, counter_party_id: str, process_id: str, message: IncomingTransferMessage) -> None:
        """A counterparty tells of a change.

        Raises:
            NotFoundError: there is no such process of this counterparty.
            InvalidInputError: the ids in the message are not those of the process.
            InvalidTransitionError: the state does not allow it, now or after what is under way.
        """
        process = await self.get(counter_party_id, process_id)
        if self._strict_pids:
            _check_pids(process, message)
        event = _EVENTS[process.type, message.name]
        if event is _E.COMPLETE_BY_COUNTERPARTY and _knows_better(process):
            raise InvalidTransitionError(entity_id=process.id, state=process.state.name, event=message.name)
        other_pid = message.provider_pid if process.type is _CONSUMER else message.consumer_pid
        payload: Mapping[str, Any] = {
            "code": message.code,
            "message": redacted(message.reason),
            "correlationId": other_pid if self._strict_pids else None,
        }
        note = InboxMessage(
            id=f"dsp-{event.value}-{message.message_id or uuid4()}",
            kind=event.value,
            payload=payload,
            received_at=self._clock.now(),
        )
        acceptance = _Acceptance(process.type, message.name)
        served_at = message.data_address if event is _E.START and process.is_pull else None
        if served_at is not None and not process.is_outcome:
            # Before the message: whoever acts on it needs the address.
            await self._addresses.keep(process, served_at)
        try:
            await self._processes.append(process.id, note, acceptance)
        except InvalidTransitionError:
            if not acceptance.nothing_new:
                raise
        finally:
            if served_at is not None:
                await self._addresses.forget_if_ended(process.id)

    async def _checked(self, counter_party_id: str, request: IncomingTransferRequest) -> DataAddress:
        agreement = await self._stores.contract_negotiations.find_agreement(request.agreement_id)
        known = agreement is not None and agreement.provider_id == self._participant_id
        if agreement is None or not known or agreement.consumer_id != counter_party_id:
            raise NotFoundError(kind="ContractAgreement", object_id=request.agreement_id)
        transfer_types = await self._data_flows.transfer_types()
        if request.transfer_type not in transfer_types:
            raise InvalidInputError(
                field="format",
                value=request.transfer_type,
                problem="is not a transfer type of this provider",
                remedy=f"Use one of: {', '.join(transfer_types)}.",
            )
        self._outbound.check_url(request.callback_address)
        if is_pull(request.transfer_type):
            return NO_DESTINATION
        if request.data_address is None:
            raise InvalidInputError(field="dataAddress", value=None, problem="is required for a push transfer")
        return self._destinations.accept(request.data_address)

    async def _created(
        self, caller: Participant, request: IncomingTransferRequest, destination: DataAddress
    ) -> TransferProcess:
        agreement = await self._stores.contract_negotiations.find_agreement(request.agreement_id)
        if agreement is None:
            raise NotFoundError(kind="ContractAgreement", object_id=request.agreement_id)
        now = self._clock.now()
        process = TransferProcess(
            id=str(uuid4()),
            participant_id=self._participant_id,
            type=_PROVIDER,
            state_timestamp=now,
            created_at=now,
            updated_at=now,
            counter_party_id=caller.id,
            counter_party_claims=caller.claims,
            counter_party_address=request.callback_address.rstrip("/"),
            protocol=request.protocol,
            correlation_id=request.consumer_pid,
            asset_id=agreement.asset_id,
            contract_id=agreement.id,
            transfer_type=request.transfer_type,
            data_destination=destination.without_secrets(),
            nonce=destination.get("transferNonce"),
        ).with_deadline(self._start_within_seconds)
        due_at = now
        if not process.is_pull:
            process = _with_secret_of_push(process)
            # Not due before its secret is in the vault, unless that takes for ever.
            due_at = now + timedelta(seconds=self._start_within_seconds)
        try:
            await self._processes.create(process, due_at=due_at)
        except ConflictError:
            found = await self._processes.find_by_correlation(caller.id, request.consumer_pid)
            if found is None:
                raise
            return found
        return process


def _with_secret_of_push(process: TransferProcess) -> TransferProcess:
    """The process with the alias that this side chose for the consumer's secret."""
    alias = data_address_alias(process.id)
    destination = process.data_destination.with_properties(**{KEY_NAME: alias})
    return replace(process, data_destination=destination, resources=ResourcePhase.HELD, secret_alias=alias)


class _Acceptance:
    """Whether a message is put into the inbox: it is legal now or after what waits, and tells something new."""

    def __init__(self, side: TransferProcessType, name: str) -> None:
        self._already_so = _ALREADY_SO[side, name]
        self._event = _EVENTS[side, name]
        self.nothing_new = False
        """Whether the last refusal was of a message that tells nothing new: it is acknowledged all the same."""

    def __call__(self, process: TransferProcess, pending: Sequence[InboxMessage]) -> None:
        waiting = events_of(pending)
        to_come = state_to_come(process, waiting) if waiting else process.state
        self.nothing_new = to_come in self._already_so
        if self.nothing_new:
            raise InvalidTransitionError(entity_id=process.id, state=process.state.name, event=self._event.value)
        accepting(self._event)(process, pending)


def _knows_better(process: TransferProcess) -> bool:
    """Of a push, the provider alone knows when everything is there."""
    return process.type is _PROVIDER and not process.is_pull and process.state is not _S.COMPLETED


def _always(_process: TransferProcess, _pending: Sequence[InboxMessage]) -> None:
    return None


def _check_pids(process: TransferProcess, message: IncomingTransferMessage) -> None:
    consumer = process.type is _CONSUMER
    own, other = message.consumer_pid, message.provider_pid
    own_name, other_name = ("consumerPid", "providerPid") if consumer else ("providerPid", "consumerPid")
    if not consumer:
        own, other = other, own
    if own != process.id:
        raise InvalidInputError(field=own_name, value=own, problem="is not the process in the path")
    if process.correlation_id is not None and other != process.correlation_id:
        raise InvalidInputError(field=other_name, value=other, problem="is not the counterpart of this process")
