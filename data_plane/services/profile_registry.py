"""ProfileRegistry: what the profile in a message means, and how its addresses look on the wire."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connector_spi.data_address import DataAddress, DataAddressMessage, EndpointProperty
from connector_spi.errors import ConfigurationError, InvalidInputError
from data_plane.domain.transfer_profile import Direction, TransferProfile

HTTP_DATA: Final = "HttpData"
_EDC_HTTP: Final = "https://w3id.org/idsa/v4.1/HTTP"
"""How EDC's data planes name the type of an HTTP address in what they grant."""


class ProfileRegistry:
    """Profiles by name. Of EDC's spelling `<type>-PUSH` and `<type>-PULL`, every type that is served is known."""

    def __init__(self, profiles: Iterable[TransferProfile]) -> None:
        """Takes the profiles in.

        Raises:
            ConfigurationError: two of them have the same name.
        """
        self._profiles: dict[str, TransferProfile] = {}
        for profile in profiles:
            if profile.name in self._profiles:
                raise ConfigurationError(key=f"profile {profile.name}", problem="is defined twice")
            self._profiles[profile.name] = profile

    @property
    def names(self) -> tuple[str, ...]:
        """Every profile that was registered."""
        return tuple(self._profiles)

    def of(self, name: str) -> TransferProfile:
        """The profile of this name.

        Raises:
            InvalidInputError: there is none.
        """
        if known := self._profiles.get(name):
            return known
        address_type, separator, direction = name.rpartition("-")
        if separator and address_type and "://" not in name and direction in {"PUSH", "PULL"}:
            return TransferProfile(name=name, direction=Direction(direction), address_type=address_type)
        raise InvalidInputError(
            field="profile",
            value=name,
            problem="is no transfer profile of this data plane",
            remedy=f"It knows {', '.join(self.names)}.",
        )


def address_from_wire(profile: TransferProfile, message: DataAddressMessage) -> DataAddress:
    """The address in a message of this profile; the profile's own name for its type is translated."""
    address = message.to_address()
    names = {profile.name, profile.endpoint_type}
    if profile.address_type == HTTP_DATA:
        names.add(_EDC_HTTP)
    if address.type in names:
        return DataAddress(profile.address_type, address.properties)
    return address


def check_type(profile: TransferProfile, address: DataAddress) -> None:
    """Refuse an address of another type: whoever names it must not choose which of our technologies is used.

    Raises:
        InvalidInputError: it is not of the profile's type.
    """
    if address.type != profile.address_type:
        raise InvalidInputError(
            field="dataAddress.endpointType",
            value=address.type,
            problem=f"is not the type of the profile {profile.name!r}",
            remedy=f"It is {profile.address_type!r}.",
        )


def address_on_wire(profile: TransferProfile, address: DataAddress) -> dict[str, Any]:
    """The address as a message of this profile carries it, without null members.

    Property names have EDC's namespace in EDC's profiles alone; a URL profile defines its own, plain ones.
    """
    if profile.endpoint_type == profile.address_type:
        wire = DataAddressMessage.of(address)
    else:
        wire = _plain(profile.endpoint_type, address.properties)
    return wire.model_dump(mode="json", by_alias=True, exclude_none=True)


def _plain(endpoint_type: str, properties: Mapping[str, str]) -> DataAddressMessage:
    listed = [EndpointProperty(name=name, value=value) for name, value in properties.items() if name != "endpoint"]
    return DataAddressMessage(
        endpoint_type=endpoint_type, endpoint=properties.get("endpoint"), endpoint_properties=listed or None
    )
