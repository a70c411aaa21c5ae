"""Messages of transfer processes."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from connector_spi.data_address import DataAddressMessage, EndpointProperty
from control_plane.dsp_messages.members import Message, Name, Pid, PidsMessage, Url, as_list, short_term


class DataAddressMember(DataAddressMessage):
    """A data address inside a message."""

    type: Annotated[Literal["DataAddress"], BeforeValidator(short_term)] = Field(alias="@type")
    endpoint_properties: Annotated[
        Annotated[list[EndpointProperty], Field(max_length=100)] | None, BeforeValidator(as_list)
    ] = Field(default=None, alias="endpointProperties")


class TransferRequestMessage(Message):
    """A consumer asks for data under an agreement."""

    consumer_pid: Pid = Field(alias="consumerPid")
    agreement_id: Pid = Field(alias="agreementId")
    format: Name
    callback_address: Url = Field(alias="callbackAddress", min_length=1)
    data_address: DataAddressMember | None = Field(default=None, alias="dataAddress")


class TransferStartMessage(PidsMessage):
    """The data moves, or may be fetched at this address; or a consumer wishes to go on."""

    data_address: DataAddressMember | None = Field(default=None, alias="dataAddress")
