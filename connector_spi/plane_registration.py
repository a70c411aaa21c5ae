"""How control planes and data planes make themselves known to each other (Data Plane Signaling 1.0-RC3).

Read leniently: the authorization is optional, EDC's spelling `transferTypes` is accepted beside `profiles`. Written
with both spellings.
"""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

CLIENT_CREDENTIALS: Final = "oauth2_client_credentials"
"""Type of the authorization profile by OAuth 2.0 client credentials."""


class AuthorizationMessage(BaseModel):
    """How the receiver of a registration proves itself to the party that registers, and how it knows its tokens.

    The credentials open the token endpoint of the registering party; the keys verify tokens that it sends.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True, extra="ignore")

    type: str = Field(min_length=1, max_length=128)
    token_endpoint: str | None = Field(default=None, alias="tokenEndpoint", max_length=2048)
    client_id: str | None = Field(default=None, alias="clientId", max_length=512)
    client_secret: str | None = Field(default=None, alias="clientSecret", max_length=4096, repr=False)
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = Field(default=None, alias="jwksUri", max_length=2048)

    @model_validator(mode="after")
    def _complete(self) -> "AuthorizationMessage":
        if self.type != CLIENT_CREDENTIALS:
            return self
        if not (self.token_endpoint and self.client_id and self.client_secret):
            raise ValueError(f"{CLIENT_CREDENTIALS} needs tokenEndpoint, clientId and clientSecret")
        if self.jwks is not None and self.jwks_uri is not None:
            raise ValueError("jwks and jwksUri exclude each other")
        return self


class _RegistrationMessage(BaseModel):
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True, extra="ignore")

    endpoint: str = Field(min_length=1, max_length=2048)
    authorization: AuthorizationMessage | None = None

    def wire(self) -> dict[str, Any]:
        """The JSON body, without null members."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ControlPlaneRegistrationMessage(_RegistrationMessage):
    """`PUT /controlplanes` of a data plane."""

    controlplane_id: str = Field(alias="controlplaneId", min_length=1, max_length=256)


class DataPlaneRegistrationMessage(_RegistrationMessage):
    """`PUT /dataplanes` of a control plane."""

    dataplane_id: str = Field(alias="dataplaneId", min_length=1, max_length=256)
    profiles: list[str] = Field(default_factory=list, max_length=100)
    transfer_types: list[str] = Field(default_factory=list, alias="transferTypes", max_length=100)
    labels: list[str] | None = Field(default=None, max_length=100)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, body: Any) -> Any:
        return {name: value for name, value in body.items() if value is not None} if isinstance(body, dict) else body

    @property
    def offered(self) -> tuple[str, ...]:
        """Every profile, under either spelling, once."""
        return tuple(dict.fromkeys((*self.profiles, *self.transfer_types)))
