"""How a value of an entity is written into one cell of a record, and read back exactly as it was."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

from connector_spi.data_address import SECRET_PROPERTIES, DataAddress
from connector_spi.errors import InvalidInputError
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.data_plane_registration import CallerCredentials
from control_plane.domain.placement import (
    CheckedReceipt,
    DestinationAccess,
    IfExists,
    Placement,
    PlacementPosition,
    PlacementStage,
)
from control_plane.domain.policy import Policy
from control_plane.domain.query import Criterion
from control_plane.domain.transfer_process import ProvisionedResource, TransferError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CellCodec:
    """Writes a value as what a column or a JSON document can hold, and reads it back."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def optional(codec: CellCodec) -> CellCodec:
    """The codec for a value that may be None."""
    return CellCodec(
        lambda value: None if value is None else codec.encode(value),
        lambda cell: None if cell is None else codec.decode(cell),
    )


def enumeration(kind: type[Enum]) -> CellCodec:
    """The codec for members of `kind`, by their value."""
    return CellCodec(lambda member: member.value, kind)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970; `moment` is timezone-aware."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """The moment, in UTC."""
    return _EPOCH + count * _MICROSECOND


def _encode_address(address: DataAddress) -> dict[str, Any]:
    secrets = sorted(SECRET_PROPERTIES & address.properties.keys())
    if secrets:
        raise InvalidInputError(
            field="dataAddress", value=secrets, problem="holds a secret", remedy="Store it in the vault, and its alias."
        )
    return {"type": address.type, "properties": dict(address.properties)}


def _encode_selector(criteria: tuple[Criterion, ...]) -> list[dict[str, Any]]:
    return [{"left": c.operand_left, "operator": c.operator, "right": c.operand_right} for c in criteria]


def _decode_selector(documents: list[dict[str, Any]]) -> tuple[Criterion, ...]:
    return tuple(Criterion(operand_left=d["left"], operator=d["operator"], operand_right=d["right"]) for d in documents)


def _encode_provisioned(resource: ProvisionedResource) -> dict[str, Any]:
    return {
        "account": resource.account,
        "container": resource.container,
        "folder": resource.folder,
        "secret_alias": resource.secret_alias,
        "sas_expires_at": optional(TIME).encode(resource.sas_expires_at),
        "access": resource.access.value,
        "placement": optional(PLACEMENT).encode(resource.placement),
    }


def _decode_provisioned(document: Mapping[str, Any]) -> ProvisionedResource:
    """Documents from before there were placements say nothing of them: their containers are managed."""
    members = {
        "sas_expires_at": optional(TIME).decode(document["sas_expires_at"]),
        "access": DestinationAccess(document.get("access", DestinationAccess.MANAGED)),
        "placement": optional(PLACEMENT).decode(document.get("placement")),
    }
    return ProvisionedResource(**{**document, **members})


def _encode_placement(placement: Placement) -> dict[str, Any]:
    position = placement.position
    return {
        "container": placement.container,
        "if_exists": placement.if_exists.value,
        "position": None if position is None else {**asdict(position), "stage": position.stage.value},
        "receipt": placement.receipt and placement.receipt.document,
        "taken_back_to": placement.taken_back_to,
    }


def _decode_placement(document: Mapping[str, Any]) -> Placement:
    position, receipt = document["position"], document.get("receipt")
    return Placement(
        container=document["container"],
        if_exists=IfExists(document["if_exists"]),
        position=position and PlacementPosition(**{**position, "stage": PlacementStage(position["stage"])}),
        receipt=receipt and CheckedReceipt.of_document(receipt),
        taken_back_to=document.get("taken_back_to"),
    )


def _encode_agreement(agreement: ContractAgreement) -> dict[str, Any]:
    return {
        "id": agreement.id,
        "participant_id": agreement.participant_id,
        "provider_id": agreement.provider_id,
        "consumer_id": agreement.consumer_id,
        "asset_id": agreement.asset_id,
        "policy": agreement.policy.document(),
        "signed_at": to_microseconds(agreement.signed_at),
        "negotiation_id": agreement.negotiation_id,
    }


def _decode_agreement(document: Mapping[str, Any]) -> ContractAgreement:
    return ContractAgreement(
        **{
            **document,
            "policy": Policy.of_document(document["policy"]),
            "signed_at": from_microseconds(document["signed_at"]),
        }
    )


def _encode_credentials(credentials: CallerCredentials) -> dict[str, Any]:
    return {
        "token_endpoint": credentials.token_endpoint,
        "client_id": credentials.client_id,
        "secret_alias": credentials.secret_alias,
        "jwks": None if credentials.jwks is None else dict(credentials.jwks),
        "jwks_uri": credentials.jwks_uri,
    }


TIME: Final = CellCodec(to_microseconds, from_microseconds)
PROPERTIES: Final = CellCodec(dict, dict)
DATA_ADDRESS: Final = CellCodec(_encode_address, lambda document: DataAddress(document["type"], document["properties"]))
POLICY: Final = CellCodec(Policy.document, Policy.of_document)
SELECTOR: Final = CellCodec(_encode_selector, _decode_selector)
TEXTS: Final = CellCodec(list, tuple)
CREDENTIALS: Final = CellCodec(_encode_credentials, lambda document: CallerCredentials(**document))
PLACEMENT: Final = CellCodec(_encode_placement, _decode_placement)
PROVISIONED: Final = CellCodec(_encode_provisioned, _decode_provisioned)
AGREEMENT: Final = CellCodec(_encode_agreement, _decode_agreement)
TRANSFER_ERROR: Final = CellCodec(lambda error: error.document, lambda document: TransferError(**document))
PROGRESS: Final = CellCodec(
    lambda progress: progress.model_dump(mode="json", by_alias=True), DataFlowProgress.model_validate
)
