"""What clients put forward in a negotiation that runs, or begin one with as the provider."""

from typing import Annotated

from pydantic import Field, StringConstraints

from connector_spi.errors import InvalidInputError
from control_plane.domain.policy import Policy
from control_plane.services.negotiation_service import ContractOfferCommand
from control_plane.services.transfer_process_service import PROCESS_ID
from management_api.odrl import policy_of
from management_api.schemas.fields import (
    DATASPACE_PROTOCOL,
    Address,
    Callbacks,
    OptionalText,
    Properties,
    ProtocolName,
    Request,
    Text,
    unwrapped,
)

_ID_MAX = 2048


class TermsRequest(Request):
    """Terms in place of those on the table."""

    policy: Properties = Field(description="An ODRL offer; the asset under negotiation is its target in any case.")

    def to_policy(self) -> Policy:
        """The domain's form.

        Raises:
            InvalidInputError: the policy's rules are not objects.
        """
        return policy_of(self.policy)


class OfferRequest(Request):
    """Begin a negotiation with an offer."""

    id: Annotated[OptionalText, StringConstraints(pattern=rf"^({PROCESS_ID.pattern})?$")] = Field(
        default="", alias="@id", description="Yours to choose, so that a repeated request counts once."
    )
    counter_party_id: Text
    counter_party_address: Address
    protocol: ProtocolName = DATASPACE_PROTOCOL
    policy: Properties = Field(
        description="An ODRL offer with one of your assets as `target`. With the `@id` of an offer in your catalog it "
        "is that one, and has its terms; without, it is made for this consumer alone."
    )
    callback_addresses: Callbacks = Field(default_factory=list)

    def to_command(self) -> ContractOfferCommand:
        """The service's form.

        Raises:
            InvalidInputError: the offer has no target, or its rules are not objects.
        """
        target = unwrapped(self.policy.get("target", self.policy.get("odrl:target", "")))
        if not isinstance(target, str) or not 0 < len(target) <= _ID_MAX:
            raise InvalidInputError(
                field="policy.target", value=target, problem="must name the asset", remedy="Use the id of an asset."
            )
        offer_id = self.policy.get("@id", "")
        if not isinstance(offer_id, str) or len(offer_id) > _ID_MAX:
            raise InvalidInputError(field="policy.@id", value=offer_id, problem="is not an offer of your catalog")
        return ContractOfferCommand(
            id=self.id,
            counter_party_id=self.counter_party_id,
            counter_party_address=self.counter_party_address,
            protocol=self.protocol,
            offer_id=offer_id,
            asset_id=target,
            policy=policy_of(self.policy),
        )
