"""TransferProcess: one transfer as one side sees it. State names and codes are EDC's (v0.18.0)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from connector_spi.data_address import DataAddress
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.placement import CheckedReceipt, DestinationAccess, Placement, PlacementPosition


class TransferProcessType(StrEnum):
    """Which side of the transfer this process is."""

    CONSUMER = "CONSUMER"
    PROVIDER = "PROVIDER"


class TransferProcessState(IntEnum):
    """The codes are for rows and clients; code never compares them by size."""

    INITIAL = 100
    """Accepted; nothing done yet."""
    PROVISIONING = 200
    """Consumer: the container and the SAS are being made."""
    PREPARATION_REQUESTED = 250
    """Consumer: waits for the data plane to say that it has prepared."""
    PROVISIONED = 300
    """Consumer: the destination is ready. Provider: a start that was held back for a decision is allowed."""
    REQUESTING = 400
    """Consumer: the TransferRequestMessage is being sent."""
    REQUESTED = 500
    """Consumer: waits for the provider to start."""
    STARTING = 550
    """Provider: the data plane runs; the TransferStartMessage is being sent."""
    STARTUP_REQUESTED = 570
    """Provider: waits for the data plane to say that it has started. Consumer: its data plane is being told."""
    STARTED = 600
    """Data moves."""
    SUSPENDING = 650
    """This side wishes to pause."""
    SUSPENDING_REQUESTED = 675
    """The counterparty paused."""
    SUSPENDED = 700
    """Paused; somebody must act."""
    RESUMING = 720
    """This side wishes to go on."""
    RESUMING_REQUESTED = 722
    """The counterparty goes on: the data plane is being told."""
    RESUMED = 725
    """Consumer: waits for the provider to start again, and looks whether it has."""
    COMPLETING = 750
    """This side's data plane has finished; the TransferCompletionMessage is being sent."""
    COMPLETING_REQUESTED = 775
    """The counterparty says that it is complete; the evidence is being looked at, the data plane is being told.
    Consumer: or everything has arrived, and is being moved into the client's container."""
    COMPLETED = 800
    """Outcome: all data arrived."""
    TERMINATING = 825
    """This side ends the transfer."""
    TERMINATING_REQUESTED = 840
    """The counterparty ended the transfer."""
    TERMINATED = 850
    """Outcome: ended without all the data; `error` says why."""


class ResourcePhase(StrEnum):
    """What the transfer still holds; runs beside the state, so that the outcome never changes."""

    NONE = "NONE"
    """Nothing was provisioned."""
    HELD = "HELD"
    """A container or a SAS exists."""
    REVOKING = "REVOKING"
    """The outcome is known: the SAS is being revoked and deleted from the vault."""
    REVOKED = "REVOKED"
    """No secret is left; the consumer's container still stands."""
    DEPROVISIONING = "DEPROVISIONING"
    """The client asked to remove what was provisioned."""
    DEPROVISIONED = "DEPROVISIONED"
    """Nothing is left."""


ERROR_CODE_MAX = 128
ERROR_MESSAGE_MAX = 2000

OUTCOMES = frozenset({TransferProcessState.COMPLETED, TransferProcessState.TERMINATED})

_S = TransferProcessState
_PUBLIC = {
    **dict.fromkeys(
        (
            *(_S.INITIAL, _S.PROVISIONING, _S.PREPARATION_REQUESTED, _S.PROVISIONED, _S.REQUESTING, _S.REQUESTED),
            *(_S.STARTUP_REQUESTED, _S.STARTING),
        ),
        _S.REQUESTED,
    ),
    _S.STARTED: _S.STARTED,
    **dict.fromkeys((_S.SUSPENDING_REQUESTED, _S.SUSPENDED), _S.SUSPENDED),
    **dict.fromkeys((_S.COMPLETING_REQUESTED, _S.COMPLETED), _S.COMPLETED),
    **dict.fromkeys((_S.TERMINATING_REQUESTED, _S.TERMINATED), _S.TERMINATED),
}
"""The protocol's state behind each of ours. The others are moves of this side that the counterparty has not
acknowledged: what was agreed before them stays."""
_BEFORE_MOVE = {_S.SUSPENDING: _S.STARTED, _S.COMPLETING: _S.STARTED, _S.TERMINATING: _S.TERMINATED}
"""What is taken for agreed where that is not on record."""
_STARTED_BY_PROVIDER = frozenset({_S.STARTUP_REQUESTED, _S.RESUMING_REQUESTED})
"""The consumer has acknowledged the provider's start, and tells its data plane."""

NO_DESTINATION = DataAddress("")
"""A pull has none: the consumer fetches the data from where the provider's data plane serves it."""


def is_pull(transfer_type: str) -> bool:
    """Whether the consumer fetches the data (`HttpData-PULL`, `https://.../http-pull`), by the name's last part."""
    return transfer_type.lower().endswith("-pull")


def data_address_alias(process_id: str) -> str:
    """Vault alias of what opens the transfer's data address: one for each transfer, chosen by this side."""
    return f"transfer-process-{process_id}-data-address"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferError:
    """Why a transfer ended, in words that both sides may read; cut to what every message and row has room for."""

    code: str
    message: str
    remedy: str = ""
    """What our own operator does about it, beyond what the message says; never sent to the counterparty."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", self.code[:ERROR_CODE_MAX])
        object.__setattr__(self, "message", self.message[:ERROR_MESSAGE_MAX])
        object.__setattr__(self, "remedy", self.remedy[:ERROR_MESSAGE_MAX])

    @property
    def document(self) -> dict[str, str]:
        """Its parts, as rows and inbox notes hold them; no remedy where there is none."""
        told = {"code": self.code, "message": self.message}
        return {**told, "remedy": self.remedy} if self.remedy else told

    @property
    def for_operator(self) -> str:
        """Message and remedy in one text, for our own side."""
        return f"{self.message} {self.remedy}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedResource:
    """What the consumer made ready for one transfer: where the provider writes, and where its SAS rests.

    Whether the container is this transfer's own is written in the container itself, too, by the call that created it.
    """

    account: str
    container: str
    folder: str
    secret_alias: str
    """Vault alias of the SAS."""
    sas_expires_at: datetime | None
    access: DestinationAccess = DestinationAccess.MANAGED
    placement: Placement | None = None
    """Where the data is moved once it has arrived; None: it stays where the provider wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProcess:
    """One transfer, frozen: moves are made by `transfer_state_machine.fire`, which returns the next one."""

    id: str
    participant_id: str
    """The owner: this connector's participant."""
    type: TransferProcessType
    state: TransferProcessState = TransferProcessState.INITIAL
    agreed_state: TransferProcessState | None = None
    """While the counterparty has not acknowledged this side's move: the protocol's state before that move."""
    state_count: int = 1
    """How often the present state was entered or tried."""
    state_timestamp: datetime
    created_at: datetime
    updated_at: datetime
    counter_party_id: str
    counter_party_address: str
    protocol: str
    correlation_id: str | None = None
    """The counterparty's process id, once known."""
    counter_party_claims: Mapping[str, Any] = field(default_factory=dict)
    """What the counterparty's request proved about it; the provider's policies may ask for it."""
    asset_id: str
    contract_id: str
    transfer_type: str
    data_destination: DataAddress
    """Without secrets; `keyName` is a vault alias."""
    managed_resources: bool = True
    request_fingerprint: str = ""
    """Digest of the client's request, to tell a repeated one from another one under the same id."""
    private_properties: Mapping[str, Any] = field(default_factory=dict)
    nonce: str = ""
    """Chosen by the consumer; the provider writes it into the marker."""
    resources: ResourcePhase = ResourcePhase.NONE
    provisioned: ProvisionedResource | None = None
    secret_alias: str | None = None
    """Vault alias of this side's copy of the SAS or of the data address, while there may be one."""
    data_plane_id: str | None = None
    """The data plane that has the flow. A consumer without one provisions by itself, or has nothing to prepare."""
    data_flow_id: str | None = None
    """The data plane's name of the flow, where it is not the process's id."""
    message_id: str | None = None
    """Id of the message that the present state sends; the same when a send is repeated."""
    attempt: int = 0
    """Failed attempts in the present state."""
    next_attempt_at: datetime | None = None
    deadline_at: datetime | None = None
    """When the present state has lasted too long."""
    error: TransferError | None = None
    progress: DataFlowProgress | None = None

    @property
    def is_outcome(self) -> bool:
        """Whether the transfer has ended."""
        return self.state in OUTCOMES

    @property
    def is_pull(self) -> bool:
        """Whether the consumer fetches the data."""
        return is_pull(self.transfer_type)

    @property
    def placement(self) -> Placement | None:
        """Where what arrives is moved before the transfer completes, where it is moved at all."""
        return self.provisioned.placement if self.provisioned else None

    @property
    def flow_id(self) -> str:
        """The id of the data flow, as the data plane knows it."""
        return self.data_flow_id or self.id

    @property
    def public_state(self) -> TransferProcessState:
        """The protocol's state: REQUESTED, STARTED, SUSPENDED, COMPLETED or TERMINATED.

        A move counts once it is acknowledged: this side's by the counterparty, the counterparty's by this side.
        """
        if self.type is TransferProcessType.CONSUMER and self.state in _STARTED_BY_PROVIDER:
            return TransferProcessState.STARTED
        return _PUBLIC.get(self.state) or self.agreed_state or _BEFORE_MOVE.get(self.state, _S.SUSPENDED)

    @property
    def shown_state(self) -> str:
        """EDC's name of the state, with the deprovisioning phase shown where it has begun."""
        if self.resources in {ResourcePhase.DEPROVISIONING, ResourcePhase.DEPROVISIONED}:
            return self.resources.value
        return self.state.name

    def entered(self, state: TransferProcessState, at: datetime) -> "TransferProcess":
        """The process after it entered `state`; what belonged to the state before is cleared."""
        again = state is self.state
        resources = self.resources
        if state in OUTCOMES and resources is ResourcePhase.HELD:
            resources = ResourcePhase.REVOKING
        return replace(
            self,
            state=state,
            agreed_state=None if state in _PUBLIC else self.public_state,
            state_count=self.state_count + 1 if again else 1,
            state_timestamp=at,
            updated_at=at,
            message_id=None,
            attempt=0,
            next_attempt_at=None,
            deadline_at=None,
            resources=resources,
        )

    def retried_at(self, when: datetime, at: datetime) -> "TransferProcess":
        """The process after an attempt that did not bring it further and is repeated at `when`."""
        return replace(
            self,
            attempt=self.attempt + 1,
            state_count=self.state_count + 1,
            next_attempt_at=when,
            updated_at=at,
        )

    def failed_with(self, error: TransferError) -> "TransferProcess":
        """The process with its reason recorded; the first reason stays."""
        return self if self.error else replace(self, error=error)

    def placed_up_to(self, position: PlacementPosition) -> "TransferProcess":
        """The process with its placement at `position`; itself where nothing is placed."""
        if self.provisioned is None or self.provisioned.placement is None:
            return self
        placement = replace(self.provisioned.placement, position=position)
        return replace(self, provisioned=replace(self.provisioned, placement=placement))

    def taken_back_to(self, continuation: str | None) -> "TransferProcess":
        """The process with its placement taken back up to there; itself where nothing is placed."""
        if self.provisioned is None or self.placement is None:
            return self
        placement = replace(self.placement, taken_back_to=continuation)
        return replace(self, provisioned=replace(self.provisioned, placement=placement))

    def with_arrival(self, receipt: CheckedReceipt | None) -> "TransferProcess":
        """The process with its placement at the beginning; itself where nothing is placed, or placing has begun."""
        if self.provisioned is None or self.placement is None or self.placement.position is not None:
            return self
        placement = replace(self.placement, position=PlacementPosition(), receipt=receipt)
        return replace(self, provisioned=replace(self.provisioned, placement=placement))

    def with_deadline(self, seconds: float) -> "TransferProcess":
        """The process with a limit on how long its present state may last."""
        return replace(self, deadline_at=self.state_timestamp + timedelta(seconds=seconds))
