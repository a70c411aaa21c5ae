"""The renewal of credentials, on both sides of a transfer."""

from control_plane.bootstrap.destinations import destination_policies
from control_plane.bootstrap.parts import Parts
from control_plane.services.credential_issuer import CredentialIssuer
from control_plane.services.credential_renewer import CredentialRenewer
from control_plane.services.destination_doors import DestinationDoors
from control_plane.services.renewal_limit import RenewalLimit


def destination_doors(parts: Parts) -> DestinationDoors:
    """How a consumer's destination is made ready."""
    return DestinationDoors(
        provisioners=parts.provisioners,
        data_flows=parts.data_flows,
        addresses=parts.addresses,
        vault=parts.vault,
        clock=parts.clock,
    )


def credential_issuer(parts: Parts, *, interval_seconds: float) -> CredentialIssuer:
    """The consumer's side."""
    return CredentialIssuer(
        processes=parts.stores.transfer_processes,
        doors=destination_doors(parts),
        limit=RenewalLimit(interval_seconds, parts.clock),
    )


def credential_renewer(parts: Parts) -> CredentialRenewer:
    """The provider's side."""
    return CredentialRenewer(
        processes=parts.stores.transfer_processes,
        client=parts.client,
        data_flows=parts.data_flows,
        destinations=destination_policies(parts),
        vault=parts.vault,
    )
