"""What all messages have in common: terms, types of members within their limits, and how a body is written."""

import re
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

NAMESPACE: Final = "https://w3id.org/dspace/2025/1/"
CONTEXT: Final = f"{NAMESPACE}context.jsonld"
VERSION: Final = "2025-1"
PROTOCOL: Final = "dataspace-protocol-http:2025-1"
PID_MAX: Final = 512
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")


def as_list(value: Any) -> Any:
    """A single value where a list is expected."""
    return value if isinstance(value, list) or value is None else [value]


def as_text(value: Any) -> Any:
    """An id may come as a text or as {"@id": ...}."""
    return value.get("@id", value) if isinstance(value, dict) else value


def short_term(value: Any) -> Any:
    """A term of the protocol without its namespace, which it may come with; anything else as it is."""
    value = as_text(value)
    return value.removeprefix("dspace:").removeprefix(NAMESPACE) if isinstance(value, str) else value


Pid = Annotated[Annotated[str, Field(min_length=1, max_length=PID_MAX)], BeforeValidator(as_text)]
Name = Annotated[Annotated[str, Field(max_length=1024)], BeforeValidator(as_text)]
RequiredName = Annotated[Annotated[str, Field(min_length=1, max_length=1024)], BeforeValidator(as_text)]
Url = Annotated[str, Field(max_length=2048)]
Reasons = Annotated[Annotated[list[Any], Field(max_length=100)] | None, BeforeValidator(as_list)]


class Message(BaseModel):
    """What all messages have in common."""

    model_config = ConfigDict(populate_by_name=True, extra="ignore")

    id: str = Field(default="", alias="@id", max_length=PID_MAX)


class PidsMessage(Message):
    """What is said about a process that both sides know."""

    consumer_pid: Pid = Field(alias="consumerPid")
    provider_pid: Pid = Field(alias="providerPid")
    code: str = Field(default="", max_length=512)
    reason: Reasons = None

    def reason_text(self) -> str:
        """The reasons as one text."""
        return "; ".join(_reason(r) for r in self.reason or ())[:4096]


class ProcessAnswer(BaseModel):
    """The answer to a request: the counterparty's process."""

    model_config = ConfigDict(populate_by_name=True, extra="ignore")

    provider_pid: Pid = Field(alias="providerPid")
    consumer_pid: Pid = Field(alias="consumerPid")
    state: Annotated[str, BeforeValidator(short_term), Field(max_length=64)] = ""
    progress: Any = None
    """How far it is, where the counterparty is one of ours; what another one calls so is read by nobody."""


def message(message_type: str, **members: Any) -> dict[str, Any]:
    """The body of a message or answer: context and type first, members without value left out."""
    present = {name: value for name, value in members.items() if value is not None}
    message_id = present.pop("message_id", None)
    head: dict[str, Any] = {"@context": [CONTEXT], "@type": message_type}
    return head | ({"@id": message_id} if message_id else {}) | present


def _reason(value: Any) -> str:
    """One reason: a text, a text with its language, or a map from languages to texts, of which the English counts."""
    if not isinstance(value, dict):
        return str(value)
    told = value.get("@value") or value.get("message")
    if told is None and value and all(_LANGUAGE.fullmatch(str(name)) for name in value):
        told = value.get("en") or next(iter(value.values()))
    return str(told or value)
