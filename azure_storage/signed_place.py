"""SignedPlace: a container or folder as the holder of a signature that reads and lists sees it, contents included."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import ContainerClient

from azure_storage.block_client import BlockBlobClient
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import BlobNotFoundError, BlobTooLargeError
from azure_storage.listed_object import is_directory_stub, listed_object
from azure_storage.markers import is_marker
from azure_storage.receipt_place import PlacedObject
from azure_storage.sas import SasToken, SignedUrl
from azure_storage.sdk_clients import sdk_errors
from azure_storage.session import STORAGE_API_VERSION, StorageSession
from connector_spi.errors import TransientError

CHUNK_BYTES: Final = 4 * 1024 * 1024
_PAGE_SIZE: Final = 5000
_ATTEMPTS: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.5
_RANGE_NOT_SATISFIABLE: Final = 416


class SignedPlace:
    """Implements `ReceiptPlace`, and reads contents."""

    def __init__(
        self,
        token: SasToken,
        *,
        endpoints: StorageEndpoints,
        account: str,
        container: str,
        folder: str = "",
        session: StorageSession,
    ) -> None:
        self._token = token
        self._endpoints, self._account, self._container = endpoints, account, container
        self._resource = f"{account}/{container}"
        self._root = f"{folder}/" if folder else ""
        self._blobs = BlockBlobClient(session)
        self._client = ContainerClient.from_container_url(
            endpoints.container_url(account, container),
            credential=token.query,
            transport=AioHttpTransport(session=session.sdk, session_owner=False),
            api_version=STORAGE_API_VERSION,
            retry_total=0,
        )

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """See `ReceiptPlace.read`."""
        resource = f"{self._resource}/{self._root}{name}"
        try:
            with sdk_errors("Get Blob", resource):
                content = await self._small(self._root + name, max_bytes + 1)
        except BlobNotFoundError:
            return None
        if len(content) > max_bytes:
            raise BlobTooLargeError(resource=resource, max_bytes=max_bytes)
        return content

    async def objects(self) -> AsyncIterator[PlacedObject]:
        """See `ReceiptPlace.objects`."""
        with sdk_errors("List Blobs", self._resource):
            blobs = self._client.list_blobs(
                name_starts_with=self._root, include=["metadata"], results_per_page=_PAGE_SIZE
            )
            async for blob in blobs:
                listed = listed_object(blob)
                name = listed.name.removeprefix(self._root)
                if not is_directory_stub(listed) and not is_marker(name):
                    yield PlacedObject.of(listed, name)

    async def content(self, found: PlacedObject) -> AsyncIterator[bytes | bytearray]:
        """The content of this very version, chunk by chunk, the next one on its way.

        Raises:
            TransientError: storage did not answer several times in a row.
            PermanentError: it refused, or the object was changed meanwhile.
        """
        url = self._token.applied_to(self._endpoints.blob_url(self._account, self._container, self._root + found.name))
        offsets = range(0, found.size_bytes, CHUNK_BYTES)
        coming: asyncio.Task[bytearray] | None = None
        try:
            for offset in offsets:
                coming = coming or asyncio.create_task(self._chunk(url, found, offset))
                chunk, after = await coming, offset + CHUNK_BYTES
                coming = asyncio.create_task(self._chunk(url, found, after)) if after < found.size_bytes else None
                yield chunk
        finally:
            if coming is not None:
                coming.cancel()

    async def _chunk(self, url: SignedUrl, found: PlacedObject, offset: int) -> bytearray:
        length = min(CHUNK_BYTES, found.size_bytes - offset)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._blobs.get_range(url, offset=offset, length=length, if_match=found.etag)
            except TransientError as error:
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(error.retry_after_seconds or _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        raise AssertionError

    async def _small(self, name: str, length: int) -> bytes:
        try:
            download = await self._client.download_blob(name, offset=0, length=length)
        except HttpResponseError as error:
            if error.status_code != _RANGE_NOT_SATISFIABLE:
                raise
            return b""  # no range of an empty blob can be read
        return await download.readall()
