"""Parts that many models share: leniency in reading, one form in writing."""

from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from management_api.json_ld import RESPONSE_CONTEXT

Item = TypeVar("Item")

DATASPACE_PROTOCOL: Final = "dataspace-protocol-http:2025-1"


class Request(BaseModel):
    """A request, or a part of one. Members that this API does not know are ignored, as in JSON-LD."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, hide_input_in_errors=True)


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True, frozen=True)


class Document(Answer):
    """An answer with its JSON-LD context."""

    context: dict[str, str] = Field(default=dict(RESPONSE_CONTEXT), alias="@context")


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970, as EDC counts time."""
    return int(moment.timestamp() * 1000)


def unwrapped(value: Any) -> Any:
    """The plain value of `{"@id": x}` and of a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and set(value) == {"@id"}:
        return value["@id"]
    return value


def as_list(value: Any) -> Any:
    """A single value where a list is expected."""
    return value if isinstance(value, list) or value is None else [value]


def single(value: Any) -> Any:
    """The object in a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _known_protocol(value: str) -> str:
    """EDC's name without a version means whichever version both sides speak."""
    if value not in {DATASPACE_PROTOCOL, "dataspace-protocol-http"}:
        raise ValueError(f"is not a protocol that this connector speaks; use {DATASPACE_PROTOCOL!r}")
    return DATASPACE_PROTOCOL


def _refuse_callbacks(value: list[Any]) -> list[Any]:
    if value:
        raise ValueError("is not supported yet; leave it out and ask for the state instead")
    return value


Text = Annotated[str, BeforeValidator(unwrapped), StringConstraints(min_length=1, max_length=512)]
OptionalText = Annotated[str, BeforeValidator(unwrapped), StringConstraints(max_length=512)]
"""Empty when it is missing."""
LongText = Annotated[str, BeforeValidator(unwrapped), StringConstraints(max_length=4096)]
Address = Annotated[
    str, BeforeValidator(unwrapped), StringConstraints(max_length=2048, pattern=r"^https?://[^\s/?#]+[^\s]*$")
]
Number = Annotated[int, BeforeValidator(unwrapped)]
Flag = Annotated[bool, BeforeValidator(unwrapped)]
Single = Annotated[Item, BeforeValidator(single)]
ListOf = Annotated[list[Item], BeforeValidator(as_list)]
Properties = Annotated[dict[str, Any], BeforeValidator(single)]
ProtocolName = Annotated[Text, AfterValidator(_known_protocol)]
Callbacks = Annotated[ListOf[Any], AfterValidator(_refuse_callbacks)]
