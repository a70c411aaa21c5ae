"""GrantedBlobSource: the one blob that the provider of a pull has opened to us by a read-only signature.

Our own blobs are read with the account's key instead (`azure_source`), hence an address type of its own, which is never
on the wire.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from azure_storage.address import AzureBlobAddress
from azure_storage.block_client import BlockBlobClient
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import SourceChangedError
from azure_storage.listed_object import DEFAULT_CONTENT_TYPE
from azure_storage.sas import SasToken, SignedUrl
from azure_storage.signed_requests import SignedRequests
from connector_spi.data_address import AZURE_STORAGE, KEY_NAME, DataAddress
from connector_spi.errors import InvalidInputError
from connector_spi.vault import Vault
from data_plane.adapters.azure_addresses import understood
from data_plane.domain.errors import SourceObjectChangedError
from data_plane.domain.object_copy import Block, SourceObject
from data_plane.ports.data_source import ReadGrant, SourcePage
from data_plane.services.received_addresses import AZURE_STORAGE_GRANTED

_OK: Final = 200
_METADATA: Final = "x-ms-meta-"


class GrantedBlobSource:
    """Implements `data_plane.ports.data_source.DataSource`."""

    def __init__(self, name: str, url: SignedUrl, *, requests: SignedRequests, blobs: BlockBlobClient) -> None:
        self._name = name
        self._url = url
        self._requests = requests
        self._blobs = blobs

    @property
    def is_single(self) -> bool:
        """It is always one blob."""
        return True

    async def objects(self, after: str | None = None) -> AsyncIterator[SourcePage]:
        """The one page with the one blob."""
        yield SourcePage([await self._found()])

    async def current(self, source: SourceObject) -> SourceObject:
        """The blob as it is now."""
        return await self._found()

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        """The bytes, of the version with the listed ETag."""
        try:
            return await self._blobs.get_range(self._url, offset=offset, length=length, if_match=source.etag)
        except SourceChangedError as error:
            raise SourceObjectChangedError(error.message) from error

    async def grant(self, source: SourceObject, *, anew: bool = False) -> ReadGrant:
        """What was given to us, which opens this blob alone."""
        return ReadGrant(AZURE_STORAGE, self._url.secret_text())

    async def _found(self) -> SourceObject:
        answer = await self._requests.send("HEAD", self._url, "Get Blob Properties", _OK, headers={})
        return _source_object(self._name, answer.headers)


class GrantedBlobSourceFactory:
    """Implements `data_plane.ports.data_source.DataSourceFactory` for what an AzureStorage pull gave."""

    def __init__(
        self, *, vault: Vault, requests: SignedRequests, blobs: BlockBlobClient, endpoints: StorageEndpoints
    ) -> None:
        self._vault = vault
        self._requests = requests
        self._blobs = blobs
        self._endpoints = endpoints

    def accepted(self, address: DataAddress) -> DataAddress:
        """The address, without what is not understood of it; a bad one is refused."""
        place = _place(address)
        if not place.key_name or place.blob_name is None:
            raise InvalidInputError(
                field="dataAddress", value="...", problem="does not open one blob by a signature (blobName, secret)"
            )
        return DataAddress(AZURE_STORAGE_GRANTED, understood(address).properties)

    @asynccontextmanager
    async def open(self, address: DataAddress) -> AsyncIterator[GrantedBlobSource]:
        """The source; its host comes from the operator's template, never from the address."""
        place, alias = _place(address), address.get(KEY_NAME)
        self._vault.forget(alias)  # a resume may have brought another signature under the same alias
        token = SasToken.from_secret(await self._vault.resolve(alias))
        name = place.blob_name or ""
        url = token.applied_to(self._endpoints.blob_url(place.account, place.container, name))
        yield GrantedBlobSource(name, url, requests=self._requests, blobs=self._blobs)


def _place(address: DataAddress) -> AzureBlobAddress:
    return AzureBlobAddress.of_source(DataAddress(AZURE_STORAGE, address.properties))


def _source_object(name: str, headers: Mapping[str, str]) -> SourceObject:
    return SourceObject(
        name=name,
        size=int(headers["Content-Length"]),
        etag=headers["ETag"],
        content_type=headers.get("Content-Type", DEFAULT_CONTENT_TYPE),
        content_encoding=headers.get("Content-Encoding"),
        metadata={
            header[len(_METADATA) :]: value for header, value in headers.items() if header.lower().startswith(_METADATA)
        },
        content_md5=_md5(headers.get("Content-MD5")),
    )


def _md5(text: str | None) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if text else None
    except binascii.Error:
        return None
