"""Which names a client may query by, and where each is found in a record. Source of the names: EDC's management API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Literal

from connector_spi.data_address import EDC_NAMESPACE
from connector_spi.errors import InvalidInputError
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.transfer_process import ResourcePhase, TransferProcess, TransferProcessState


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the record. Clients see a number divided by `unit`, and may write the names in `codes` for it."""

    column: str
    kind: Literal["text", "number", "boolean"] = "text"
    unit: int = 1
    codes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a JSON document in the record, under the first of these keys that is there."""

    column: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryFields:
    """The names of one kind of entity, without EDC's namespace, which may stand before each of them."""

    cells: Mapping[str, Cell]
    documents: Mapping[str, str] = field(default_factory=dict)
    """Prefix -> column: `privateProperties.x` is the member x of the document in that column."""
    open_document: str | None = None
    """Column of the document that every other name is a member of."""
    created: str = "created_at"
    """Column that the default order follows."""

    def find(self, name: str, *, asked_in: str) -> Cell | Member:
        """Where the value of this name is.

        Raises:
            InvalidInputError: nothing has this name; `asked_in` is the member of the query that holds it.
        """
        plain = _plain(name)
        if plain in self.cells:
            return self.cells[plain]
        prefix, _, rest = plain.partition(".")
        if prefix in self.documents and rest:
            return _member(self.documents[prefix], rest)
        if self.open_document and plain:
            return _member(self.open_document, plain)
        known = sorted([*self.cells, *(f"{prefix}.'key'" for prefix in self.documents)])
        raise InvalidInputError(
            field=asked_in, value=name, problem="is not a known field", remedy=f"Use one of {', '.join(known)}."
        )


def _plain(name: str) -> str:
    """The name without quotes around it, and without EDC's namespace."""
    if len(name) > 1 and name[0] == name[-1] == "'":
        name = name[1:-1]
    return name.removeprefix(EDC_NAMESPACE)


def _member(column: str, key: str) -> Member:
    plain = _plain(key)
    return Member(column, (plain, EDC_NAMESPACE + plain))


class _DeprovisioningCode(IntEnum):
    """EDC's codes for what the resource phase shows in place of the state."""

    DEPROVISIONING = 900
    DEPROVISIONED = 1000


def shown_state_code(process: TransferProcess) -> int:
    """The code of the state that clients are shown."""
    if process.resources in {ResourcePhase.DEPROVISIONING, ResourcePhase.DEPROVISIONED}:
        return _DeprovisioningCode[process.resources.name].value
    return process.state.value


def _codes(*kinds: type[IntEnum]) -> dict[str, int]:
    return {member.name: member.value for kind in kinds for member in kind}


_MILLISECONDS: Final = 1_000
_SECONDS: Final = 1_000_000


def _time(column: str, unit: int = _MILLISECONDS) -> Cell:
    return Cell(column, "number", unit)


_STATEFUL: Final = {
    "id": Cell("id"),
    "type": Cell("type"),
    "stateTimestamp": _time("state_timestamp"),
    "createdAt": _time("created_at"),
    "updatedAt": _time("updated_at"),
    "correlationId": Cell("correlation_id"),
    "counterPartyId": Cell("counter_party_id"),
    "counterPartyAddress": Cell("counter_party_address"),
    "protocol": Cell("protocol"),
    "assetId": Cell("asset_id"),
    "errorDetail": Cell("error_detail"),
}
_DEFINED: Final = {"id": Cell("id"), "createdAt": _time("created_at")}
_PRIVATE: Final = {"privateProperties": "private_properties"}

TRANSFER_PROCESS_FIELDS: Final = QueryFields(
    cells={
        **_STATEFUL,
        "state": Cell("shown_state", "number", codes=_codes(TransferProcessState, _DeprovisioningCode)),
        "contractId": Cell("contract_id"),
        "contractAgreementId": Cell("contract_id"),
        "agreementId": Cell("contract_id"),
        "transferType": Cell("transfer_type"),
    },
    documents=_PRIVATE,
)
NEGOTIATION_FIELDS: Final = QueryFields(
    cells={
        **_STATEFUL,
        "state": Cell("state", "number", codes=_codes(NegotiationState)),
        "offerId": Cell("offer_id"),
        "pending": Cell("pending", "boolean"),
        "contractAgreementId": Cell("agreement_id"),
        "contractAgreement.id": Cell("agreement_id"),
        "contractAgreement.assetId": Cell("agreement_asset_id"),
    }
)
AGREEMENT_FIELDS: Final = QueryFields(
    cells={
        "id": Cell("id"),
        "assetId": Cell("asset_id"),
        "providerId": Cell("provider_id"),
        "consumerId": Cell("consumer_id"),
        "contractSigningDate": _time("signed_at", _SECONDS),
    },
    created="signed_at",
)
ASSET_FIELDS: Final = QueryFields(
    cells=_DEFINED, documents={"properties": "properties", **_PRIVATE}, open_document="properties"
)
CATALOG_FIELDS: Final = QueryFields(
    cells={"id": Cell("id")}, documents={"properties": "properties"}, open_document="properties"
)
"""What a counterparty may filter the catalog by: what the catalog shows."""
POLICY_DEFINITION_FIELDS: Final = QueryFields(cells=_DEFINED, documents=_PRIVATE)
CONTRACT_DEFINITION_FIELDS: Final = QueryFields(
    cells={
        **_DEFINED,
        "accessPolicyId": Cell("access_policy_id"),
        "contractPolicyId": Cell("contract_policy_id"),
    },
    documents=_PRIVATE,
)
DATA_PLANE_REGISTRATION_FIELDS: Final = QueryFields(
    cells={"id": Cell("id"), "registeredAt": _time("registered_at")}, created="registered_at"
)
