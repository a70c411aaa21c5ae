"""ObjectStorageProvisioner: a place in Azure Blob Storage and one write-only SAS for each transfer.

The place is a container that is made for the transfer, or one that the client has already (`existing_container`).
"""

import hashlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import Final

from azure_storage.address import AzureBlobAddress
from azure_storage.containers import ObjectStorage
from azure_storage.errors import ContainerNotOursError
from connector_spi.errors import PermanentError
from control_plane.adapters.existing_container import check_existing, existing_plan
from control_plane.domain.placement import DestinationAccess
from control_plane.domain.transfer_process import ProvisionedResource, TransferProcess, data_address_alias
from control_plane.ports.provisioner import Provisioned

_CONTAINER_PREFIX: Final = "transfer-"


class NothingProvisionedError(PermanentError):
    """The process holds no plan of what to provision."""

    code = "NothingProvisioned"
    cause = "the process holds no record of a destination that was made for it"
    remedy = (
        'Start a new transfer. When it recurs, a data plane with `provision_with = "data-plane"` and the control '
        "plane disagree on who makes the destination."
    )


class ObjectStorageProvisioner:
    """Makes the place as the owner of the account; the provider only ever sees the SAS."""

    def __init__(
        self,
        storage: ObjectStorage,
        *,
        sas_seconds: float,
        allow_tags: bool = False,
        hierarchical: Collection[str] = frozenset(),
    ) -> None:
        """`hierarchical`: accounts in which a SAS may be limited to a folder."""
        self._storage = storage
        self._sas_seconds = sas_seconds
        self._allow_tags = allow_tags
        self._hierarchical = hierarchical

    def plan(self, process: TransferProcess) -> ProvisionedResource:
        """The client's container name, or one made from the process id; or what an existing container needs."""
        made = _CONTAINER_PREFIX + _digest(process)
        if not process.managed_resources:
            return existing_plan(process, staging_container=made, hierarchical=self._hierarchical)
        address = AzureBlobAddress.of_destination(process.data_destination, container_optional=True)
        return ProvisionedResource(
            account=address.account,
            container=address.container or made,
            folder=address.folder_name,
            secret_alias=data_address_alias(process.id),
            sas_expires_at=None,
        )

    async def provision(self, process: TransferProcess) -> Provisioned:
        """Look at the client's container, create this side's with the process id in its metadata, mint the SAS."""
        plan, key_name = _plan(process), _key_name(process)
        if plan.access is not DestinationAccess.MANAGED:
            await check_existing(self._storage, plan, key_name)
        if plan.access.is_made_here:
            await self._storage.create_container(
                plan.account, plan.container, process_id=_owner(process), key_name=key_name
            )
        return await self.renew(process)

    async def renew(self, process: TransferProcess) -> Provisioned:
        """Mint anew: the stored access policy is replaced, so that earlier signatures get the new end too."""
        plan = _plan(process)
        sas = await self._storage.mint_write_sas(
            plan.account,
            plan.container,
            policy_id=_policy_id(process),
            lifetime_seconds=self._sas_seconds,
            folder=plan.folder if plan.access is DestinationAccess.DIRECTORY else "",
            allow_tags=self._allow_tags,
            key_name=_key_name(process),
        )
        return Provisioned(resource=replace(plan, sas_expires_at=sas.expires_at), secret=sas.to_secret())

    async def revoke(self, process: TransferProcess) -> None:
        """Remove the stored access policy that the SAS hangs on."""
        plan = _plan(process)
        await self._storage.revoke_sas(
            plan.account, plan.container, policy_id=_policy_id(process), key_name=_key_name(process)
        )

    async def deprovision(self, process: TransferProcess) -> None:
        """Delete the container if this process created it; one that is somebody else's stays."""
        plan = _plan(process)
        if not plan.access.is_made_here:
            return
        with suppress(ContainerNotOursError):
            await self._storage.delete_container(
                plan.account, plan.container, process_id=_owner(process), key_name=_key_name(process)
            )


def _plan(process: TransferProcess) -> ProvisionedResource:
    if process.provisioned is None:
        raise NothingProvisionedError(f"Transfer process {process.id} has nothing provisioned.")
    return process.provisioned


def _key_name(process: TransferProcess) -> str | None:
    return process.data_destination.get("keyName") or None


def _owner(process: TransferProcess) -> str:
    """What the container's metadata says: the process id, and the nonce, for process ids are the client's choice."""
    return f"{process.id} {process.nonce}"


def _policy_id(process: TransferProcess) -> str:
    return _CONTAINER_PREFIX + _digest(process)


def _digest(process: TransferProcess) -> str:
    """A name that Azure accepts, whatever the client chose as process id."""
    return hashlib.sha256(f"{process.participant_id} {process.id}".encode()).hexdigest()[:32]
