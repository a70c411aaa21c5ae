"""AzureBlobGranter: opens exactly one blob to the consumer of a pull, by a short-lived read-only signature.

A signature for a prefix does not exist on accounts without hierarchical namespace, and one for the container opens more
than was agreed. A source of several blobs is therefore refused here; the HTTP pull serves it.
"""

from azure_storage.address import AzureBlobAddress
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from connector_spi.data_address import AZURE_STORAGE, SECRET, DataAddress
from connector_spi.errors import InvalidInputError
from data_plane.domain.data_flow import DataFlow
from data_plane.ports.access_granter import GrantedAccess


class AzureBlobGranter:
    """Implements `data_plane.ports.access_granter.AccessGranter` for AzureStorage."""

    def __init__(self, storage: ObjectStorage, endpoints: StorageEndpoints, *, signature_seconds: float) -> None:
        self._storage = storage
        self._endpoints = endpoints
        self._signature_seconds = signature_seconds

    def check(self, source: DataAddress) -> None:
        """The source has to name one blob."""
        _place(source)

    async def grant(self, flow: DataFlow) -> GrantedAccess:
        """A fresh signature; those before it run out by themselves."""
        blob = _place(flow.source or DataAddress(""))
        token = await self._storage.mint_read_sas(
            blob.account,
            blob.container,
            blob_name=blob.blob_name,
            lifetime_seconds=self._signature_seconds,
            key_name=blob.key_name,
        )
        properties = {
            "account": blob.account,
            "container": blob.container,
            "blobName": blob.blob_name or "",
            "endpoint": self._endpoints.blob_url(blob.account, blob.container, blob.blob_name or ""),
        }
        if token.expires_at is not None:
            properties["expiresAt"] = token.expires_at.isoformat()
        return GrantedAccess(DataAddress(AZURE_STORAGE, properties), {SECRET: token.to_secret()})

    async def end(self, flow: DataFlow) -> None:
        """A signature without a stored policy cannot be taken back: it is short-lived for that reason."""


def _place(source: DataAddress) -> AzureBlobAddress:
    if source.type != AZURE_STORAGE:
        raise InvalidInputError(
            field="source.type",
            value=source.type,
            problem="cannot be opened as AzureStorage",
            remedy="Use HttpData-PULL, which serves every source.",
        )
    place = AzureBlobAddress.of_source(source)
    if place.blob_name is None:
        raise InvalidInputError(
            field="source.blobPrefix",
            value=place.blob_prefix,
            problem="cannot be opened exactly by a signature",
            remedy="Name one blob, or use HttpData-PULL, which serves the blobs of a prefix one by one.",
        )
    return place
