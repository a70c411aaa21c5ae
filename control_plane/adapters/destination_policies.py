"""DestinationPolicy by the type of the address."""

from collections.abc import Mapping

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError
from control_plane.ports.destination_policy import DestinationPolicy


class DestinationPolicies:
    """Implements `control_plane.ports.destination_policy.DestinationPolicy` over one policy for each type."""

    def __init__(self, by_type: Mapping[str, DestinationPolicy]) -> None:
        self._by_type = by_type

    def accept(self, address: DataAddress) -> DataAddress:
        """As the policy of its type says."""
        policy = self._by_type.get(address.type)
        if policy is None:
            raise InvalidInputError(
                field="dataAddress.endpointType",
                value=address.type,
                problem="is not a type of destination that this connector writes to",
                remedy=f"Use one of: {', '.join(sorted(self._by_type))}.",
            )
        return policy.accept(address)
