"""TransferAddresses: where the data addresses that others made rest, whole, as long as a transfer lasts.

A prepared destination and a pull's endpoint data reference are such addresses. One alias for each transfer, so that a
newer address replaces the older one, and nothing is left when the alias is forgotten.
"""

from connector_spi.data_address import DataAddress
from connector_spi.errors import SecretNotFoundError
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved, vault_purpose
from control_plane.domain.sealed_address import sealed, unsealed
from control_plane.domain.transfer_process import TransferProcess, data_address_alias
from control_plane.ports.stores import TransferProcessStore


class TransferAddresses:
    """Keeps the data address of each transfer in the vault."""

    def __init__(self, vault: Vault, processes: TransferProcessStore) -> None:
        self._vault = vault
        self._processes = processes

    async def keep(self, process: TransferProcess, address: DataAddress) -> None:
        """Store or replace the transfer's address.

        Raises:
            InvalidInputError: it is larger than a vault takes.
            VaultForbiddenError, VaultUnavailableError: as for Vault.
        """
        with vault_purpose(f"data address of transfer process {process.id}"):
            await self._vault.store(data_address_alias(process.id), sealed(address))

    async def of(self, process: TransferProcess) -> DataAddress | None:
        """The transfer's address, secrets included, or None.

        Raises:
            SealedAddressError: the vault holds something else there.
            VaultForbiddenError, VaultUnavailableError: as for Vault.
        """
        purpose = f"data address of transfer process {process.id}"
        try:
            return unsealed(await resolved(self._vault, data_address_alias(process.id), purpose=purpose))
        except SecretNotFoundError:
            return None

    async def forget(self, process: TransferProcess) -> None:
        """Delete the transfer's address; fine when there is none.

        Raises:
            VaultForbiddenError, VaultUnavailableError: as for Vault.
        """
        with vault_purpose(f"clean up after transfer process {process.id}"):
            await self._vault.delete(data_address_alias(process.id))

    async def forget_if_ended(self, process_id: str) -> None:
        """Delete an address that came after the outcome, when the transfer's own clean-up was over.

        Raises:
            StoreUnavailableError, VaultForbiddenError, VaultUnavailableError: as for store and Vault.
        """
        process = await self._processes.find(process_id)
        if process is not None and process.is_outcome:
            await self.forget(process)
