"""Assets."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import Field

from connector_spi.errors import InvalidInputError
from control_plane.domain.asset import Asset
from management_api.schemas.data_address import DataAddressMembers, data_address_of, shown_address
from management_api.schemas.fields import (
    Document,
    OptionalText,
    Properties,
    Request,
    milliseconds,
)


class AssetRequest(Request):
    """Data that can be offered, and where it lies."""

    id: OptionalText = Field(default="", alias="@id", description="Yours to choose; a random one when missing.")
    properties: Properties = Field(default_factory=dict, description="Shown in the catalog.")
    private_properties: Properties = Field(default_factory=dict, description="Never leave this connector.")
    data_address: DataAddressMembers = Field(description="`type` and properties; secrets by vault alias (`keyName`).")

    def to_asset(self, participant_id: str, now: datetime) -> Asset:
        """The domain's form.

        Raises:
            InvalidInputError: `properties.id` says something else than `@id`.
        """
        asset_id = self.id or str(self.properties.get("id") or uuid4())
        if self.properties.get("id", asset_id) != asset_id:
            raise InvalidInputError(
                field="properties.id", value=self.properties["id"], problem="differs from @id", remedy="Leave it out."
            )
        return Asset(
            id=asset_id,
            participant_id=participant_id,
            properties={name: value for name, value in self.properties.items() if name != "id"},
            private_properties=self.private_properties,
            data_address=data_address_of(self.data_address),
            created_at=now,
        )

    def replacing(self, old: Asset) -> Asset:
        """The asset in the place of an older one under the same id.

        Raises:
            InvalidInputError: as for `to_asset`.
        """
        return replace(self.to_asset(old.participant_id, old.created_at), id=old.id)


class AssetAnswer(Document):
    """An asset."""

    type: str = Field(default="Asset", alias="@type")
    id: str = Field(alias="@id")
    properties: dict[str, Any]
    private_properties: dict[str, Any]
    data_address: dict[str, str]
    created_at: int

    @classmethod
    def of(cls, asset: Asset) -> "AssetAnswer":
        """The answer for an asset."""
        return cls(
            id=asset.id,
            properties={"id": asset.id, **asset.properties},
            private_properties=dict(asset.private_properties),
            data_address=shown_address(asset.data_address),
            created_at=milliseconds(asset.created_at),
        )
