"""The DataAddress of type AzureStorage.

Source of the property names: EDC's AzureBlobStoreSchema (`blobname` is the older spelling of `blobName`).
"""

from dataclasses import dataclass
from typing import Final

from azure_storage.endpoints import check_account
from azure_storage.object_names import (
    check_container,
    check_folder,
    check_object_name,
    destination_name,
)
from connector_spi.data_address import AZURE_STORAGE, KEY_NAME, DataAddress
from connector_spi.errors import InvalidInputError

__all__ = ["CLIENT_PROPERTIES", "AzureBlobAddress", "check_container", "check_object_name", "destination_name"]

CLIENT_PROPERTIES: Final = frozenset(
    {
        *("account", "container", "blobName", "blobname", "blobPrefix", "folderName", KEY_NAME, "endpoint"),
        # Of destinations in a container that the client has already (managedResources=false):
        *("access", "ifExists"),
    }
)
"""Every property that a client may write. None of them is a secret.

`access` is `staging` (the provider writes into a private container, from which the data is moved), `directory` (the
provider writes into the folder; accounts with hierarchical namespace) or `container` (the provider may write anywhere
in the container, also over what is there). `ifExists` is `refuse`, `skip` or `rename`: what happens to an object whose
name is taken; nothing is overwritten.
"""


@dataclass(frozen=True, slots=True)
class AzureBlobAddress:
    """A place in a storage account.

    Attributes:
        account: storage account.
        container: container; empty only in a destination whose container is still to be provisioned.
        blob_name: one blob, or None.
        blob_prefix: every blob whose name starts with it (empty: the whole container), or None.
        folder_name: folder of a destination, without trailing slash; empty for the container's root.
        key_name: vault alias of the account key, or None for the account's usual alias.
    """

    account: str
    container: str
    blob_name: str | None = None
    blob_prefix: str | None = None
    folder_name: str = ""
    key_name: str | None = None

    @classmethod
    def of_source(cls, address: DataAddress) -> "AzureBlobAddress":
        """What is to be read: one blob, or all under a prefix (which wins when both are given, as in EDC).

        Raises:
            InvalidInputError: wrong type, bad account or container, or neither blob nor prefix named.
        """
        _check_type(address)
        blob_name, blob_prefix = _blob_name(address), address.properties.get("blobPrefix")
        if blob_prefix is None and not blob_name:
            raise InvalidInputError(
                field="blobName",
                value="",
                problem="is missing",
                remedy="Name one blob (blobName), or a prefix (blobPrefix; empty for the whole container).",
            )
        return cls(
            account=check_account(address.get("account")),
            container=check_container(address.get("container"), system_allowed=True),
            blob_name=blob_name if blob_prefix is None else None,
            blob_prefix=blob_prefix,
            key_name=address.get(KEY_NAME) or None,
        )

    @classmethod
    def of_destination(cls, address: DataAddress, *, container_optional: bool = False) -> "AzureBlobAddress":
        """Where to write. `container_optional`: the container may be missing, because it will be provisioned.

        Raises:
            InvalidInputError: wrong type, or a bad account, container, folder or blob name.
        """
        _check_type(address)
        container, blob_name = address.get("container"), _blob_name(address)
        if container or not container_optional:
            check_container(container, system_allowed=False)
        return cls(
            account=check_account(address.get("account")),
            container=container,
            blob_name=check_object_name(blob_name) if blob_name else None,
            folder_name=check_folder(address.get("folderName")),
            key_name=address.get(KEY_NAME) or None,
        )

    def to_data_address(self) -> DataAddress:
        """The same as a DataAddress, without properties that are not set."""
        properties = {
            "account": self.account,
            "container": self.container,
            "blobName": self.blob_name or "",
            "folderName": self.folder_name,
            KEY_NAME: self.key_name or "",
        }
        present = {name: value for name, value in properties.items() if value}
        if self.blob_prefix is not None:
            present["blobPrefix"] = self.blob_prefix
        return DataAddress(AZURE_STORAGE, present)


def _check_type(address: DataAddress) -> None:
    if address.type != AZURE_STORAGE:
        raise InvalidInputError(
            field="type", value=address.type, problem="is not supported here", remedy=f"Use {AZURE_STORAGE}."
        )


def _blob_name(address: DataAddress) -> str | None:
    return address.get("blobName") or address.get("blobname") or None
