"""Transfer processes."""

from typing import Any

from pydantic import AliasChoices, Field

from connector_spi.signaling import DataFlowProgress
from control_plane.domain.placement import Placement, PlacementPosition, PlacementStage
from control_plane.domain.transfer_process import NO_DESTINATION, TransferProcess
from control_plane.services.transfer_process_service import TransferRequest
from management_api.schemas.data_address import DataAddressMembers, data_address_of, shown_address
from management_api.schemas.fields import (
    DATASPACE_PROTOCOL,
    Address,
    Answer,
    Callbacks,
    Document,
    Flag,
    OptionalText,
    Properties,
    ProtocolName,
    Request,
    Text,
    milliseconds,
)


class TransferProcessRequest(Request):
    """Fetch the data of an agreement into storage of ours."""

    id: OptionalText = Field(
        default="", alias="@id", description="Yours to choose; the same request again returns the same process."
    )
    contract_id: Text = Field(description="The agreement: `contractAgreementId` of the negotiation.")
    asset_id: OptionalText = Field(default="", description="Checked against the agreement where given.")
    counter_party_id: OptionalText = Field(
        default="",
        validation_alias=AliasChoices("counterPartyId", "connectorId"),
        description="Checked against the agreement where given.",
    )
    counter_party_address: Address = Field(
        validation_alias=AliasChoices("counterPartyAddress", "connectorAddress"),
        description="Base address of its Dataspace Protocol, with the version path.",
    )
    protocol: ProtocolName = DATASPACE_PROTOCOL
    transfer_type: Text = Field(examples=["AzureStorage-PUSH"])
    data_destination: DataAddressMembers | None = Field(
        default=None, description="`type`, `account`, and what else the type knows; a pull needs none."
    )
    managed_resources: Flag = Field(
        default=True,
        description="true: the connector makes a container for this transfer. false: the data goes into a folder of "
        "the existing container that `dataDestination` names; its property `ifExists` (refuse, skip or rename) says "
        "what happens to objects whose names are taken there, for nothing is overwritten, and `access` (staging, "
        "directory or container) where the provider may write.",
    )
    private_properties: Properties = Field(default_factory=dict)
    callback_addresses: Callbacks = Field(default_factory=list)

    def to_transfer_request(self) -> TransferRequest:
        """The service's form."""
        return TransferRequest(
            id=self.id,
            contract_id=self.contract_id,
            asset_id=self.asset_id,
            counter_party_id=self.counter_party_id,
            counter_party_address=self.counter_party_address,
            protocol=self.protocol,
            transfer_type=self.transfer_type,
            data_destination=data_address_of(self.data_destination) if self.data_destination else NO_DESTINATION,
            managed_resources=self.managed_resources,
            private_properties=self.private_properties,
        )


class PlacementAnswer(Answer):
    """How far the data has been moved into the client's container."""

    if_exists: str = Field(description="What happens to objects whose names are taken.")
    objects_placed: int = Field(description="Under their own names.")
    objects_renamed: int
    objects_skipped: int
    bytes_placed: int
    finished: bool

    @classmethod
    def of(cls, placement: Placement) -> "PlacementAnswer":
        """The answer for a placement."""
        position = placement.position or PlacementPosition()
        return cls(
            if_exists=placement.if_exists.value,
            objects_placed=position.placed,
            objects_renamed=position.renamed,
            objects_skipped=position.skipped,
            bytes_placed=position.bytes_placed + position.bytes_under_way,
            finished=position.stage is PlacementStage.END,
        )


class TransferProcessAnswer(Document):
    """A transfer process."""

    at_type: str = Field(default="TransferProcess", alias="@type")
    id: str = Field(alias="@id")
    type: str = Field(description="CONSUMER or PROVIDER: this side's role.")
    state: str
    state_timestamp: int
    created_at: int
    callback_addresses: list[Any] = Field(default_factory=list)
    correlation_id: str | None = Field(default=None, description="The counterparty's id of this transfer.")
    counter_party_id: str
    asset_id: str
    contract_id: str
    transfer_type: str
    data_destination: dict[str, str] | None = None
    managed_resources: bool
    progress: DataFlowProgress | None = Field(default=None, description="Bytes and objects, as far as known.")
    placement: PlacementAnswer | None = Field(
        default=None, description="Of data that arrives beside the client's container and is then moved into it."
    )
    error_code: str | None = Field(default=None, description="The kind of the error that ended the transfer.")
    error_detail: str | None = Field(
        default=None, description="Why the transfer ended, and what to do about it where that is known."
    )

    @classmethod
    def of(cls, process: TransferProcess) -> "TransferProcessAnswer":
        """The answer for a process."""
        return cls(
            id=process.id,
            type=process.type.value,
            state=process.shown_state,
            state_timestamp=milliseconds(process.state_timestamp),
            created_at=milliseconds(process.created_at),
            correlation_id=process.correlation_id,
            counter_party_id=process.counter_party_id,
            asset_id=process.asset_id,
            contract_id=process.contract_id,
            transfer_type=process.transfer_type,
            data_destination=shown_address(process.data_destination) if process.data_destination.type else None,
            managed_resources=process.managed_resources,
            progress=process.progress,
            placement=PlacementAnswer.of(process.placement) if process.placement else None,
            error_code=process.error.code if process.error else None,
            error_detail=process.error.for_operator if process.error else None,
        )
