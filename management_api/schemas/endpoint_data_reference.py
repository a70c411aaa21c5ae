"""Endpoint data references: what the data of a running pull is opened with."""

from pydantic import ConfigDict, Field

from connector_spi.data_address import DataAddress
from control_plane.domain.transfer_process import TransferProcess
from management_api.schemas.fields import Document, milliseconds


class EdrEntry(Document):
    """An EDR without its secrets; its id is that of the transfer process."""

    at_type: str = Field(default="EndpointDataReferenceEntry", alias="@type")
    id: str = Field(alias="@id")
    transfer_process_id: str
    agreement_id: str
    contract_negotiation_id: str | None = None
    asset_id: str
    provider_id: str
    created_at: int

    @classmethod
    def of(cls, process: TransferProcess, negotiation_id: str | None) -> "EdrEntry":
        """The entry of a running pull."""
        return cls(
            id=process.id,
            transfer_process_id=process.id,
            agreement_id=process.contract_id,
            contract_negotiation_id=negotiation_id,
            asset_id=process.asset_id,
            provider_id=process.counter_party_id,
            created_at=milliseconds(process.state_timestamp),
        )


class EdrDataAddress(Document):
    """Where the data is fetched, and with what. The members are the provider's."""

    model_config = ConfigDict(extra="allow")

    at_type: str = Field(default="DataAddress", alias="@type")
    type: str

    @classmethod
    def of(cls, address: DataAddress) -> "EdrDataAddress":
        """The answer for an address, with its properties as members."""
        members = {name: value for name, value in address.properties.items() if not name.startswith("@")}
        return cls.model_validate({"endpointType": address.type, **members, "type": address.type})
