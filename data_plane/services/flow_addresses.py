"""What a signaling message says about source and destination, read and checked.

The source is an extension of Data Plane Signaling: `metadata.source`, because `start` has no place for it. So is the
wished destination of `prepare`: `metadata.destination`. Both are `{"type": ..., "properties": {name: text}}`; type and
names may have EDC's namespace before them, as everywhere on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector_spi.data_address import EDC_NAMESPACE, KEY_NAME, SECRET, DataAddress
from connector_spi.errors import InvalidInputError

TRANSFER_NONCE: Final = "transferNonce"
CONSUMER_PROCESS_ID: Final = "consumerProcessId"
_OF_THE_TRANSFER: Final = (TRANSFER_NONCE, CONSUMER_PROCESS_ID)
_CREDENTIAL: Final = (SECRET, KEY_NAME, *_OF_THE_TRANSFER)


class _MetadataAddress(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: str = Field(min_length=1, max_length=512)
    properties: dict[str, str] = Field(default_factory=dict, max_length=100)


@dataclass(frozen=True, slots=True)
class DestinationInMessage:
    """The destination address of a start message, and what it says of the transfer."""

    address: DataAddress
    nonce: str
    consumer_process_id: str


def address_in_metadata(metadata: Mapping[str, Any] | None, name: str) -> DataAddress:
    """`metadata.<name>`.

    Raises:
        InvalidInputError: it is missing or malformed; its value is not shown, as it may hold a secret.
    """
    raw = (metadata or {}).get(name)
    if raw is None:
        raise InvalidInputError(field=f"metadata.{name}", value=None, problem="is missing")
    try:
        parsed = _MetadataAddress.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError(field=f"metadata.{name}.{path}", value="...", problem=first["msg"]) from None
    properties = {name.removeprefix(EDC_NAMESPACE): value for name, value in parsed.properties.items()}
    return DataAddress(parsed.type.removeprefix(EDC_NAMESPACE), properties)


def destination_of(address: DataAddress | None) -> DestinationInMessage:
    """The destination of a push.

    Raises:
        InvalidInputError: there is none.
    """
    if address is None:
        raise InvalidInputError(field="dataAddress", value=None, problem="is missing; a push needs its destination")
    return DestinationInMessage(
        address=address.without(*_OF_THE_TRANSFER),
        nonce=address.get(TRANSFER_NONCE),
        consumer_process_id=address.get(CONSUMER_PROCESS_ID),
    )


def check_same_place(known: DataAddress, sent: DataAddress) -> None:
    """Refuse an address of a resume message that changes more than the credential.

    Raises:
        InvalidInputError: names what differs.
    """
    if sent.type != known.type:
        raise InvalidInputError(field="dataAddress.endpointType", value=sent.type, problem="must not change")
    before, after = known.without(*_CREDENTIAL).properties, sent.without(*_CREDENTIAL).properties
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            raise InvalidInputError(
                field=f"dataAddress.{name}",
                value=after.get(name),
                problem="must not change; only the credential may",
            )
