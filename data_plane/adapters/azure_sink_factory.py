"""AzureStorageSinkFactory: checks what can be known before the first byte, and opens sinks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from azure_storage.address import AzureBlobAddress
from azure_storage.block_client import BlockBlobClient
from azure_storage.copy_client import BlobCopyClient
from azure_storage.endpoints import StorageEndpoints
from azure_storage.metadata import metadata_headers
from azure_storage.object_names import destination_name
from connector_spi.clock import Clock
from connector_spi.data_address import KEY_NAME, SECRET, DataAddress
from connector_spi.errors import InvalidInputError
from data_plane.adapters.azure_addresses import understood
from data_plane.adapters.azure_blob_properties import blob_metadata
from data_plane.adapters.azure_credential import WriteCredentials
from data_plane.adapters.azure_sink import AzureSinkRules, AzureStorageDataSink
from data_plane.adapters.receipt_signer import ReceiptSigner
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.object_copy import SourceObject


class AzureStorageSinkFactory:
    """Implements `data_plane.ports.data_sink.DataSinkFactory` for AzureStorage."""

    def __init__(
        self,
        *,
        credentials: WriteCredentials,
        blobs: BlockBlobClient,
        copies: BlobCopyClient,
        endpoints: StorageEndpoints,
        clock: Clock,
        rules: AzureSinkRules,
        signer: ReceiptSigner | None = None,
    ) -> None:
        self._credentials = credentials
        self._blobs = blobs
        self._copies = copies
        self._endpoints = endpoints
        self._clock = clock
        self._rules = rules
        self._signer = signer

    def accepted(self, address: DataAddress) -> DataAddress:
        """The address, without what is not understood of it; a bad one, or one without a credential, is refused."""
        AzureBlobAddress.of_destination(address)
        kept = understood(address)
        if not (kept.get(SECRET) or kept.get(KEY_NAME)):
            raise InvalidInputError(
                field="dataAddress",
                value=kept,
                problem="has no credential",
                remedy="Send the signature as `secret`, or its vault alias as `keyName`.",
            )
        return kept

    def destination_name(self, flow: DataFlow, source: SourceObject, *, single: bool) -> str:
        """The wished name of a single blob, else the source's own full name."""
        place = AzureBlobAddress.of_destination(flow.destination)
        name = place.blob_name if single and place.blob_name else source.name
        destination_name(place.folder_name, name)
        metadata_headers(blob_metadata(flow, source, "0" * 64))
        return name

    @asynccontextmanager
    async def open(self, flow: DataFlow) -> AsyncIterator[AzureStorageDataSink]:
        """The sink; reads the signature from the vault."""
        credential = self._credentials.of(flow)
        await credential.token()
        yield AzureStorageDataSink(
            flow,
            credential,
            blobs=self._blobs,
            copies=self._copies,
            endpoints=self._endpoints,
            clock=self._clock,
            rules=self._rules,
            signer=self._signer,
        )
