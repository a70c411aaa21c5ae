"""Messages of contract negotiation."""

from pydantic import Field, model_validator

from control_plane.dsp_messages.members import Message, Name, Pid, PidsMessage, Url
from control_plane.dsp_messages.policies import AgreementBody, OdrlPolicy, TargetedOffer


class ContractRequestMessage(Message):
    """A consumer asks for a contract; with `providerPid` it is a counter-offer in a running negotiation.

    The schema wants `callbackAddress` only without that id. EDC writes it always, and there it is passed over.
    """

    consumer_pid: Pid = Field(alias="consumerPid")
    provider_pid: Pid | None = Field(default=None, alias="providerPid")
    callback_address: Url | None = Field(default=None, alias="callbackAddress")
    offer: OdrlPolicy

    @model_validator(mode="after")
    def _opens_or_counters(self) -> "ContractRequestMessage":
        if self.callback_address is None and self.provider_pid is None:
            raise ValueError("callbackAddress, or providerPid, is needed")
        return self


class ContractOfferMessage(Message):
    """A provider offers a contract; with `consumerPid` it answers in a running negotiation.

    As to `callbackAddress`, see ContractRequestMessage.
    """

    provider_pid: Pid = Field(alias="providerPid")
    consumer_pid: Pid | None = Field(default=None, alias="consumerPid")
    callback_address: Url | None = Field(default=None, alias="callbackAddress")
    offer: TargetedOffer

    @model_validator(mode="after")
    def _opens_or_answers(self) -> "ContractOfferMessage":
        if self.callback_address is None and self.consumer_pid is None:
            raise ValueError("callbackAddress, or consumerPid, is needed")
        return self


class ContractAgreementMessage(PidsMessage):
    """A provider agrees."""

    agreement: AgreementBody


class ContractNegotiationEventMessage(PidsMessage):
    """ACCEPTED (by the consumer) or FINALIZED (by the provider)."""

    event_type: Name = Field(alias="eventType")
