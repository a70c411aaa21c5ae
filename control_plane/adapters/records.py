"""Entities as records: flat mappings from column name to cell, the same for every database and for memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Generic, TypeVar, cast

from control_plane.adapters.query_fields import (
    AGREEMENT_FIELDS,
    ASSET_FIELDS,
    CONTRACT_DEFINITION_FIELDS,
    DATA_PLANE_REGISTRATION_FIELDS,
    NEGOTIATION_FIELDS,
    POLICY_DEFINITION_FIELDS,
    TRANSFER_PROCESS_FIELDS,
    QueryFields,
    shown_state_code,
)
from control_plane.adapters.record_values import (
    AGREEMENT,
    CREDENTIALS,
    DATA_ADDRESS,
    POLICY,
    PROGRESS,
    PROPERTIES,
    PROVISIONED,
    SELECTOR,
    TEXTS,
    TIME,
    TRANSFER_ERROR,
    CellCodec,
    enumeration,
    optional,
)
from control_plane.domain.asset import Asset
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_definition import ContractDefinition
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState, NegotiationType
from control_plane.domain.data_plane_registration import DataPlaneRegistration
from control_plane.domain.policy import PolicyDefinition
from control_plane.domain.transfer_process import (
    ResourcePhase,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)

Entity = TypeVar("Entity")
Record = Mapping[str, Any]


def _nothing(_entity: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCodec(Generic[Entity]):
    """Turns entities of one class into records and back; every member of the entity is a cell of the same name."""

    entity_class: type[Entity]
    kind: str
    """What the entity is called, in errors and in the inbox."""
    query_fields: QueryFields
    cells: Mapping[str, CellCodec] = field(default_factory=dict)
    """Members that a column cannot hold as they are."""
    derived: Callable[[Entity], dict[str, Any]] = _nothing
    """Further cells, only for queries."""
    unleased: frozenset[str] = frozenset()
    """Cells that no lease protects: a save leaves them alone."""

    def to_record(self, entity: Entity) -> dict[str, Any]:
        """The record of an entity.

        Raises:
            InvalidInputError: a data address holds a secret.
        """
        members = {name: getattr(entity, name) for name in self._members()}
        record = {n: self.cells[n].encode(value) if n in self.cells else value for n, value in members.items()}
        return {**record, **self.derived(entity)}

    def from_record(self, record: Record) -> Entity:
        """The entity of a record; cells that are no member are passed over."""
        return self.entity_class(
            **{n: self.cells[n].decode(record[n]) if n in self.cells else record[n] for n in self._members()}
        )

    def without_unleased(self, record: Record) -> dict[str, Any]:
        """The part of the record that a lease holder saves."""
        return {name: cell for name, cell in record.items() if name not in self.unleased}

    def _members(self) -> list[str]:
        return [member.name for member in fields(cast(Any, self.entity_class))]


_STATEFUL_CELLS: Final = {
    "state_timestamp": TIME,
    "created_at": TIME,
    "updated_at": TIME,
    "next_attempt_at": optional(TIME),
    "deadline_at": optional(TIME),
}

TRANSFER_PROCESS_CODEC: Final = RecordCodec(
    entity_class=TransferProcess,
    kind="TransferProcess",
    query_fields=TRANSFER_PROCESS_FIELDS,
    cells={
        **_STATEFUL_CELLS,
        "type": enumeration(TransferProcessType),
        "state": enumeration(TransferProcessState),
        "agreed_state": optional(enumeration(TransferProcessState)),
        "resources": enumeration(ResourcePhase),
        "data_destination": DATA_ADDRESS,
        "private_properties": PROPERTIES,
        "counter_party_claims": PROPERTIES,
        "provisioned": optional(PROVISIONED),
        "error": optional(TRANSFER_ERROR),
        "progress": optional(PROGRESS),
    },
    derived=lambda process: {
        "shown_state": shown_state_code(process),
        "error_detail": process.error.message if process.error else None,
    },
    unleased=frozenset({"progress"}),
)

NEGOTIATION_CODEC: Final = RecordCodec(
    entity_class=ContractNegotiation,
    kind="ContractNegotiation",
    query_fields=NEGOTIATION_FIELDS,
    cells={
        **_STATEFUL_CELLS,
        "type": enumeration(NegotiationType),
        "state": enumeration(NegotiationState),
        "previous_state": optional(enumeration(NegotiationState)),
        "counter_party_claims": PROPERTIES,
        "policy": POLICY,
        "own_policy": optional(POLICY),
        "agreement": optional(AGREEMENT),
    },
    derived=lambda negotiation: {
        "agreement_id": negotiation.agreement.id if negotiation.agreement else None,
        "agreement_asset_id": negotiation.agreement.asset_id if negotiation.agreement else None,
    },
)

_BINDING_STATES: Final = {
    NegotiationType.CONSUMER: {NegotiationState.FINALIZED},
    NegotiationType.PROVIDER: {NegotiationState.FINALIZING, NegotiationState.FINALIZED},
}
"""A provider is bound before it has noted the end: the consumer may ask for data at once."""


def binding_agreement(negotiation: ContractNegotiation) -> ContractAgreement | None:
    """The agreement of a negotiation that binds this side, or None."""
    return negotiation.agreement if negotiation.state in _BINDING_STATES[negotiation.type] else None


def void_agreement(negotiation: ContractNegotiation) -> ContractAgreement | None:
    """The agreement that may have bound this side and does not any more, or None: the consumer ended it in time."""
    ended = negotiation.state in {NegotiationState.TERMINATING, NegotiationState.TERMINATED}
    return negotiation.agreement if ended and negotiation.type is NegotiationType.PROVIDER else None


AGREEMENT_CODEC: Final = RecordCodec(
    entity_class=ContractAgreement,
    kind="ContractAgreement",
    query_fields=AGREEMENT_FIELDS,
    cells={"policy": POLICY, "signed_at": TIME},
)

ASSET_CODEC: Final = RecordCodec(
    entity_class=Asset,
    kind="Asset",
    query_fields=ASSET_FIELDS,
    cells={
        "properties": PROPERTIES,
        "private_properties": PROPERTIES,
        "data_address": DATA_ADDRESS,
        "created_at": TIME,
    },
)

POLICY_DEFINITION_CODEC: Final = RecordCodec(
    entity_class=PolicyDefinition,
    kind="PolicyDefinition",
    query_fields=POLICY_DEFINITION_FIELDS,
    cells={"policy": POLICY, "private_properties": PROPERTIES, "created_at": TIME},
)

CONTRACT_DEFINITION_CODEC: Final = RecordCodec(
    entity_class=ContractDefinition,
    kind="ContractDefinition",
    query_fields=CONTRACT_DEFINITION_FIELDS,
    cells={"assets_selector": SELECTOR, "private_properties": PROPERTIES, "created_at": TIME},
)

DATA_PLANE_REGISTRATION_CODEC: Final = RecordCodec(
    entity_class=DataPlaneRegistration,
    kind="DataPlane",
    query_fields=DATA_PLANE_REGISTRATION_FIELDS,
    cells={
        "transfer_types": TEXTS,
        "labels": TEXTS,
        "credentials": optional(CREDENTIALS),
        "registered_at": TIME,
    },
)
