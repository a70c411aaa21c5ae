"""CredentialRenewer: the provider's side of a renewal. Asks the consumer on behalf of the data plane that copies."""

import logging

from connector_spi.data_address import SECRET, DataAddress
from connector_spi.errors import NotFoundError, PeerRefusedError
from connector_spi.vault import Vault
from connector_spi.vault_access import vault_purpose
from control_plane.domain.credential_renewal import RenewalRefusedError, check_provider_may_ask
from control_plane.domain.transfer_process import TransferProcess, TransferProcessType
from control_plane.ports.data_flow_controller import DataFlowController
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.ports.destination_policy import DestinationPolicy
from control_plane.ports.stores import TransferProcessStore

_log = logging.getLogger(__name__)


class CredentialRenewer:
    """Gets a fresh credential from the counterparty that the transfer is with, and from nobody else."""

    def __init__(
        self,
        *,
        processes: TransferProcessStore,
        client: DataspaceClient,
        data_flows: DataFlowController,
        destinations: DestinationPolicy,
        vault: Vault,
    ) -> None:
        self._processes = processes
        self._client = client
        self._data_flows = data_flows
        self._destinations = destinations
        self._vault = vault

    async def renew(self, data_planes: frozenset[str], process_id: str) -> DataAddress:
        """The transfer's destination as its data plane gets it: with the alias, or with the fresh secret.

        `data_planes`: ids of the data planes that the caller proved to be. The call may be repeated.

        Raises:
            NotFoundError: the transfer is unknown, or served by none of them.
            RenewalRefusedError: the outcome is known, or the consumer refuses or does not know how.
            RenewalNotNowError: the transfer is paused.
            PeerUnavailableError: the consumer did not answer, or asks to come again later.
            TransientError, PermanentError: as for Vault and store.
        """
        process = await self._processes.find(process_id)
        if process is None or process.type is not TransferProcessType.PROVIDER:
            raise NotFoundError(kind="TransferProcess", object_id=process_id)
        if process.data_plane_id not in data_planes:
            raise NotFoundError(kind="TransferProcess", object_id=process_id)
        check_provider_may_ask(process)
        try:
            secret = await self._client.renew_credential(process)
        except PeerRefusedError as error:
            raise RenewalRefusedError(error.message) from error
        # An outsider's word: what is no signature is refused here, before it replaces a good one.
        checked = self._destinations.accept(process.data_destination.with_properties(**{SECRET: secret}))
        await self._keep(process, checked.get(SECRET))
        return await self._data_flows.destination(process)

    async def _keep(self, process: TransferProcess, secret: str) -> None:
        """Store the secret; take it out again when the outcome came meanwhile, for its clean-up may be over."""
        alias = process.secret_alias or ""
        with vault_purpose(f"renewed destination of transfer process {process.id}"):
            await self._vault.store(alias, secret)
        now = await self._processes.find(process.id)
        if now is None or now.is_outcome:
            with vault_purpose(f"clean up after transfer process {process.id}"):
                await self._vault.delete(alias)
            raise RenewalRefusedError(f"Transfer {process.id!r} has ended: no credential is needed any more.")
        _log.info("credential stored in the vault", extra={"alias": alias, "transfer_process_id": process.id})
