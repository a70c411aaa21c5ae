"""AzureStorageDataSink: publishes block blobs into a container or folder with a write-only signature.

Whether a blob that is there already is ours is found out by committing the same blocks again as committed ones: the
service answers 201 for ours and InvalidBlockList for anybody else's, and nothing is overwritten. An empty blob has no
blocks to tell it by. There, a blob that is found after a commit of unknown outcome counts as ours: an empty blob is
the same whoever wrote it, and a foreign one with content differs in size from the manifest, which the reader checks.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Final

from azure_storage.address import AzureBlobAddress
from azure_storage.block_client import BlockBlobClient
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AuthenticationFailedError,
    AuthorizationFailureError,
    BlobAlreadyExistsError,
    ContainerNotFoundError,
    InvalidBlockListError,
    StorageBusyError,
    StorageUnavailableError,
)
from azure_storage.markers import COMPLETE
from azure_storage.metadata import metadata_headers, percent_encoded
from azure_storage.object_names import destination_name
from azure_storage.sas import SasToken, SignedUrl
from connector_spi.clock import Clock
from connector_spi.data_address import KEY_NAME, SECRET, DataAddress
from connector_spi.errors import InvalidInputError, TransientError
from connector_spi.vault import Vault
from data_plane.adapters.azure_addresses import understood
from data_plane.adapters.azure_markers import write_complete, write_failed
from data_plane.domain.data_flow import DataFlow, DataFlowFailure
from data_plane.domain.errors import StagedBlocksLostError
from data_plane.domain.object_copy import Block, ObjectCopy, SourceObject

_log = logging.getLogger(__name__)

_INLINE_BYTES: Final = 64 * 1024
"""Below this, a hop to a thread costs more than the checksum."""
_LONGEST_ORIGINAL_NAME: Final = 2048
"""Bytes of the encoded name in the metadata, which has 8 KiB in all; a longer one is left out."""

_SHUT_OUT: Final = (AuthenticationFailedError, AuthorizationFailureError, ContainerNotFoundError)
"""What a write is answered once the consumer has revoked the signature, or removed the container. Not
SasExpiredError: a signature that is past its end by the clock ends whether or not anybody has seen anything."""


class SignatureNotHonouredYetError(TransientError):
    """Storage refused a fresh signature; a new access policy takes up to half a minute to be known everywhere."""

    code = "SignatureNotHonouredYet"


class AzureStorageDataSink:
    """Implements `data_plane.ports.data_sink.DataSink`."""

    def __init__(
        self,
        flow: DataFlow,
        token: SasToken,
        *,
        blobs: BlockBlobClient,
        endpoints: StorageEndpoints,
        clock: Clock,
        signature_grace: timedelta,
    ) -> None:
        self._flow = flow
        self._place = AzureBlobAddress.of_destination(flow.destination)
        self._token = token
        self._blobs = blobs
        self._endpoints = endpoints
        self._clock = clock
        self._lenient_until: datetime | None = (flow.started_at or flow.created_at) + signature_grace
        self._evidence_may_stand = False
        """Whether `.complete` was sent and its answer lost, so that the reader may have seen it."""

    async def check_free(self, copy: ObjectCopy) -> None:
        """Try to commit a block that does not exist: the service looks at the name first."""
        try:
            with self._signature_grace():
                await self._blobs.put_block_list(self._url(copy.destination_name), [_block_id(copy, 0)])
        except InvalidBlockListError:
            return

    async def stage_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        """Send the block with its MD5, which the service checks."""
        md5 = await _md5(data)
        with self._signature_grace():
            await self._blobs.put_block(self._url(copy.destination_name), _block_id(copy, index), data, content_md5=md5)

    async def commit(self, copy: ObjectCopy, *, again: bool) -> None:
        """Publish the blob in one atomic call, never over another one."""
        try:
            with self._signature_grace():
                await self._blobs.put_block_list(
                    self._url(copy.destination_name),
                    _block_ids(copy),
                    content_type=copy.source.content_type,
                    content_encoding=copy.source.content_encoding,
                    metadata=_metadata(self._flow, copy.source, copy.sha256),
                )
        except BlobAlreadyExistsError:
            if not again or not await self._is_ours(copy):
                raise
        except InvalidBlockListError as error:
            raise StagedBlocksLostError(error.message) from error

    async def mark_complete(self, published: AsyncIterator[ObjectCopy], *, again: bool) -> None:
        """Write the manifest pages, then `.complete`."""
        try:
            await write_complete(self._flow, published, self._write)
        except _SHUT_OUT as error:
            if not (again or self._evidence_may_stand):
                raise
            _log.warning("shut out after the evidence was begun: it counts as seen", extra={"reason": error.message})

    async def mark_failed(self, failure: DataFlowFailure) -> None:
        """Write `.failed`."""
        await write_failed(self._flow, failure, self._write)

    async def _is_ours(self, copy: ObjectCopy) -> bool:
        if copy.block_count == 0:
            return True
        try:
            await self._blobs.recommit_block_list(
                self._url(copy.destination_name),
                _block_ids(copy),
                content_type=copy.source.content_type,
                content_encoding=copy.source.content_encoding,
                metadata=_metadata(self._flow, copy.source, copy.sha256),
            )
        except InvalidBlockListError:
            return False
        return True

    async def _write(self, name: str, content: bytes, content_type: str) -> None:
        md5 = await _md5(content)
        try:
            with self._signature_grace():
                await self._blobs.put_blob(
                    self._url(name), content, content_type=content_type, content_md5=md5, overwrite=True
                )
        except (StorageUnavailableError, StorageBusyError):
            self._evidence_may_stand |= name == COMPLETE
            raise

    def _url(self, name: str) -> SignedUrl:
        folder = self._place.folder_name
        full = f"{folder}/{name}" if folder else name
        return self._token.applied_to(self._endpoints.blob_url(self._place.account, self._place.container, full))

    @contextmanager
    def _signature_grace(self) -> Iterator[None]:
        """Take a refusal as transient soon after the flow's start, until the signature was honoured once."""
        try:
            yield
        except (AuthenticationFailedError, AuthorizationFailureError) as error:
            if self._lenient_until and self._clock.now() < self._lenient_until:
                raise SignatureNotHonouredYetError(error.message) from error
            raise
        self._lenient_until = None


class AzureStorageSinkFactory:
    """Implements `data_plane.ports.data_sink.DataSinkFactory` for AzureStorage."""

    def __init__(
        self,
        *,
        vault: Vault,
        blobs: BlockBlobClient,
        endpoints: StorageEndpoints,
        clock: Clock,
        signature_grace: timedelta,
    ) -> None:
        self._vault = vault
        self._blobs = blobs
        self._endpoints = endpoints
        self._clock = clock
        self._signature_grace = signature_grace

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
        metadata_headers(_metadata(flow, source, "0" * 64))
        return name

    @asynccontextmanager
    async def open(self, flow: DataFlow) -> AsyncIterator[AzureStorageDataSink]:
        """The sink; reads the signature from the vault."""
        token = SasToken.from_secret(await self._vault.resolve(flow.destination.get(KEY_NAME)))
        yield AzureStorageDataSink(
            flow,
            token,
            blobs=self._blobs,
            endpoints=self._endpoints,
            clock=self._clock,
            signature_grace=self._signature_grace,
        )


def _block_id(copy: ObjectCopy, index: int) -> str:
    return f"{copy.block_nonce}{index:06d}"


def _block_ids(copy: ObjectCopy) -> list[str]:
    return [_block_id(copy, index) for index in range(copy.block_count)]


def _metadata(flow: DataFlow, source: SourceObject, sha256: str) -> Mapping[str, str]:
    """The source's own metadata, and where the blob comes from; names are compared without regard to case."""
    ours = {"processId": flow.marker_process_id, "agreementId": flow.agreement_id, "sha256": sha256}
    original = percent_encoded(source.name)
    if len(original) <= _LONGEST_ORIGINAL_NAME:
        ours["originalName"] = original
    taken = {name.lower() for name in ours}
    return {**{name: value for name, value in source.metadata.items() if name.lower() not in taken}, **ours}


async def _md5(data: Block) -> bytes:
    if len(data) <= _INLINE_BYTES:
        return hashlib.md5(data, usedforsecurity=False).digest()
    return await asyncio.to_thread(lambda: hashlib.md5(data, usedforsecurity=False).digest())
