"""Offers and agreements inside messages: ODRL policies in compact form."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from connector_spi.data_address import EDC_NAMESPACE
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.policy import Policy
from control_plane.domain.policy_shape import ODRL_NAMESPACE, check_rules
from control_plane.dsp_messages.members import Name, Pid, RequiredName, as_list, as_text

_EXTRA_MEMBERS_MAX: Final = 100
_EDC_PREFIX: Final = "edc:"
_TERMS: Final = frozenset({"@type", "@id", "action", "leftOperand", "operator"})
"""Members whose text is a name of a vocabulary; any other text is a value, and stays as it is."""
_OFFER_MEMBERS: Final = frozenset({"@id", "@type", "@context", "target", "assigner", "assignee", "timestamp"})


def _without_odrl(value: Any) -> Any:
    value = as_text(value)
    return value.removeprefix("odrl:").removeprefix(ODRL_NAMESPACE) if isinstance(value, str) else value


def _not_a_number(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("has to be a text such as 2026-01-31T12:00:00Z")  # noqa: TRY004 - pydantic's way
    return value


Timestamp = Annotated[datetime, BeforeValidator(_not_a_number)]
Rules = Annotated[Annotated[list[dict[str, Any]], Field(max_length=1000)] | None, BeforeValidator(as_list)]


class OdrlPolicy(BaseModel):
    """An offer or an agreement; members that are not understood are kept, for an agreement echoes the offer."""

    model_config = ConfigDict(populate_by_name=True, extra="allow")

    kind: ClassVar[str] = "Offer"

    type: Annotated[str, BeforeValidator(_without_odrl)] = Field(alias="@type")
    id: Name = Field(default="", alias="@id")
    target: Name = ""
    assigner: Name = ""
    assignee: Name = ""
    permission: Rules = None
    prohibition: Rules = None
    obligation: Rules = None

    @model_validator(mode="after")
    def _has_rules(self) -> "OdrlPolicy":
        if self.type != self.kind:
            raise ValueError(f"@type is not {self.kind!r}")
        if not self.permission and not self.prohibition:
            raise ValueError("permission, or prohibition, is needed; send at least one rule")
        if len(self.model_extra or {}) > _EXTRA_MEMBERS_MAX:
            raise ValueError(f"has more than {_EXTRA_MEMBERS_MAX} members that the protocol does not know")
        for name in ("permission", "prohibition", "obligation"):
            check_rules(name, getattr(self, name) or ())
        return self

    def policy(self) -> Policy:
        """The rules without the members that belong to the offer."""
        extra = {k: v for k, v in (self.model_extra or {}).items() if k not in _OFFER_MEMBERS}
        return Policy(
            permissions=tuple(self.permission or ()),
            prohibitions=tuple(self.prohibition or ()),
            obligations=tuple(self.obligation or ()),
            extra=extra,
        )


class TargetedOffer(OdrlPolicy):
    """The offer inside a ContractOfferMessage."""

    id: RequiredName = Field(alias="@id")
    target: RequiredName


class AgreementBody(OdrlPolicy):
    """The agreement inside a ContractAgreementMessage."""

    kind = "Agreement"

    id: Pid = Field(alias="@id")
    timestamp: Timestamp

    @field_validator("timestamp")
    @classmethod
    def _in_utc(cls, timestamp: datetime) -> datetime:
        if timestamp.tzinfo is None:
            return timestamp.replace(tzinfo=UTC)
        try:
            return timestamp.astimezone(UTC)
        except OverflowError:
            raise ValueError("is outside the calendar") from None


def odrl(kind: str, policy: Policy, *, policy_id: str, **members: str) -> dict[str, Any]:
    """An offer or agreement in compact form."""
    rules: dict[str, Any] = _in_full(policy.rules())
    return {"@id": policy_id, "@type": kind, **members, **rules}


def _in_full(value: Any, member: str = "") -> Any:
    """EDC shortens its names by a context that our messages do not have, so an echo has to write them out."""
    if isinstance(value, str):
        return _full_name(value) if member in _TERMS else value
    if isinstance(value, list):
        return [_in_full(each, member) for each in value]
    if isinstance(value, dict):
        return {_full_name(name): _in_full(inner, name) for name, inner in value.items()}
    return value


def _full_name(name: str) -> str:
    return EDC_NAMESPACE + name.removeprefix(_EDC_PREFIX) if name.startswith(_EDC_PREFIX) else name


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
