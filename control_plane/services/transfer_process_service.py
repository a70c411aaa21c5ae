"""What clients ask of transfers. Nothing is done here: requests are checked and noted, the manager does the work."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from connector_spi.clock import Clock
from connector_spi.data_address import DataAddress
from connector_spi.errors import ConflictError, InvalidInputError, NotFoundError
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.placement import ACCESS, IF_EXISTS
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import (
    NO_DESTINATION,
    ResourcePhase,
    TransferProcess,
    TransferProcessType,
    is_pull,
)
from control_plane.domain.transfer_state_machine import ResourceEvent, TransferEvent
from control_plane.ports.data_flow_controller import DataFlowController
from control_plane.ports.provisioner import Provisioner
from control_plane.ports.stores import Stores
from control_plane.services.transfer_inbox import accepting

PROCESS_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
DEPROVISION: Final = ResourceEvent.DEPROVISION.value
_REASON_MAX: Final = 2048
_FETCHED_BY_CLIENT: Final = "HttpProxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """What a client asks for. `id` is the client's, or empty; `asset_id` and `counter_party_id` are optional checks."""

    id: str = ""
    contract_id: str
    asset_id: str = ""
    counter_party_id: str = ""
    counter_party_address: str
    protocol: str
    transfer_type: str
    data_destination: DataAddress = NO_DESTINATION
    managed_resources: bool = True
    private_properties: Mapping[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """A digest that is equal for equal requests."""
        facts = {
            "contract": self.contract_id,
            "asset": self.asset_id,
            "counterParty": [self.counter_party_id, self.counter_party_address],
            "protocol": self.protocol,
            "type": self.transfer_type,
            "destination": [self.data_destination.type, dict(self.data_destination.properties)],
            "managed": self.managed_resources,
            "private": dict(self.private_properties),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class TransferProcessService:
    """Commands and questions of clients about transfer processes."""

    def __init__(
        self,
        *,
        participant_id: str,
        stores: Stores,
        provisioners: Mapping[str, Provisioner],
        data_flows: DataFlowController,
        clock: Clock,
    ) -> None:
        self._participant_id = participant_id
        self._stores = stores
        self._processes = stores.transfer_processes
        self._provisioners = provisioners
        self._data_flows = data_flows
        self._clock = clock

    async def initiate(self, request: TransferRequest) -> TransferProcess:
        """Begin a transfer as the consumer. The same request under the same id again returns the same process.

        Raises:
            InvalidInputError: unknown agreement, one of somebody else, or a value that cannot work.
            ConflictError: the id belongs to another request.
        """
        process = await self._new_process(request)
        try:
            await self._processes.create(process, due_at=process.created_at)
        except ConflictError:
            return await self._existing(process)
        return process

    async def get(self, process_id: str) -> TransferProcess:
        """The process.

        Raises:
            NotFoundError: there is none.
        """
        process = await self._processes.find(process_id)
        if process is None:
            raise NotFoundError(kind="TransferProcess", object_id=process_id)
        return process

    async def query(self, query: QuerySpec) -> list[TransferProcess]:
        """One page of processes.

        Raises:
            InvalidInputError: a field of the query does not exist.
        """
        return await self._processes.query(query)

    async def terminate(self, process_id: str, reason: str) -> None:
        """End the transfer; the counterparty is told the reason. Fine when it was terminated before.

        Raises:
            NotFoundError: there is no such process.
            ConflictError: it has completed.
        """
        payload = {"code": "TerminatedByClient", "message": reason[:_REASON_MAX] or "The client ended the transfer."}
        await self._command(process_id, TransferEvent.TERMINATE, payload)

    async def start(self, process_id: str) -> None:
        """Let a transfer begin that is held back for a decision, as its provider.

        Raises:
            NotFoundError: there is no such process.
            ConflictError: it has begun, has ended, or this side is the consumer.
        """
        await self._command(process_id, TransferEvent.ALLOW_START, {})

    async def complete(self, process_id: str) -> None:
        """End a pull: its client has fetched everything by itself, or the provider serves no more. May be repeated.

        Raises:
            NotFoundError: there is no such process.
            ConflictError: it is not running, or it is for somebody else to say.
        """
        process = await self.get(process_id)
        if not _ends_by_word_of_client(process):
            raise ConflictError(
                f"Transfer {process_id} is not one whose client fetches the data; it completes when the data is there."
            )
        if process.state.name.startswith("COMPLET"):
            return
        await self._command(process_id, TransferEvent.COMPLETE, {})

    async def suspend(self, process_id: str, reason: str) -> None:
        """Pause the transfer.

        Raises:
            NotFoundError: there is no such process.
            ConflictError: it is not running.
        """
        payload = {"code": "SuspendedByClient", "message": reason[:_REASON_MAX]} if reason else {}
        await self._command(process_id, TransferEvent.SUSPEND, payload)

    async def resume(self, process_id: str) -> None:
        """Go on with a paused transfer.

        Raises:
            NotFoundError: there is no such process.
            ConflictError: it is not paused.
        """
        await self._command(process_id, TransferEvent.RESUME, {})

    async def deprovision(self, process_id: str) -> None:
        """Remove what the transfer provisioned. Fine when that was asked before.

        Raises:
            NotFoundError: there is no such process.
            ConflictError: the transfer has not ended.
        """

        def accept(process: TransferProcess, _pending: Sequence[InboxMessage]) -> None:
            if not process.is_outcome:
                raise ConflictError(f"Transfer {process.id} is {process.state.name}; deprovision it once it has ended.")

        process = await self.get(process_id)
        if process.resources is ResourcePhase.DEPROVISIONED:
            return
        again = process.resources is ResourcePhase.DEPROVISIONING
        message = self._message(DEPROVISION, {}, message_id="" if again else DEPROVISION)
        await self._processes.append(process_id, message, accept)

    async def _command(self, process_id: str, event: TransferEvent, payload: Mapping[str, Any]) -> None:
        process = await self.get(process_id)
        if event is TransferEvent.TERMINATE and process.state.name.startswith("TERMINAT"):
            return

        def accept(process: TransferProcess, pending: Sequence[InboxMessage]) -> None:
            wished_before = event is TransferEvent.TERMINATE and any(m.kind == event.value for m in pending)
            if not wished_before:
                accepting(event)(process, pending)

        await self._processes.append(process_id, self._message(event.value, payload), accept)

    def _message(self, kind: str, payload: Mapping[str, Any], *, message_id: str = "") -> InboxMessage:
        return InboxMessage(
            id=message_id or f"command-{uuid4()}", kind=kind, payload=payload, received_at=self._clock.now()
        )

    async def _existing(self, wanted: TransferProcess) -> TransferProcess:
        found = await self.get(wanted.id)
        if found.request_fingerprint != wanted.request_fingerprint:
            raise ConflictError(
                f"TransferProcess {wanted.id!r} exists already and was requested differently. Choose another id."
            )
        return found

    async def _new_process(self, request: TransferRequest) -> TransferProcess:
        if request.id and not PROCESS_ID.fullmatch(request.id):
            raise InvalidInputError(
                field="@id",
                value=request.id,
                problem="is not a process id",
                remedy="Use 1 to 128 characters of A-Z a-z 0-9 . _ - that begin with a letter or digit.",
            )
        agreement = await self._agreement_of(request)
        prepared_by = await self._data_flows.preparing_data_plane_for(request.transfer_type)
        _check_managed(request, prepared_by)
        is_ours = prepared_by is None and not is_pull(request.transfer_type)
        if is_ours:
            self._check_destination(request)
        elif prepared_by is None:
            _check_no_destination(request)
        now = self._clock.now()
        process = TransferProcess(
            id=request.id or str(uuid4()),
            participant_id=self._participant_id,
            type=TransferProcessType.CONSUMER,
            state_timestamp=now,
            created_at=now,
            updated_at=now,
            counter_party_id=agreement.provider_id,
            counter_party_address=request.counter_party_address,
            protocol=request.protocol,
            asset_id=agreement.asset_id,
            contract_id=agreement.id,
            transfer_type=request.transfer_type,
            data_destination=request.data_destination.without_secrets(),
            managed_resources=request.managed_resources,
            request_fingerprint=request.fingerprint(),
            private_properties=request.private_properties,
            nonce=uuid4().hex,
        )
        if is_ours:
            self._provisioners[process.data_destination.type].plan(process)
        return process

    async def _agreement_of(self, request: TransferRequest) -> ContractAgreement:
        agreement = await self._stores.contract_negotiations.find_agreement(request.contract_id)
        if agreement is None:
            raise InvalidInputError(
                field="contractId",
                value=request.contract_id,
                problem="names no agreement of this participant",
                remedy="Negotiate a contract first; GET /v3/contractnegotiations/{id} tells its contractAgreementId.",
            )
        if agreement.consumer_id != self._participant_id:
            raise InvalidInputError(
                field="contractId",
                value=request.contract_id,
                problem="names an agreement in which we are the provider",
            )
        if request.asset_id and request.asset_id != agreement.asset_id:
            raise InvalidInputError(
                field="assetId",
                value=request.asset_id,
                problem="is not the asset of the agreement",
                remedy=f"Leave it out, or use {agreement.asset_id!r}.",
            )
        if request.counter_party_id and request.counter_party_id != agreement.provider_id:
            raise InvalidInputError(
                field="counterPartyId",
                value=request.counter_party_id,
                problem="is not the provider of the agreement",
                remedy=f"Leave it out, or use {agreement.provider_id!r}.",
            )
        return agreement

    def _check_destination(self, request: TransferRequest) -> None:
        known = ", ".join(sorted(self._provisioners))
        address_type = request.data_destination.type
        if address_type not in self._provisioners:
            raise InvalidInputError(
                field="dataDestination.type",
                value=address_type,
                problem="is not a known destination",
                remedy=f"Use one of: {known}.",
            )
        if request.transfer_type != f"{address_type}-PUSH":
            raise InvalidInputError(
                field="transferType",
                value=request.transfer_type,
                problem="does not fit the destination",
                remedy=f"Use {address_type}-PUSH.",
            )


def _ends_by_word_of_client(process: TransferProcess) -> bool:
    fetched_by_client = process.type is TransferProcessType.PROVIDER or process.data_plane_id is None
    return process.is_pull and fetched_by_client


def _check_managed(request: TransferRequest, prepared_by: str | None) -> None:
    """Whether it fits that the container is the client's or, where `managedResources` is true, is to be made."""
    if not request.managed_resources and prepared_by is not None:
        raise InvalidInputError(
            field="managedResources",
            value=False,
            problem=f"cannot be done: the data plane {prepared_by!r} makes the destinations of {request.transfer_type}",
            remedy='Leave it out or say true, or set provision_with = "control-plane" for that data plane.',
        )
    about_existing = [name for name in (ACCESS, IF_EXISTS) if request.data_destination.get(name)]
    if request.managed_resources and about_existing:
        raise InvalidInputError(
            field=f"dataDestination.{about_existing[0]}",
            value=request.data_destination.get(about_existing[0]),
            problem="is about a container that exists already",
            remedy="Leave it out, or say managedResources false.",
        )


def _check_no_destination(request: TransferRequest) -> None:
    """A pull that a client fetches goes nowhere else; EDC's clients send a destination that says just that."""
    if request.data_destination.type not in {"", _FETCHED_BY_CLIENT}:
        raise InvalidInputError(
            field="dataDestination",
            value=request.data_destination.type,
            problem="cannot be reached by a pull without a data plane of this side that fetches",
            remedy='Leave it out and fetch the data yourself, or set provision_with = "data-plane" for a data plane '
            f"that serves {request.transfer_type}.",
        )
