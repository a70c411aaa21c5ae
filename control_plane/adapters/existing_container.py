"""Destinations in a container that the client has already (`managedResources=false`): plan, and look before use."""

from collections.abc import Collection
from typing import Final

from azure_storage.address import AzureBlobAddress
from azure_storage.containers import ObjectStorage
from azure_storage.folder_contents import FolderContents
from azure_storage.markers import is_marker
from azure_storage.object_names import check_folder
from connector_spi.errors import InvalidInputError
from control_plane.domain.placement import ACCESS, IF_EXISTS, DestinationAccess, IfExists, Placement
from control_plane.domain.transfer_process import ProvisionedResource, TransferProcess, data_address_alias
from control_plane.ports.placement import DestinationFolderTakenError

_CHOICES: Final = (DestinationAccess.STAGING, DestinationAccess.DIRECTORY, DestinationAccess.CONTAINER)


def existing_plan(
    process: TransferProcess, *, staging_container: str, hierarchical: Collection[str]
) -> ProvisionedResource:
    """Where the provider will write, and where the data goes from there. `hierarchical`: accounts with directories.

    Raises:
        InvalidInputError: a property of the destination cannot work.
    """
    address = AzureBlobAddress.of_destination(process.data_destination)
    access = _access(process, has_directories=address.account in hierarchical)
    if_exists = _if_exists(process, access)
    staged = access is DestinationAccess.STAGING
    return ProvisionedResource(
        account=address.account,
        container=staging_container if staged else address.container,
        folder=_folder(address.folder_name or process.id),
        secret_alias=data_address_alias(process.id),
        sas_expires_at=None,
        access=access,
        placement=Placement(container=address.container, if_exists=if_exists) if staged else None,
    )


async def check_existing(storage: ObjectStorage, plan: ProvisionedResource, key_name: str | None) -> None:
    """Look whether the client's container is there, and whether the folder is the transfer's to use.

    Raises:
        ContainerNotFoundError: the container is not there.
        DestinationFolderTakenError: a transfer has been there, or, where nothing is moved, anybody.
    """
    container = plan.placement.container if plan.placement else plan.container
    await storage.blobs.check_container(plan.account, container, key_name=key_name)
    folder = FolderContents(storage, plan.account, container, plan.folder, key_name)
    found = await folder.receipt() if plan.placement else await folder.first()
    if found is not None:
        raise folder_taken(plan.account, container, plan.folder, found.name)


def folder_taken(account: str, container: str, folder: str, found: str) -> DestinationFolderTakenError:
    """The error that names what was found."""
    return DestinationFolderTakenError(
        f"The folder {folder!r} of {account}/{container} is not the transfer's own: it holds {found!r}. "
        "Name another folderName, or leave it out."
    )


def _access(process: TransferProcess, *, has_directories: bool) -> DestinationAccess:
    wished = process.data_destination.get(ACCESS)
    if not wished:
        return DestinationAccess.DIRECTORY if has_directories else DestinationAccess.STAGING
    if wished not in _CHOICES:
        raise _refused(ACCESS, wished, "is not known", f"Use one of: {', '.join(_CHOICES)}.")
    if wished == DestinationAccess.DIRECTORY and not has_directories:
        remedy = "Leave it out, or set hierarchical_namespace for the account in the connector's configuration."
        raise _refused(ACCESS, wished, "needs a storage account with hierarchical namespace", remedy)
    return DestinationAccess(wished)


def _if_exists(process: TransferProcess, access: DestinationAccess) -> IfExists:
    wished = process.data_destination.get(IF_EXISTS) or IfExists.REFUSE
    if wished not in tuple(IfExists):
        raise _refused(IF_EXISTS, wished, "is not known", f"Use one of: {', '.join(IfExists)}.")
    if wished != IfExists.REFUSE and access is not DestinationAccess.STAGING:
        remedy = "The provider writes there itself, into a folder that must be empty: leave it out."
        raise _refused(IF_EXISTS, wished, f"has no meaning with {ACCESS} {access.value!r}", remedy)
    return IfExists(wished)


def _folder(folder: str) -> str:
    if any(is_marker(part) for part in folder.split("/")):
        raise _refused("folderName", folder, "is a name that transfers keep for themselves", "Choose another one.")
    return check_folder(folder)


def _refused(name: str, value: str, problem: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(field=f"dataDestination.{name}", value=value, problem=problem, remedy=remedy)
