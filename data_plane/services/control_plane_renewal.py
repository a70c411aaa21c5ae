"""ControlPlaneRenewal: has a flow's own control plane get a fresh credential for the flow's destination.

The data plane calls nobody else: the counterparty is the control plane's to ask.
"""

from dataclasses import dataclass
from uuid import uuid4

from connector_spi.data_address import KEY_NAME, SECRET, DataAddress
from connector_spi.errors import PeerRefusedError
from connector_spi.signaling import DataFlowStatusMessage
from data_plane.domain.data_flow import DataFlow
from data_plane.ports.control_plane_client import ControlPlaneClient
from data_plane.ports.credential_renewal import RenewalUnavailableError
from data_plane.services.renewed_secret import RenewedSecrets


@dataclass(frozen=True, slots=True)
class ControlPlaneRenewal:
    """Implements `data_plane.ports.credential_renewal.CredentialRenewal`."""

    control_plane: ControlPlaneClient
    kept: RenewedSecrets

    async def renewed(self, flow: DataFlow) -> None:
        """Ask; an inline secret goes to the vault at once, and with an alias it is there already."""
        message = DataFlowStatusMessage(message_id=str(uuid4()), data_flow_id=flow.id, state=flow.state)
        try:
            answered = await self.control_plane.credential(flow, message)
        except PeerRefusedError as error:
            raise RenewalUnavailableError(error.message) from error
        alias = flow.destination.get(KEY_NAME)
        if secret := _own(flow, answered).get(SECRET):
            if alias not in flow.vault_aliases:
                raise RenewalUnavailableError(
                    f"The control plane answered a credential, but the flow's rests under its alias {alias!r}."
                )
            await self.kept.keep(flow, alias, secret)
        elif answered.get(KEY_NAME) != alias:
            raise RenewalUnavailableError("The control plane answered no credential for this flow.")


def _own(flow: DataFlow, answered: DataAddress) -> DataAddress:
    """The answer, where it is of the flow's own place.

    Raises:
        RenewalUnavailableError: it is of another one.
    """
    for name in ("account", "container"):
        if answered.get(name) and answered.get(name) != flow.destination.get(name):
            raise RenewalUnavailableError(f"The control plane answered a credential for another {name}.")
    return answered
