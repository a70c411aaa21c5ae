"""The byte path: ranged reads, blocks and their commit, with nothing but a signed URL.

A lean client on the shared aiohttp session: the SDK costs five to ten times the CPU on small blobs and reads large
ones sequentially. URLs carry their signature and are never shown. Nothing is retried here: the caller knows its
budget and its deadline. Every method raises leaves of the catalogue; `SasExpiredError` when the refusal comes after
the signature's known end.
"""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Literal
from urllib.parse import quote

import aiohttp
from yarl import URL

from azure_storage.block_body import BlockBody, Buffer
from azure_storage.error_catalogue import error_of
from azure_storage.errors import (
    AuthenticationFailedError,
    AuthorizationFailureError,
    ChecksumMismatchError,
    Refusal,
    SasExpiredError,
    StorageUnavailableError,
)
from azure_storage.listed_object import DEFAULT_CONTENT_TYPE
from azure_storage.metadata import metadata_headers
from azure_storage.sas import SignedUrl
from azure_storage.session import STORAGE_API_VERSION
from connector_spi.clock import Clock, SystemClock

CALL_SECONDS: Final = 300.0
CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 60.0
"""How long an answer may make no progress."""

_MD5: Final = "Content-MD5"
_CRC64: Final = "x-ms-content-crc64"
_OK: Final = 200
_CREATED: Final = 201
_PARTIAL: Final = 206


class BlockBlobClient:
    """Reads and writes block blobs; `url` is always a blob's URL with its SAS (`SasToken.applied_to`)."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        clock: Clock | None = None,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        if session.auto_decompress:
            raise ValueError("The session must not decompress: use open_storage_session().")
        self._session = session
        self._clock = clock or SystemClock()
        self._timeout = aiohttp.ClientTimeout(
            total=call_seconds, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
        )

    async def get_range(self, url: SignedUrl, *, offset: int, length: int, if_match: str) -> bytearray:
        """`length` bytes of the blob from `offset`, in the one buffer that they were received into.

        `if_match` is the ETag, with its quotes. A length of 0 only checks that an empty blob is unchanged.

        Raises:
            SourceChangedError: the blob is no longer the one with this ETag.
            BlobNotFoundError: it is gone.
        """
        headers = {"If-Match": if_match}
        if length:
            headers["Range"] = f"bytes={offset}-{offset + length - 1}"
        buffer = bytearray(length)
        filled = 0
        async with self._call("GET", url, "Get Blob", _PARTIAL if length else _OK, headers=headers) as answer:
            with memoryview(buffer) as view:
                async for chunk in answer.content.iter_any():
                    if filled + len(chunk) > length:
                        raise _unavailable("Get Blob", url, f"more than {length} bytes came")
                    view[filled : filled + len(chunk)] = chunk
                    filled += len(chunk)
        if filled != length:
            raise _unavailable("Get Blob", url, f"{filled} of {length} bytes came")
        return buffer

    async def put_block(
        self,
        url: SignedUrl,
        block_id: str,
        body: Buffer,
        *,
        content_md5: bytes | None = None,
        content_crc64: bytes | None = None,
    ) -> None:
        """Stage a block. All block ids of a blob have the same length, at most 64 bytes.

        Give one checksum (16 bytes of MD5, or 8 bytes of Azure's CRC64, as they go on the wire): the service checks
        it, and what it answers is compared. Both Azure and Azurite are fastest with the MD5.

        Raises:
            ChecksumMismatchError: what arrived is not what was sent (transient).
        """
        operation, checksums = "Put Block", _checksum_headers(content_md5, content_crc64)
        query = f"comp=block&blockid={quote(_encoded_id(block_id), safe='')}"
        async with self._call("PUT", url, operation, _CREATED, headers=checksums, query=query, body=body) as answer:
            _check_answered_checksums(operation, url, checksums, answer)

    async def put_block_list(
        self,
        url: SignedUrl,
        block_ids: Sequence[str],
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        content_md5: bytes | None = None,
        overwrite: bool = False,
    ) -> str:
        """Publish the staged blocks as the blob, at once and whole; returns its ETag.

        `content_md5` is of the whole blob; the service stores it unchecked.

        Raises:
            BlobAlreadyExistsError: a blob of this name is there, and `overwrite` is False.
            InvalidBlockListError: a block is not staged (any more).
        """
        headers = _blob_headers(content_type, content_encoding, metadata) | _condition(overwrite=overwrite)
        if content_md5 is not None:
            headers["x-ms-blob-content-md5"] = _base64(content_md5)
        return await self._commit(url, block_ids, "Uncommitted", headers)

    async def recommit_block_list(
        self,
        url: SignedUrl,
        block_ids: Sequence[str],
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        content_md5: bytes | None = None,
    ) -> str:
        """Find out whether the blob that is there is ours: commit the same list as blocks committed already.

        For the moment after a crash, when it is not known whether a commit arrived. Content and properties stay
        the same when the arguments are those of the commit; returns the (new) ETag.

        Raises:
            InvalidBlockListError: the blob is missing, or made of other blocks: it is not ours.
        """
        headers = _blob_headers(content_type, content_encoding, metadata)
        if content_md5 is not None:
            headers["x-ms-blob-content-md5"] = _base64(content_md5)
        return await self._commit(url, block_ids, "Committed", headers)

    async def put_blob(
        self,
        url: SignedUrl,
        body: Buffer,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        content_md5: bytes | None = None,
        overwrite: bool = False,
    ) -> str:
        """Write a small blob in one call; returns its ETag. The service checks `content_md5` and stores it.

        Raises:
            BlobAlreadyExistsError: a blob of this name is there, and `overwrite` is False.
            ChecksumMismatchError: what arrived is not what was sent (transient).
        """
        checksums = _checksum_headers(content_md5, None)
        headers = _blob_headers(content_type, content_encoding, metadata) | _condition(overwrite=overwrite)
        headers |= checksums | {"x-ms-blob-type": "BlockBlob"}
        async with self._call("PUT", url, "Put Blob", _CREATED, headers=headers, body=body) as answer:
            _check_answered_checksums("Put Blob", url, checksums, answer)
            return answer.headers.get("ETag", "")

    async def _commit(
        self,
        url: SignedUrl,
        block_ids: Sequence[str],
        state: Literal["Committed", "Uncommitted"],
        headers: dict[str, str],
    ) -> str:
        items = "".join(f"<{state}>{_encoded_id(block_id)}</{state}>" for block_id in block_ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{items}</BlockList>'.encode()
        headers[_MD5] = _base64(hashlib.md5(body, usedforsecurity=False).digest())
        async with self._call(
            "PUT", url, "Put Block List", _CREATED, headers=headers, query="comp=blocklist", body=body
        ) as answer:
            return answer.headers.get("ETag", "")

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        url: SignedUrl,
        operation: str,
        expected_status: int,
        *,
        headers: Mapping[str, str],
        query: str = "",
        body: Buffer | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; the answer has the expected status, and what fails meanwhile is a leaf of the catalogue."""
        try:
            async with self._session.request(
                method,
                URL(url.secret_text(query), encoded=True),
                headers={"x-ms-version": STORAGE_API_VERSION, **headers},
                data=None if body is None else BlockBody(body),
                timeout=self._timeout,
                allow_redirects=False,
            ) as answer:
                if answer.status != expected_status:
                    raise self._refused(operation, url, answer)
                yield answer
        except (aiohttp.ClientError, OSError) as error:
            raise _unavailable(operation, url, type(error).__name__) from None

    def _refused(self, operation: str, url: SignedUrl, answer: aiohttp.ClientResponse) -> Exception:
        error = error_of(operation, url.resource, status=answer.status, headers=answer.headers)
        if isinstance(error, AuthenticationFailedError | AuthorizationFailureError):
            return SasExpiredError(error.refusal) if url.has_expired(self._clock.now()) else error
        return error


def _blob_headers(
    content_type: str, content_encoding: str | None, metadata: Mapping[str, str] | None
) -> dict[str, str]:
    headers = {"x-ms-blob-content-type": content_type} | metadata_headers(metadata or {})
    if content_encoding:
        headers["x-ms-blob-content-encoding"] = content_encoding
    return headers


def _condition(*, overwrite: bool) -> dict[str, str]:
    return {} if overwrite else {"If-None-Match": "*"}


def _checksum_headers(md5: bytes | None, crc64: bytes | None) -> dict[str, str]:
    checksums = {_MD5: md5, _CRC64: crc64}
    return {name: _base64(checksum) for name, checksum in checksums.items() if checksum is not None}


def _check_answered_checksums(
    operation: str, url: SignedUrl, sent: Mapping[str, str], answer: aiohttp.ClientResponse
) -> None:
    """The service answers the checksum that it computed itself; without one sent there is nothing to compare."""
    for name, value in sent.items():
        if answer.headers.get(name, value) != value:
            raise ChecksumMismatchError(Refusal(operation, url.resource, answer.status))


def _encoded_id(block_id: str) -> str:
    return _base64(block_id.encode())


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unavailable(operation: str, url: SignedUrl, problem: str) -> StorageUnavailableError:
    return StorageUnavailableError(operation=operation, resource=url.resource, problem=problem)
