"""AzureStorageDataSource: one blob, or all blobs under a prefix, read with a short-lived read-only signature."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from azure_storage.address import AzureBlobAddress
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AuthenticationFailedError,
    AuthorizationFailureError,
    ListingPositionInvalidError,
    SasExpiredError,
    SourceChangedError,
)
from azure_storage.listed_object import ListedObject
from azure_storage.listing import Tags
from azure_storage.sas import SasToken
from connector_spi.clock import Clock
from connector_spi.data_address import AZURE_STORAGE, DataAddress
from data_plane.adapters.azure_addresses import understood
from data_plane.domain.errors import ListingPositionLostError, SourceObjectChangedError
from data_plane.domain.object_copy import Block, SourceObject
from data_plane.ports.data_source import ReadGrant, SourcePage

_log = logging.getLogger(__name__)

_SIGNATURE_SECONDS: Final = 3600.0
_GRANT_SECONDS: Final = 900.0
"""The destination's service gets to see a grant; one call of a block takes seconds."""
_RENEWED_BEFORE: Final = timedelta(minutes=10)
_STALE_SIGNATURE: Final = (AuthenticationFailedError, AuthorizationFailureError, SasExpiredError)


class AzureStorageDataSource:
    """Implements `data_plane.ports.data_source.DataSource`."""

    def __init__(
        self,
        place: AzureBlobAddress,
        *,
        storage: ObjectStorage,
        blobs: BlockBlobClient,
        endpoints: StorageEndpoints,
        clock: Clock,
        tags: Tags,
    ) -> None:
        self._place = place
        self._tags = tags
        self._storage = storage
        self._blobs = blobs
        self._endpoints = endpoints
        self._clock = clock
        self._signature: SasToken | None = None

    @property
    def is_single(self) -> bool:
        """Whether the address names one blob."""
        return self._place.blob_prefix is None

    async def objects(self, after: str | None = None) -> AsyncIterator[SourcePage]:
        """The blobs, in the service's pages of at most 5,000."""
        place = self._place
        if place.blob_name is not None:
            yield SourcePage([await self._found(place.blob_name)])
            return
        pages = self._storage.list_pages(
            place.account,
            place.container,
            prefix=place.blob_prefix or "",
            continuation=after,
            key_name=place.key_name,
            tags=self._tags,
        )
        try:
            async for page in pages:
                if page.tags_refused:
                    _log.warning("the source's tags are not copied", extra={"reason": page.tags_refused})
                yield SourcePage([_source_object(listed) for listed in page.objects], page.next_continuation)
        except ListingPositionInvalidError as error:
            raise ListingPositionLostError(error.message) from error

    async def current(self, source: SourceObject) -> SourceObject:
        """The blob of this name as it is now."""
        return await self._found(source.name)

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        """The bytes, of the version with the listed ETag."""
        signature = await self.signature()
        try:
            return await self._read(source, offset, length, signature)
        except _STALE_SIGNATURE:
            fresh = await self._renewed(instead_of=signature)
        try:
            return await self._read(source, offset, length, fresh)
        except _STALE_SIGNATURE as error:
            raise self._storage.refused(self._place.account, self._place.key_name, error) from None

    async def grant(self, source: SourceObject, *, anew: bool = False) -> ReadGrant:
        """A signature for this blob alone, for some minutes."""
        if anew:
            self._storage.forget_key(self._place.account)
            # A key that has ended shows here as what it is, and not as a source that the other service cannot read.
            await self._found(source.name)
        token = await self._storage.mint_read_sas(
            self._place.account,
            self._place.container,
            blob_name=source.name,
            lifetime_seconds=_GRANT_SECONDS,
            key_name=self._place.key_name,
        )
        return ReadGrant(AZURE_STORAGE, token.applied_to(self._url(source)).secret_text())

    async def signature(self) -> SasToken:
        """A signature that is good for some minutes more; the account key is read when one has to be made."""
        known = self._signature
        if known and known.expires_at and known.expires_at - self._clock.now() > _RENEWED_BEFORE:
            return known
        self._signature = await self._storage.mint_read_sas(
            self._place.account,
            self._place.container,
            blob_name=self._place.blob_name,
            lifetime_seconds=_SIGNATURE_SECONDS,
            key_name=self._place.key_name,
        )
        return self._signature

    async def _renewed(self, *, instead_of: SasToken) -> SasToken:
        """A signature made with the key that the vault holds now: the refused one may be of a rotated key."""
        if self._signature is instead_of:
            self._storage.forget_key(self._place.account)
            self._signature = None
        return await self.signature()

    async def _read(self, source: SourceObject, offset: int, length: int, signature: SasToken) -> Block:
        url = signature.applied_to(self._url(source))
        try:
            return await self._blobs.get_range(url, offset=offset, length=length, if_match=source.etag)
        except SourceChangedError as error:
            raise SourceObjectChangedError(error.message) from error

    async def _found(self, name: str) -> SourceObject:
        place = self._place
        return _source_object(
            await self._storage.get_object(
                place.account, place.container, name, key_name=place.key_name, tags=self._tags
            )
        )

    def _url(self, source: SourceObject) -> str:
        return self._endpoints.blob_url(self._place.account, self._place.container, source.name)


class AzureStorageSourceFactory:
    """Implements `data_plane.ports.data_source.DataSourceFactory` for AzureStorage."""

    def __init__(
        self,
        *,
        storage: ObjectStorage,
        blobs: BlockBlobClient,
        endpoints: StorageEndpoints,
        clock: Clock,
        carry_tags: bool = False,
        default_containers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`default_containers`: by account, the container of addresses that name none."""
        self._tags = Tags.IF_PERMITTED if carry_tags else Tags.LEAVE_OUT
        self._default_containers = default_containers
        self._storage = storage
        self._blobs = blobs
        self._endpoints = endpoints
        self._clock = clock

    def accepted(self, address: DataAddress) -> DataAddress:
        """The address with its container, without what is not understood of it; a bad one is refused."""
        default = self._default_containers.get(address.get("account"))
        if default is not None and not address.get("container"):
            address = address.with_properties(container=default)
        AzureBlobAddress.of_source(address)
        return understood(address)

    @asynccontextmanager
    async def open(self, address: DataAddress) -> AsyncIterator[AzureStorageDataSource]:
        """The source; its first signature is made at once, so that a missing key shows before anything else."""
        source = AzureStorageDataSource(
            AzureBlobAddress.of_source(address),
            storage=self._storage,
            blobs=self._blobs,
            endpoints=self._endpoints,
            clock=self._clock,
            tags=self._tags,
        )
        await source.signature()
        yield source


def _source_object(listed: ListedObject) -> SourceObject:
    return SourceObject(
        name=listed.name,
        size=listed.size_bytes,
        etag=listed.etag,
        content_type=listed.content_type,
        content_encoding=listed.content_encoding,
        metadata=listed.metadata,
        tags=listed.tags or {},
        content_md5=listed.content_md5,
    )
