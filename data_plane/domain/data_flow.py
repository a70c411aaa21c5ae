"""DataFlow: what one transfer asks of this data plane, and how far it is.

Persisted entities never hold a secret: an address names the vault alias of its credential (`keyName`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from connector_spi.data_address import DataAddress
from connector_spi.signaling import DataFlowBaseMessage, DataFlowState
from data_plane.domain.object_copy import CopyMode
from data_plane.domain.public_access import PublicAccess

FINAL_STATES = frozenset({DataFlowState.COMPLETED, DataFlowState.TERMINATED})


class DataFlowRole(StrEnum):
    """Which end of which kind of flow this data plane is."""

    SENDER = "SENDER"
    """Provider of a push: copies source to destination."""
    RECEIVER = "RECEIVER"
    """Consumer of a push: made the destination ready, and waits."""
    GRANTER = "GRANTER"
    """Provider of a pull: gave access to the source, and waits."""
    FETCHER = "FETCHER"
    """Consumer of a pull: copies from the address that the provider gave to a destination of its own."""
    HOLDER = "HOLDER"
    """Consumer of a pull: keeps the address that the provider gave; whoever reads there is not this data plane."""


COPYING_ROLES = frozenset({DataFlowRole.SENDER, DataFlowRole.FETCHER})
"""Roles in which bytes are moved, while the flow is STARTED."""
PROVIDER_ROLES = frozenset({DataFlowRole.SENDER, DataFlowRole.GRANTER})

NO_ADDRESS = DataAddress("")
"""The destination of a flow that has none."""


class OwedWork(StrEnum):
    """What is still to be done after a flow's state has changed; persisted, so that a crash loses none."""

    READINESS = "READINESS"
    """Make the place that is written to, or the access that is given, which took too long for the answer."""
    PREPARED_CALLBACK = "PREPARED_CALLBACK"
    STARTED_CALLBACK = "STARTED_CALLBACK"
    SUSPENDED_CALLBACK = "SUSPENDED_CALLBACK"
    """Tell that the flow was parked."""
    FAILED_MARKER = "FAILED_MARKER"
    """Leave the reason at the destination."""
    COMPLETED_CALLBACK = "COMPLETED_CALLBACK"
    ERRORED_CALLBACK = "ERRORED_CALLBACK"
    INBOX_EVIDENCE = "INBOX_EVIDENCE"
    """Receiver through its own inbox: leave the list of what has arrived, or the reason, where it has arrived."""
    DESTINATION_RELEASE = "DESTINATION_RELEASE"
    """Receiver and fetcher: give back what was made for this flow."""
    ACCESS_END = "ACCESS_END"
    """Granter: end the access, as far as its technology lets us."""
    SECRET_DELETION = "SECRET_DELETION"
    """Delete the credentials that this flow put into the vault. Done after the marker, which needs them."""
    JOURNAL_DELETION = "JOURNAL_DELETION"
    """Whoever has moved bytes: forget the record of every object. Done last."""


_AT_THE_END: Mapping[DataFlowRole, tuple[OwedWork, ...]] = {
    DataFlowRole.SENDER: (OwedWork.SECRET_DELETION, OwedWork.JOURNAL_DELETION),
    DataFlowRole.RECEIVER: (OwedWork.DESTINATION_RELEASE, OwedWork.SECRET_DELETION),
    DataFlowRole.GRANTER: (OwedWork.ACCESS_END, OwedWork.SECRET_DELETION),
    DataFlowRole.FETCHER: (OwedWork.DESTINATION_RELEASE, OwedWork.SECRET_DELETION, OwedWork.JOURNAL_DELETION),
    DataFlowRole.HOLDER: (OwedWork.SECRET_DELETION,),
}


@dataclass(frozen=True, slots=True)
class DataFlowFailure:
    """Why a flow ended: safe to log and to send to the other organisation."""

    code: str
    message: str
    object_name: str | None = None
    retryable: bool = False
    """Whether a new transfer may succeed without anybody changing anything."""
    remedy: str = ""
    """What our own operator does about it, beyond what the message says; the other organisation does not get it."""


@dataclass(frozen=True, slots=True)
class Counters:
    """How far a flow is, in bytes and objects."""

    bytes_copied: int = 0
    """Staged or published at the destination."""
    bytes_total: int = 0
    objects_copied: int = 0
    """Published."""
    objects_total: int = 0
    listing_complete: bool = False
    """Whether the totals are final: every object was listed, checked and journaled."""
    evidence_begun: bool = False
    """Whether the evidence was begun to be written: from then on the reader may have seen it, and closed the door."""
    copy_mode: CopyMode | None = None
    """How the bytes travel, once that is decided."""


@dataclass(frozen=True, slots=True)
class DataFlow:
    """One flow. Its id is the `processId` of the control plane's messages, and the `dataFlowId` of our answers."""

    id: str
    participant_id: str
    """The participant that owns the flow."""
    counter_party_id: str
    agreement_id: str
    dataset_id: str
    profile: str
    role: DataFlowRole
    state: DataFlowState
    destination: DataAddress
    created_at: datetime
    updated_at: datetime
    source: DataAddress | None = None
    """Set for a sender."""
    marker_process_id: str = ""
    """The process id that the markers name: the consumer's, where it told us."""
    nonce: str = ""
    """Of the transfer; repeated in the markers, so that the consumer knows them for its own."""
    callback_base: str = ""
    """Base URL of the control plane's signaling API; empty: that of the flow's control plane."""
    control_plane_id: str = ""
    """The registered control plane that owns the flow; empty: the configured one. No other may touch it."""
    issued: DataAddress | None = None
    """Granter: the address that the consumer got; receiver through its own inbox: the one that the provider got.
    Without the secrets, which rest in the vault."""
    access: PublicAccess | None = None
    """Granter: who may read at our public endpoint. Receiver: who may write there."""
    started_at: datetime | None = None
    """When the flow entered STARTED, by start or by resume."""
    failure: DataFlowFailure | None = None
    reason: str = ""
    """Why the flow is suspended or was terminated: what the control plane said, or why it was parked."""
    vault_aliases: tuple[str, ...] = ()
    """Secrets that this flow put into the vault."""
    owed: tuple[OwedWork, ...] = ()
    attempt: int = 0
    """How often the owed work was tried since the last success."""
    next_attempt_at: datetime | None = None
    """When the owed work is due."""
    counters: Counters = field(default_factory=Counters)
    version: int = 0
    """Counts the saves; a save of a stale copy is refused."""

    @classmethod
    def of_message(
        cls,
        message: DataFlowBaseMessage,
        *,
        role: DataFlowRole,
        destination: DataAddress,
        callback_base: str,
        at: datetime,
        control_plane_id: str = "",
    ) -> "DataFlow":
        """A new flow as the message describes it, in the pseudo state INITIALIZED."""
        return cls(
            id=message.process_id,
            participant_id=message.participant_id,
            counter_party_id=message.counter_party_id,
            agreement_id=message.agreement_id,
            dataset_id=message.dataset_id,
            profile=message.profile,
            role=role,
            state=DataFlowState.INITIALIZED,
            destination=destination,
            created_at=at,
            updated_at=at,
            marker_process_id=message.process_id,
            callback_base=callback_base,
            control_plane_id=control_plane_id,
        )

    @property
    def is_final(self) -> bool:
        """Whether the flow has its outcome."""
        return self.state in FINAL_STATES

    @property
    def has_destination(self) -> bool:
        """Whether bytes come to rest somewhere that this data plane knows."""
        return self.destination.type != ""

    @property
    def is_inbox(self) -> bool:
        """Whether the sender of a push writes to our public endpoint, and we to the destination."""
        return self.role is DataFlowRole.RECEIVER and self.access is not None

    @property
    def delivered(self) -> bool:
        """Whether everything has arrived."""
        return self.state is DataFlowState.COMPLETED

    def ended(self, *more: OwedWork, at: datetime) -> "DataFlow":
        """A copy, of a flow that has its outcome, that owes what its role leaves to tidy up, and `more`."""
        inbox = (OwedWork.INBOX_EVIDENCE, OwedWork.JOURNAL_DELETION) if self.is_inbox else ()
        return replace(self, owed=()).owing(*_AT_THE_END[self.role], *inbox, *more, at=at)

    def owing(self, *work: OwedWork, at: datetime) -> "DataFlow":
        """A copy that owes this work too, due at once; in the order of `OwedWork`."""
        owed = {*self.owed, *work}
        return replace(
            self, owed=tuple(w for w in OwedWork if w in owed), attempt=0, next_attempt_at=at if owed else None
        )

    def settled(self, work: OwedWork, *, at: datetime) -> "DataFlow":
        """A copy that owes this work no more."""
        owed = tuple(w for w in self.owed if w is not work)
        return replace(self, owed=owed, attempt=0, next_attempt_at=at if owed else None)

    def postponed(self, *, until: datetime) -> "DataFlow":
        """A copy whose owed work is due later, one attempt further."""
        return replace(self, attempt=self.attempt + 1, next_attempt_at=until)
