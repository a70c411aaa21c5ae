"""Messages of the Dataspace Protocol 2025-1 in their compact form: written strictly, read leniently.

Source: the specification's JSON schemas (tag 2025-1-err1). No JSON-LD processing is needed: the schemas fix the
compact shape, and everybody writes it. Unknown members are ignored, `@context` may be a text or a list.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from connector_spi.data_address import DataAddressMessage
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.policy import Policy

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
VERSION: Final = "2025-1"
PROTOCOL: Final = "dataspace-protocol-http:2025-1"

_OFFER_MEMBERS: Final = frozenset({"@id", "@type", "@context", "target", "assigner", "assignee", "timestamp"})


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


def _as_text(value: Any) -> Any:
    """An id may come as a text or as {"@id": ...}."""
    return value.get("@id", value) if isinstance(value, dict) else value


Pid = Annotated[str, BeforeValidator(_as_text), Field(min_length=1, max_length=512)]
Name = Annotated[str, BeforeValidator(_as_text), Field(max_length=1024)]
Url = Annotated[str, Field(max_length=2048)]
Reasons = Annotated[Annotated[list[Any], Field(max_length=100)] | None, BeforeValidator(_as_list)]
Rules = Annotated[Annotated[list[dict[str, Any]], Field(max_length=1000)] | None, BeforeValidator(_as_list)]


class Message(BaseModel):
    """What all messages have in common."""

    model_config = ConfigDict(populate_by_name=True, extra="ignore")

    id: str = Field(default="", alias="@id", max_length=512)


class OdrlPolicy(BaseModel):
    """An offer or an agreement; members that are not understood are kept, for an agreement echoes the offer."""

    model_config = ConfigDict(populate_by_name=True, extra="allow")

    id: Name = Field(default="", alias="@id")
    target: Name = ""
    assigner: Name = ""
    assignee: Name = ""
    permission: Rules = None
    prohibition: Rules = None
    obligation: Rules = None

    def policy(self) -> Policy:
        """The rules without the members that belong to the offer."""
        extra = {k: v for k, v in (self.model_extra or {}).items() if k not in _OFFER_MEMBERS}
        return Policy(
            permissions=tuple(self.permission or ()),
            prohibitions=tuple(self.prohibition or ()),
            obligations=tuple(self.obligation or ()),
            extra=extra,
        )


class ContractRequestMessage(Message):
    """A consumer asks for a contract; with `providerPid` it is a counter-offer in a running negotiation."""

    consumer_pid: Pid = Field(alias="consumerPid")
    provider_pid: Pid | None = Field(default=None, alias="providerPid")
    callback_address: Url | None = Field(default=None, alias="callbackAddress")
    offer: OdrlPolicy

    @model_validator(mode="after")
    def _opens_or_counters(self) -> "ContractRequestMessage":
        if (self.callback_address is None) == (self.provider_pid is None):
            raise ValueError("exactly one of callbackAddress and providerPid is needed")
        return self


class CatalogRequestMessage(Message):
    """A consumer asks what is offered."""

    filter: Annotated[list[Any] | None, BeforeValidator(_as_list), Field(max_length=100)] = None


class AgreementBody(OdrlPolicy):
    """The agreement inside a ContractAgreementMessage."""

    id: Pid = Field(alias="@id")
    timestamp: datetime

    @field_validator("timestamp")
    @classmethod
    def _in_utc(cls, timestamp: datetime) -> datetime:
        if timestamp.tzinfo is None:
            return timestamp.replace(tzinfo=UTC)
        try:
            return timestamp.astimezone(UTC)
        except OverflowError:
            raise ValueError("is outside the calendar") from None


class PidsMessage(Message):
    """What is said about a process that both sides know."""

    consumer_pid: Pid = Field(alias="consumerPid")
    provider_pid: Pid = Field(alias="providerPid")
    code: str = Field(default="", max_length=512)
    reason: Reasons = None

    def reason_text(self) -> str:
        """The reasons as one text."""
        return "; ".join(_reason(r) for r in self.reason or ())[:4096]


class ContractAgreementMessage(PidsMessage):
    """A provider agrees."""

    agreement: AgreementBody


class ContractNegotiationEventMessage(PidsMessage):
    """ACCEPTED (by the consumer) or FINALIZED (by the provider)."""

    event_type: Name = Field(alias="eventType")


class TransferRequestMessage(Message):
    """A consumer asks for data under an agreement."""

    consumer_pid: Pid = Field(alias="consumerPid")
    agreement_id: Pid = Field(alias="agreementId")
    format: Name
    callback_address: Url = Field(alias="callbackAddress", min_length=1)
    data_address: DataAddressMessage | None = Field(default=None, alias="dataAddress")


class TransferStartMessage(PidsMessage):
    """The data moves, or may be fetched at this address; or a consumer wishes to go on."""

    data_address: DataAddressMessage | None = Field(default=None, alias="dataAddress")


class ProcessAnswer(BaseModel):
    """The answer to a request: the counterparty's process, with our extension where it is ours."""

    model_config = ConfigDict(populate_by_name=True, extra="ignore")

    provider_pid: Pid = Field(alias="providerPid")
    consumer_pid: Pid = Field(alias="consumerPid")
    progress: DataFlowProgress | None = None


def message(message_type: str, **members: Any) -> dict[str, Any]:
    """The body of a message or answer: context and type first, members without value left out."""
    present = {name: value for name, value in members.items() if value is not None}
    message_id = present.pop("message_id", None)
    head: dict[str, Any] = {"@context": [CONTEXT], "@type": message_type}
    return head | ({"@id": message_id} if message_id else {}) | present


def odrl(kind: str, policy: Policy, *, policy_id: str, **members: str) -> dict[str, Any]:
    """An offer or agreement in compact form."""
    return {"@id": policy_id, "@type": kind, **members, **policy.rules()}


def agreement_body(agreement: ContractAgreement) -> dict[str, Any]:
    """The agreement as messages carry it."""
    return odrl(
        "Agreement",
        agreement.policy,
        policy_id=agreement.id,
        target=agreement.asset_id,
        assigner=agreement.provider_id,
        assignee=agreement.consumer_id,
        timestamp=agreement.signed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )


def _reason(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("@value") or value.get("message") or value)
    return str(value)
