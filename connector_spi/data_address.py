"""DataAddress: where data lies, and under which vault alias the key to it rests.

Source of the shape: Dataspace Protocol 2025-1 (DataAddress, EndpointProperty); property names of EDC's AzureStorage.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

EDC_NAMESPACE: Final = "https://w3id.org/edc/v0.0.1/ns/"
AZURE_STORAGE: Final = "AzureStorage"

KEY_NAME: Final = "keyName"
"""Property that holds the vault alias of the secret."""
SECRET: Final = "secret"
"""Property that holds the secret itself. On the wire only; whoever receives it moves it to a vault at once."""

SECRET_PROPERTIES: Final = frozenset({SECRET, "authorization", "authKey", "authCode", "sasToken", "refreshToken"})
"""Properties whose value is a secret."""


@dataclass(frozen=True, slots=True)
class DataAddress:
    """A type and its string properties, names without EDC's namespace. Its repr never shows a secret."""

    type: str
    properties: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "properties", MappingProxyType(dict(self.properties)))

    def __repr__(self) -> str:
        shown = {k: "***" if k in SECRET_PROPERTIES else v for k, v in self.properties.items()}
        return f"DataAddress(type={self.type!r}, properties={shown!r})"

    def get(self, name: str, default: str = "") -> str:
        """The property's value, or `default`."""
        return self.properties.get(name, default)

    def with_properties(self, **changes: str) -> "DataAddress":
        """A copy with these properties set."""
        return DataAddress(self.type, {**self.properties, **changes})

    def without(self, *names: str) -> "DataAddress":
        """A copy without these properties."""
        return DataAddress(self.type, {k: v for k, v in self.properties.items() if k not in names})

    def without_secrets(self) -> "DataAddress":
        """A copy that is safe to persist, log and show."""
        return self.without(*SECRET_PROPERTIES)


class EndpointProperty(BaseModel):
    """One property on the wire."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    type: str = Field(default="EndpointProperty", alias="@type")
    name: str = Field(max_length=512)
    value: str = Field(max_length=16_384)


class DataAddressMessage(BaseModel):
    """A DataAddress on the wire (DSP and Data Plane Signaling): written strictly, read leniently."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    type: str = Field(default="DataAddress", alias="@type")
    endpoint_type: str = Field(alias="endpointType", max_length=512)
    endpoint: str | None = Field(default=None, max_length=4096)
    endpoint_properties: list[EndpointProperty] | None = Field(default=None, alias="endpointProperties", max_length=100)

    @classmethod
    def of(cls, address: DataAddress) -> "DataAddressMessage":
        """The wire form: property names get EDC's namespace, which EDC demands and everybody else may strip."""
        properties = [
            EndpointProperty(name=EDC_NAMESPACE + name, value=value)
            for name, value in address.properties.items()
            if name != "endpoint"
        ]
        return cls(
            endpoint_type=address.type,
            endpoint=address.properties.get("endpoint"),
            endpoint_properties=properties or None,
        )

    def to_address(self) -> DataAddress:
        """The domain form, without EDC's namespace."""
        properties = {p.name.removeprefix(EDC_NAMESPACE): p.value for p in self.endpoint_properties or []}
        if self.endpoint is not None:
            properties.setdefault("endpoint", self.endpoint)
        return DataAddress(self.endpoint_type.removeprefix(EDC_NAMESPACE), properties)
