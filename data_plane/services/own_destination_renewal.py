"""OwnDestinationRenewal: a fresh credential for a destination that this data plane has made by itself."""

from collections.abc import Callable
from dataclasses import dataclass

from connector_spi.data_address import KEY_NAME
from data_plane.domain.data_flow import DataFlow, DataFlowRole
from data_plane.ports.credential_renewal import CredentialRenewal, RenewalUnavailableError
from data_plane.ports.destination_preparer import DestinationPreparer
from data_plane.services.renewed_secret import RenewedSecrets


@dataclass(frozen=True, slots=True)
class OwnDestinationRenewal:
    """Implements `data_plane.ports.credential_renewal.CredentialRenewal`.

    The consumer of a pull writes into its own place, where nobody but itself gives credentials; so does the receiver
    of an HTTP push. Every other flow's are asked for `elsewhere`.
    """

    preparer_of: Callable[[str], DestinationPreparer]
    """By address type; raises UnsupportedAddressTypeError for one that is not prepared here."""
    kept: RenewedSecrets
    elsewhere: CredentialRenewal

    async def renewed(self, flow: DataFlow) -> None:
        """Prepare anew: the same place, a credential with a later end."""
        if flow.role is not DataFlowRole.FETCHER and not flow.is_inbox:
            await self.elsewhere.renewed(flow)
            return
        alias = flow.destination.get(KEY_NAME)
        if alias not in flow.vault_aliases:
            raise RenewalUnavailableError(
                f"The destination's credential rests under {alias!r}, which is not this flow's."
            )
        prepared = await self.preparer_of(flow.destination.type).prepare(flow.id, flow.destination.without(KEY_NAME))
        await self.kept.keep(flow, alias, prepared.secret)
