"""Contract negotiations and agreements."""

from typing import Annotated, Any

from pydantic import AliasChoices, Field, StringConstraints

from connector_spi.errors import InvalidInputError
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState, NegotiationType
from control_plane.services.negotiation_service import ContractRequest
from control_plane.services.transfer_process_service import PROCESS_ID
from management_api.odrl import policy_of, shown_policy
from management_api.schemas.fields import (
    DATASPACE_PROTOCOL,
    Address,
    Callbacks,
    Document,
    LongText,
    OptionalText,
    Properties,
    ProtocolName,
    Request,
    milliseconds,
    unwrapped,
)

_OFFER_ID_MAX = 2048


class ReasonRequest(Request):
    """Why something is ended or paused; the counterparty reads it."""

    reason: LongText = ""


class NegotiationRequest(Request):
    """Negotiate for an offer of a counterparty's catalog."""

    id: Annotated[OptionalText, StringConstraints(pattern=rf"^({PROCESS_ID.pattern})?$")] = Field(
        default="", alias="@id", description="Yours to choose, so that a repeated request counts once."
    )
    counter_party_id: OptionalText = Field(
        default="",
        validation_alias=AliasChoices("counterPartyId", "connectorId", "providerId"),
        description="Taken from `policy.assigner` when missing.",
    )
    counter_party_address: Address = Field(validation_alias=AliasChoices("counterPartyAddress", "connectorAddress"))
    protocol: ProtocolName = DATASPACE_PROTOCOL
    policy: Properties = Field(description="The offer as it stands in the catalog, with `assigner` and `target`.")
    callback_addresses: Callbacks = Field(default_factory=list)

    def to_contract_request(self) -> ContractRequest:
        """The service's form.

        Raises:
            InvalidInputError: the offer has no id or no target, or nobody is named as the counterparty.
        """
        assigner = self._of_offer("assigner", required=not self.counter_party_id)
        if self.counter_party_id and assigner and assigner != self.counter_party_id:
            raise InvalidInputError(
                field="policy.assigner",
                value=assigner,
                problem="is not the counterparty",
                remedy=f"The offers of {self.counter_party_id!r} are assigned by itself.",
            )
        return ContractRequest(
            id=self.id,
            counter_party_id=self.counter_party_id or assigner,
            counter_party_address=self.counter_party_address,
            protocol=self.protocol,
            offer_id=self._of_offer("@id"),
            asset_id=self._of_offer("target"),
            policy=policy_of(self.policy),
        )

    def _of_offer(self, name: str, *, required: bool = True) -> str:
        value = unwrapped(self.policy.get(name, self.policy.get(f"odrl:{name}", "")))
        if not isinstance(value, str) or len(value) > _OFFER_ID_MAX or (required and not value):
            raise InvalidInputError(
                field=f"policy.{name}",
                value=value,
                problem="must name what the catalog's offer names",
                remedy="Send the offer of the catalog, with the provider as assigner and the asset as target.",
            )
        return value


class NegotiationAnswer(Document):
    """A contract negotiation."""

    at_type: str = Field(default="ContractNegotiation", alias="@type")
    id: str = Field(alias="@id")
    type: str = Field(description="CONSUMER or PROVIDER: this side's role.")
    protocol: str
    state: str
    state_timestamp: int
    counter_party_id: str
    counter_party_address: str
    callback_addresses: list[Any] = Field(default_factory=list)
    created_at: int
    asset_id: str
    contract_agreement_id: str | None = Field(default=None, description="Once the negotiation is FINALIZED.")
    correlation_id: str | None = None
    offer: dict[str, Any] = Field(description="The terms on the table, as whoever spoke last put them.")
    pending: bool = Field(description="Whether it waits for a decision of yours.")
    error_code: str | None = None
    error_detail: str | None = None

    @classmethod
    def of(cls, negotiation: ContractNegotiation) -> "NegotiationAnswer":
        """The answer for a negotiation. Its agreement counts, and is shown, once both sides know that it does."""
        agreement = negotiation.agreement if negotiation.state is NegotiationState.FINALIZED else None
        return cls(
            id=negotiation.id,
            type=negotiation.type.value,
            protocol=negotiation.protocol,
            state=negotiation.state.name,
            state_timestamp=milliseconds(negotiation.state_timestamp),
            counter_party_id=negotiation.counter_party_id,
            counter_party_address=negotiation.counter_party_address,
            created_at=milliseconds(negotiation.created_at),
            asset_id=negotiation.asset_id,
            contract_agreement_id=agreement.id if agreement else None,
            correlation_id=negotiation.correlation_id,
            offer=_offer(negotiation),
            pending=negotiation.pending,
            error_code=negotiation.error_code,
            error_detail=negotiation.error_detail,
        )


def _offer(negotiation: ContractNegotiation) -> dict[str, Any]:
    own, other = negotiation.participant_id, negotiation.counter_party_id
    provider = own if negotiation.type is NegotiationType.PROVIDER else other
    shown = shown_policy(negotiation.policy, "Offer", assigner=provider, target=negotiation.asset_id)
    return {"@id": negotiation.offer_id, **shown}


class AgreementAnswer(Document):
    """A contract agreement."""

    type: str = Field(default="ContractAgreement", alias="@type")
    id: str = Field(alias="@id")
    agreement_id: str
    asset_id: str
    policy: dict[str, Any]
    contract_signing_date: int = Field(description="Seconds since 1970.")
    consumer_id: str
    provider_id: str

    @classmethod
    def of(cls, agreement: ContractAgreement) -> "AgreementAnswer":
        """The answer for an agreement."""
        policy = shown_policy(
            agreement.policy,
            "Agreement",
            assigner=agreement.provider_id,
            assignee=agreement.consumer_id,
            target=agreement.asset_id,
        )
        return cls(
            id=agreement.id,
            agreement_id=agreement.id,
            asset_id=agreement.asset_id,
            policy={"@id": agreement.id, **policy},
            contract_signing_date=int(agreement.signed_at.timestamp()),
            consumer_id=agreement.consumer_id,
            provider_id=agreement.provider_id,
        )
