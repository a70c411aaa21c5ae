"""Which destinations consumers may name."""

from connector_spi.data_address import AZURE_STORAGE
from control_plane.adapters.azure_destination_policy import AzureDestinationPolicy
from control_plane.adapters.destination_policies import DestinationPolicies
from control_plane.adapters.http_destination_policy import HTTP_DATA, HttpDestinationPolicy
from control_plane.bootstrap.parts import Parts


def destination_policies(parts: Parts) -> DestinationPolicies:
    """One policy for each type of address."""
    return DestinationPolicies(
        {AZURE_STORAGE: AzureDestinationPolicy(parts.endpoints), HTTP_DATA: HttpDestinationPolicy(parts.outbound)}
    )
