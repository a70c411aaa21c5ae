"""TransferRequestIntake: a consumer asks for data; checked, noted, and its secret put into the vault."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.data_address import KEY_NAME, SECRET, DataAddress
from connector_spi.errors import ConflictError, InvalidInputError, NotFoundError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from connector_spi.vault import Vault
from connector_spi.vault_access import vault_purpose
from control_plane.domain.contract_agreement import ContractAgreement
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
from control_plane.ports.data_flow_controller import DataFlowController
from control_plane.ports.destination_policy import DestinationPolicy
from control_plane.ports.stores import Stores
from control_plane.services.transfer_admission import TransferAdmission

_log = logging.getLogger(__name__)

_S = TransferProcessState
_NOT_BEGUN: Final = frozenset({_S.INITIAL, _S.PROVISIONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingTransferRequest:
    """A TransferRequestMessage. `data_address` holds the secret until it is in the vault."""

    consumer_pid: str
    agreement_id: str
    transfer_type: str
    callback_address: str
    protocol: str
    data_address: DataAddress | None


class TransferRequestIntake:
    """Makes the provider's process of a consumer's request, once."""

    def __init__(
        self,
        *,
        participant_id: str,
        stores: Stores,
        vault: Vault,
        destinations: DestinationPolicy,
        outbound: OutboundAddressPolicy,
        data_flows: DataFlowController,
        admission: TransferAdmission,
        start_within_seconds: float,
        clock: Clock,
    ) -> None:
        self._participant_id = participant_id
        self._negotiations = stores.contract_negotiations
        self._processes = stores.transfer_processes
        self._vault = vault
        self._destinations = destinations
        self._outbound = outbound
        self._data_flows = data_flows
        self._admission = admission
        self._start_within_seconds = start_within_seconds
        self._clock = clock

    async def take(self, caller: Participant, request: IncomingTransferRequest) -> TransferProcess:
        """The process of this request; the same request again finds the same process.

        Raises:
            NotFoundError: no such agreement with this counterparty.
            InvalidInputError: a member of the message cannot work, or the consumer's id is that of another request.
            ForbiddenAddressError: the call-back address may not be called.
            PolicyDeniedError: the agreement's policy does not permit a new transfer.
        """
        found = await self._known(caller, request)
        if found is None:
            found = await self._new(caller, request)
        if found.state in _NOT_BEGUN and found.secret_alias is not None and not found.is_pull:
            await self._keep_secret(found, found.secret_alias, self._destination(request))
        return found

    async def _known(self, caller: Participant, request: IncomingTransferRequest) -> TransferProcess | None:
        found = await self._processes.find_by_correlation(caller.id, request.consumer_pid)
        # One in which this side is the consumer is known under the caller's id as well.
        if found is not None and (found.type, found.contract_id, found.transfer_type) != (
            TransferProcessType.PROVIDER,
            request.agreement_id,
            request.transfer_type,
        ):
            raise InvalidInputError(
                field="consumerPid",
                value=request.consumer_pid,
                problem="belongs to another request of yours",
                remedy="Use a new id for each transfer.",
            )
        return found

    async def _keep_secret(self, process: TransferProcess, alias: str, destination: DataAddress) -> None:
        # Only now: had the secret gone first, a crash would have left it in the vault without an owner.
        with vault_purpose(f"destination of transfer process {process.id}"):
            await self._vault.store(alias, destination.get(SECRET))
        _log.info("credential stored in the vault", extra={"alias": alias, "transfer_process_id": process.id})
        wake = InboxMessage(id="credential-stored", kind=WAKE, received_at=self._clock.now())
        await self._processes.append(process.id, wake, _always)
        now = await self._processes.find(process.id)
        if now is not None and now.is_outcome:
            # It ended while the vault was writing, so that its own clean-up may have been over before.
            with vault_purpose(f"clean up after transfer process {process.id}"):
                await self._vault.delete(alias)

    async def _new(self, caller: Participant, request: IncomingTransferRequest) -> TransferProcess:
        agreement = await self._agreement(caller, request.agreement_id)
        await self._check_transfer_type(request.transfer_type)
        self._outbound.check_url(request.callback_address)
        process = self._process(caller, request, agreement)
        async with self._admission.one_at_a_time(agreement.id):
            # The same request, sent twice at once, takes one place.
            if found := await self._known(caller, request):
                return found
            await self._admission.check_begin(agreement, caller)
            return await self._created(caller, request, process)

    async def _agreement(self, caller: Participant, agreement_id: str) -> ContractAgreement:
        agreement = await self._negotiations.find_agreement(agreement_id)
        known = agreement is not None and agreement.provider_id == self._participant_id
        if agreement is None or not known or agreement.consumer_id != caller.id:
            raise NotFoundError(kind="ContractAgreement", object_id=agreement_id)
        return agreement

    async def _check_transfer_type(self, transfer_type: str) -> None:
        transfer_types = await self._data_flows.transfer_types()
        if transfer_type not in transfer_types:
            raise InvalidInputError(
                field="format",
                value=transfer_type,
                problem="is not a transfer type of this provider",
                remedy=f"Use one of: {', '.join(transfer_types)}.",
            )

    def _destination(self, request: IncomingTransferRequest) -> DataAddress:
        """Where a push goes, with its secret. What a pull names is passed over: its consumer fetches the data."""
        if is_pull(request.transfer_type):
            return NO_DESTINATION
        if request.data_address is None:
            raise InvalidInputError(field="dataAddress", value=None, problem="is required for a push transfer")
        return self._destinations.accept(request.data_address)

    def _process(
        self, caller: Participant, request: IncomingTransferRequest, agreement: ContractAgreement
    ) -> TransferProcess:
        now = self._clock.now()
        destination = self._destination(request)
        process = TransferProcess(
            id=str(uuid4()),
            participant_id=self._participant_id,
            type=TransferProcessType.PROVIDER,
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
        return process if process.is_pull else _with_secret_of_push(process)

    async def _created(
        self, caller: Participant, request: IncomingTransferRequest, process: TransferProcess
    ) -> TransferProcess:
        due_at = process.created_at
        if not process.is_pull:
            # Not due before its secret is in the vault, unless that takes for ever.
            due_at += timedelta(seconds=self._start_within_seconds)
        try:
            await self._processes.create(process, due_at=due_at)
        except ConflictError:
            found = await self._known(caller, request)
            if found is None:
                raise
            return found
        return process


def _with_secret_of_push(process: TransferProcess) -> TransferProcess:
    """The process with the alias that this side chose for the consumer's secret."""
    alias = data_address_alias(process.id)
    destination = process.data_destination.with_properties(**{KEY_NAME: alias})
    return replace(process, data_destination=destination, resources=ResourcePhase.HELD, secret_alias=alias)


def _always(_process: TransferProcess, _pending: Sequence[InboxMessage]) -> None:
    return None
