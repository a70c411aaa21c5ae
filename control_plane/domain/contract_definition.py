"""ContractDefinition: which assets are offered under which policies; offers are made from it."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector_spi.errors import InvalidInputError
from control_plane.domain.asset import Asset
from control_plane.domain.policy import Policy
from control_plane.domain.query import Criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractDefinition:
    """The access policy says who sees the offer, the contract policy becomes the offer."""

    id: str
    participant_id: str
    access_policy_id: str
    contract_policy_id: str
    assets_selector: tuple[Criterion, ...] = ()
    """All must match; none means every asset."""
    private_properties: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferId:
    """The id of an offer: which definition offers which asset. Stable, and the same form as EDC's."""

    definition_id: str
    asset_id: str

    def __str__(self) -> str:
        parts = (self.definition_id, self.asset_id, "1")
        return ":".join(base64.b64encode(part.encode()).decode() for part in parts)

    @classmethod
    def parse(cls, text: str) -> "OfferId":
        """Read an offer id.

        Raises:
            InvalidInputError: it is not one of ours.
        """
        try:
            definition, asset, _ = (base64.b64decode(p, validate=True).decode() for p in text.split(":"))
        except (ValueError, binascii.Error) as error:
            raise _no_offer_id(text) from error
        offer_id = cls(definition_id=definition, asset_id=asset)
        # One spelling for each offer, and nothing that no database keeps.
        if str(offer_id) != text or "\0" in definition + asset:
            raise _no_offer_id(text)
        return offer_id


def _no_offer_id(text: str) -> InvalidInputError:
    return InvalidInputError(
        field="offer.@id",
        value=text,
        problem="is not an offer id of this provider",
        remedy="Take the id of the offer from the catalog.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractOffer:
    """An asset under a contract policy, as it stands in a catalog."""

    id: OfferId
    asset: Asset
    policy: Policy
