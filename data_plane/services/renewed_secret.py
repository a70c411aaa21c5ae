"""Puts a renewed secret into the vault, and does not leave it there for a flow that has ended meanwhile."""

import logging
from dataclasses import dataclass

from connector_spi.vault import Vault
from connector_spi.vault_access import vault_purpose
from data_plane.domain.data_flow import DataFlow
from data_plane.ports.credential_renewal import RenewalUnavailableError
from data_plane.ports.data_flow_store import DataFlowStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RenewedSecrets:
    """One for the process."""

    vault: Vault
    store: DataFlowStore

    async def keep(self, flow: DataFlow, alias: str, secret: str) -> None:
        """Store the secret; when the flow has ended by then, delete it again, for nobody else would.

        Raises:
            RenewalUnavailableError: the flow has ended.
            PermanentError, TransientError: as for vault and store.
        """
        try:
            with vault_purpose(f"renewed address of data flow {flow.id}"):
                await self.vault.store(alias, secret)
        finally:
            now = await self.store.find(flow.id)
            if now is None or now.is_final:
                await self.vault.delete(alias)
        if now is None or now.is_final:
            raise RenewalUnavailableError("The flow has ended.")
        _log.info("credential stored in the vault", extra={"alias": alias})
