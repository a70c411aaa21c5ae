"""AzureStorageDataSink: publishes block blobs into a container or folder with a write-only signature.

Whether a blob that is there already is ours is found out by committing the same blocks again as committed ones: the
service answers 201 for ours and InvalidBlockList for anybody else's, and nothing is overwritten. A blob written in one
call has no blocks to tell it by. There, one that is found after a call of unknown outcome counts as ours: its size and
MD5 are in the manifest, and the reader compares them with what the service tells of the blob.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from awscrt import checksums

from azure_storage.address import AzureBlobAddress
from azure_storage.block_client import BlockBlobClient
from azure_storage.copy_client import BlobCopyClient
from azure_storage.copy_errors import (
    CopyNotSupportedError,
    CopySourceChangedError,
    CopySourceRefusedError,
    CopySourceUnavailableError,
)
from azure_storage.crc64 import wire_crc64
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AuthenticationFailedError,
    AuthorizationFailureError,
    BlobAlreadyExistsError,
    ChecksumMismatchError,
    ContainerNotFoundError,
    InvalidBlockListError,
    SasExpiredError,
    StorageBusyError,
    StorageUnavailableError,
)
from azure_storage.markers import COMPLETE
from azure_storage.sas import SasToken, SignedUrl
from connector_spi.clock import Clock
from connector_spi.data_address import AZURE_STORAGE
from connector_spi.errors import TransientError
from data_plane.adapters.azure_blob_properties import blob_metadata
from data_plane.adapters.azure_credential import WriteCredential
from data_plane.adapters.marker_writer import write_complete, write_failed
from data_plane.adapters.receipt_signer import ReceiptSigner
from data_plane.domain.data_flow import DataFlow, DataFlowFailure
from data_plane.domain.errors import (
    CopySourceSilentError,
    CopyUnavailableError,
    SourceDigestMismatchError,
    SourceObjectChangedError,
    StagedBlocksLostError,
)
from data_plane.domain.object_copy import Block, ObjectCopy
from data_plane.ports.data_sink import SinkTraits, Staging
from data_plane.ports.data_source import ReadGrant

_log = logging.getLogger(__name__)

T = TypeVar("T")

_INLINE_BYTES: Final = 64 * 1024
"""Below this, a hop to a thread costs more than the checksum."""

_SHUT_OUT: Final = (AuthenticationFailedError, AuthorizationFailureError, ContainerNotFoundError)
"""What a write is answered once the consumer has revoked the signature, or removed the container. Not
SasExpiredError: a signature that is past its end by the clock ends whether or not anybody has seen anything."""
_REFUSED_TOKEN: Final = (AuthenticationFailedError, AuthorizationFailureError, SasExpiredError)


_NO_BLOCK: Final = 999_999
"""An index that no block has."""


class SignatureNotHonouredYetError(TransientError):
    """Storage refused a fresh signature; a new access policy takes up to half a minute to be known everywhere."""

    code = "SignatureNotHonouredYet"
    cause = (
        "storage refuses a signature that was just made: a new access policy or role takes up to half a minute to be "
        "known everywhere"
    )
    remedy = (
        "It is tried again. When it lasts longer, the account key at the consumer was rotated, or a clock is wrong."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSinkRules:
    """What the operator wants of every sink."""

    signature_grace: timedelta
    """How long after its start a flow takes a refused signature as `not known everywhere yet`."""
    block_checksum: str = "crc64"
    """`crc64` or `md5`: which goes with each block."""
    carry_tags: bool = False
    """Whether the source's index tags are set; the signature has to allow it."""


class AzureStorageDataSink:
    """Implements `data_plane.ports.data_sink.DataSink`."""

    def __init__(
        self,
        flow: DataFlow,
        credential: WriteCredential,
        *,
        blobs: BlockBlobClient,
        copies: BlobCopyClient,
        endpoints: StorageEndpoints,
        clock: Clock,
        rules: AzureSinkRules,
        signer: ReceiptSigner | None = None,
    ) -> None:
        self._flow = flow
        self._place = AzureBlobAddress.of_destination(flow.destination)
        self._credential = credential
        self._blobs = blobs
        self._copies = copies
        self._endpoints = endpoints
        self._clock = clock
        self._rules = rules
        self._signer = signer
        self._lenient_until: datetime | None = (flow.started_at or flow.created_at) + rules.signature_grace
        self._evidence_may_stand = False
        """Whether `.complete` was sent and its answer lost, so that the reader may have seen it."""

    @property
    def traits(self) -> SinkTraits:
        """Blocks outlive this process for a week; other Azure blobs are fetched by the service itself."""
        return SinkTraits(Staging.KEPT, frozenset({AZURE_STORAGE}))

    async def check_free(self, copy: ObjectCopy) -> None:
        """Try to commit a block that does not exist: the service looks at the name first."""
        try:
            await self._call(
                copy.destination_name, lambda url: self._blobs.put_block_list(url, [_block_id(copy, _NO_BLOCK)])
            )
        except InvalidBlockListError:
            return

    async def put_whole(self, copy: ObjectCopy, data: Block, *, again: bool) -> None:
        """Write the blob in one call, with its MD5, which the service checks and keeps."""
        md5 = bytes.fromhex(copy.md5)
        try:
            await self._call(
                copy.destination_name,
                lambda url: self._blobs.put_blob(url, data, content_md5=md5, **self._properties(copy)),
            )
        except BlobAlreadyExistsError:
            if not again:
                raise

    async def stage_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        """Send the block with its checksum, which the service checks."""
        block_id, checksum = _block_id(copy, index), await self._checksum(data)
        await self._call(copy.destination_name, lambda url: self._blobs.put_block(url, block_id, data, **checksum))

    async def copy_whole(self, copy: ObjectCopy, grant: ReadGrant, *, again: bool) -> int | None:
        """Have the service fetch and publish the blob in one call."""
        source = _signed(grant)
        try:
            with _of_the_source():
                copied = await self._call(
                    copy.destination_name,
                    lambda url: self._copies.put_blob_from_url(
                        url,
                        source,
                        source_if_match=copy.source.etag,
                        source_content_md5=copy.source.content_md5,
                        **self._properties(copy),
                    ),
                )
        except BlobAlreadyExistsError:
            if not again:
                raise
            return None
        return copied.crc64

    async def copy_block(self, copy: ObjectCopy, index: int, grant: ReadGrant, offset: int, length: int) -> int | None:
        """Have the service fetch the block; with the blob's own MD5 when the block is all of it."""
        source, block_id = _signed(grant), _block_id(copy, index)
        md5 = copy.source.content_md5 if length == copy.source.size else None
        with _of_the_source():
            return await self._call(
                copy.destination_name,
                lambda url: self._copies.put_block_from_url(
                    url,
                    block_id,
                    source,
                    offset=offset,
                    length=length,
                    source_if_match=copy.source.etag,
                    source_content_md5=md5,
                ),
            )

    async def commit(self, copy: ObjectCopy, *, again: bool) -> None:
        """Publish the blob in one atomic call, never over another one."""
        ids, properties = _block_ids(copy), self._commit_properties(copy)
        try:
            await self._call(copy.destination_name, lambda url: self._blobs.put_block_list(url, ids, **properties))
        except BlobAlreadyExistsError:
            if not again or not await self._is_ours(copy):
                raise
        except InvalidBlockListError as error:
            raise StagedBlocksLostError(error.message) from error

    async def mark_complete(self, published: AsyncIterator[ObjectCopy], *, again: bool) -> None:
        """Write the manifest pages, then `.complete`."""
        try:
            await write_complete(self._flow, published, self._write, signer=self._signer)
        except _SHUT_OUT as error:
            if not (again or self._evidence_may_stand):
                raise
            _log.warning("shut out after the evidence was begun: it counts as seen", extra={"reason": error.message})

    async def mark_failed(self, failure: DataFlowFailure) -> None:
        """Write `.failed`."""
        await write_failed(self._flow, failure, self._write, signer=self._signer)

    async def _is_ours(self, copy: ObjectCopy) -> bool:
        ids, properties = _block_ids(copy), self._commit_properties(copy)
        try:
            await self._call(copy.destination_name, lambda url: self._blobs.recommit_block_list(url, ids, **properties))
        except InvalidBlockListError:
            return False
        return True

    async def _write(self, name: str, content: bytes, content_type: str) -> None:
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        try:
            await self._call(
                name,
                lambda url: self._blobs.put_blob(
                    url, content, content_type=content_type, content_md5=md5, overwrite=True
                ),
            )
        except (StorageUnavailableError, StorageBusyError):
            self._evidence_may_stand |= name == COMPLETE
            raise

    async def _call(self, name: str, call: Callable[[SignedUrl], Awaitable[T]]) -> T:
        """Make the call with the signature of now; once more when that was refused and there is another one."""
        token = await self._credential.token()
        try:
            with self._signature_grace():
                return await call(self._url(name, token))
        except _REFUSED_TOKEN as error:
            if not await self._credential.refused(token, expired=isinstance(error, SasExpiredError)):
                raise
        with self._signature_grace():
            return await call(self._url(name, await self._credential.token()))

    def _url(self, name: str, token: SasToken) -> SignedUrl:
        folder = self._place.folder_name
        full = f"{folder}/{name}" if folder else name
        return token.applied_to(self._endpoints.blob_url(self._place.account, self._place.container, full))

    def _properties(self, copy: ObjectCopy) -> dict[str, Any]:
        return {
            "content_type": copy.source.content_type,
            "content_encoding": copy.source.content_encoding,
            "metadata": blob_metadata(self._flow, copy.source, copy.sha256),
            "tags": (copy.source.tags or None) if self._rules.carry_tags else None,
        }

    def _commit_properties(self, copy: ObjectCopy) -> dict[str, Any]:
        return {**self._properties(copy), "content_md5": bytes.fromhex(copy.md5) if copy.md5 else None}

    async def _checksum(self, data: Block) -> dict[str, bytes]:
        if self._rules.block_checksum == "crc64":
            return {"content_crc64": wire_crc64(checksums.crc64nvme(data))}
        if len(data) <= _INLINE_BYTES:
            return {"content_md5": hashlib.md5(data, usedforsecurity=False).digest()}
        digest = await asyncio.to_thread(hashlib.md5, data, usedforsecurity=False)
        return {"content_md5": digest.digest()}

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


@contextmanager
def _of_the_source() -> Iterator[None]:
    """What the service says of the source, in the words of the port."""
    try:
        yield
    except CopySourceChangedError as error:
        raise SourceObjectChangedError(error.message) from error
    except (CopyNotSupportedError, CopySourceRefusedError) as error:
        raise CopyUnavailableError(error.message) from error
    except ChecksumMismatchError as error:
        raise SourceDigestMismatchError(error.message) from error
    except CopySourceUnavailableError as error:
        raise CopySourceSilentError(error.message, retry_after_seconds=error.retry_after_seconds) from error


def _signed(grant: ReadGrant) -> SignedUrl:
    url, _, query = grant.url.partition("?")
    return SasToken(query).applied_to(url)


def _block_id(copy: ObjectCopy, index: int) -> str:
    return f"{copy.block_nonce}{index:06d}"


def _block_ids(copy: ObjectCopy) -> list[str]:
    return [_block_id(copy, index) for index in range(copy.block_count)]
