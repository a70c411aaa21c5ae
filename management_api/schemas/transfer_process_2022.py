"""Transfer processes in the plain JSON of EDC's Data Management API of 2022."""

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from control_plane.domain.transfer_process import TransferProcess
from control_plane.services.transfer_process_service import TransferRequest
from management_api.schemas.data_address import DataAddressMembers, data_address_of
from management_api.schemas.fields import (
    DATASPACE_PROTOCOL,
    Address,
    Answer,
    Flag,
    OptionalText,
    Properties,
    Request,
    Text,
    milliseconds,
)


def _named(value: Any) -> Any:
    """The object of 2022 described the data's format; how it travels follows from the destination."""
    return "" if isinstance(value, dict) else value


class TransferProcessRequest2022(Request):
    """Fetch the data of an agreement into storage of ours."""

    id: OptionalText = Field(default="", description="Yours to choose; the same request again returns the same id.")
    contract_id: Text
    asset_id: OptionalText = ""
    connector_id: OptionalText = Field(default="", validation_alias=AliasChoices("connectorId", "counterPartyId"))
    connector_address: Address = Field(validation_alias=AliasChoices("connectorAddress", "counterPartyAddress"))
    protocol: OptionalText = Field(
        default="", description="Any value: the Dataspace Protocol took the place of those of 2022."
    )
    transfer_type: Annotated[OptionalText, BeforeValidator(_named)] = Field(
        default="", description="A name, or the object of 2022, which stands for `<destination type>-PUSH`."
    )
    data_destination: DataAddressMembers
    managed_resources: Flag = Field(
        default=True, description="false: into the existing container that the destination names, as in version 3."
    )
    properties: Properties = Field(default_factory=dict)

    def to_transfer_request(self) -> TransferRequest:
        """The service's form."""
        destination = data_address_of(self.data_destination)
        return TransferRequest(
            id=self.id,
            contract_id=self.contract_id,
            asset_id=self.asset_id,
            counter_party_id=self.connector_id,
            counter_party_address=self.connector_address,
            protocol=DATASPACE_PROTOCOL,
            transfer_type=self.transfer_type or f"{destination.type}-PUSH",
            data_destination=destination,
            managed_resources=self.managed_resources,
            private_properties=self.properties,
        )


class DataRequest2022(Answer):
    """What was asked of whom."""

    asset_id: str
    contract_id: str
    connector_id: str


class DataAddress2022(Answer):
    """Where the data goes, without secrets."""

    properties: dict[str, str]


class TransferProcessAnswer2022(Answer):
    """A transfer process."""

    id: str
    type: str
    state: str
    state_timestamp: int
    created_timestamp: int
    error_detail: str | None = None
    data_request: DataRequest2022
    data_destination: DataAddress2022

    @classmethod
    def of(cls, process: TransferProcess) -> "TransferProcessAnswer2022":
        """The answer for a process."""
        destination = process.data_destination.without_secrets()
        return cls(
            id=process.id,
            type=process.type.value,
            state=process.shown_state,
            state_timestamp=milliseconds(process.state_timestamp),
            created_timestamp=milliseconds(process.created_at),
            error_detail=process.error.for_operator if process.error else None,
            data_request=DataRequest2022(
                asset_id=process.asset_id,
                contract_id=process.contract_id,
                connector_id=process.counter_party_id,
            ),
            data_destination=DataAddress2022(properties={"type": destination.type, **destination.properties}),
        )


class StateAnswer2022(Answer):
    """The present state and nothing else."""

    state: str
