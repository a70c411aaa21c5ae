"""The byte path: ranged reads, blocks and their commit, with nothing but a signed URL.

Every method raises leaves of the catalogue. A refused signature is told with its cause as far as the service states it
(see `sas_refusal`): `SasExpiredError`, `SasNotYetValidError`, `SasRevokedError`, `SasSignatureMismatchError`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from azure_storage.blob_headers import (
    CRC64,
    MD5,
    base64_text,
    blob_headers,
    block_query,
    check_answered_checksums,
    checksum_headers,
    write_condition,
)
from azure_storage.crc64 import crc64_from_header
from azure_storage.listed_object import DEFAULT_CONTENT_TYPE
from azure_storage.sas import SignedUrl
from azure_storage.session import StorageSession
from azure_storage.signed_requests import CALL_SECONDS, Buffer, SignedRequests
from connector_spi.clock import Clock

_OK: Final = 200
_CREATED: Final = 201
_PARTIAL: Final = 206


class BlockBlobClient:
    """Reads and writes block blobs; `url` is always a blob's URL with its SAS (`SasToken.applied_to`)."""

    def __init__(
        self, session: StorageSession, *, clock: Clock | None = None, call_seconds: float = CALL_SECONDS
    ) -> None:
        self._requests = SignedRequests(session, clock=clock, call_seconds=call_seconds)

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
        status = _PARTIAL if length else _OK
        await self._requests.send("GET", url, "Get Blob", status, headers=headers, into=buffer)
        return buffer

    async def put_block(
        self,
        url: SignedUrl,
        block_id: str,
        body: Buffer,
        *,
        content_md5: bytes | None = None,
        content_crc64: bytes | None = None,
    ) -> int | None:
        """Stage a block; the CRC64 that the service reports, if any.

        All block ids of a blob have the same length, at most 64 bytes.

        Give one checksum (16 bytes of MD5, or 8 bytes of Azure's CRC64, as they go on the wire): the service checks
        it, and what it answers is compared. Without a checksum nothing is checked, but a CRC64 is reported; with an
        MD5 none is.

        Raises:
            ChecksumMismatchError: what arrived is not what was sent (transient).
        """
        operation, checksums = "Put Block", checksum_headers(content_md5, content_crc64)
        answer = await self._requests.send(
            "PUT", url, operation, _CREATED, headers=checksums, query=block_query(block_id), body=body
        )
        check_answered_checksums(operation, url.resource, checksums, answer)
        return crc64_from_header(answer.headers.get(CRC64))

    async def put_block_list(
        self,
        url: SignedUrl,
        block_ids: Sequence[str],
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        content_md5: bytes | None = None,
        overwrite: bool = False,
    ) -> str:
        """Publish the staged blocks as the blob, at once and whole; returns its ETag.

        `content_md5` is of the whole blob; the service stores it unchecked.

        Raises:
            BlobAlreadyExistsError: a blob of this name is there, and `overwrite` is False.
            InvalidBlockListError: a block is not staged (any more).
        """
        headers = blob_headers(content_type, content_encoding, metadata, tags) | write_condition(overwrite=overwrite)
        if content_md5 is not None:
            headers["x-ms-blob-content-md5"] = base64_text(content_md5)
        return await self._commit(url, block_ids, "Uncommitted", headers)

    async def recommit_block_list(
        self,
        url: SignedUrl,
        block_ids: Sequence[str],
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        content_md5: bytes | None = None,
    ) -> str:
        """Find out whether the blob that is there is ours: commit the same list as blocks committed already.

        For the moment after a crash, when it is not known whether a commit arrived. Content and properties stay
        the same when the arguments are those of the commit; returns the (new) ETag.

        Raises:
            InvalidBlockListError: the blob is missing, or made of other blocks: it is not ours.
        """
        headers = blob_headers(content_type, content_encoding, metadata, tags)
        if content_md5 is not None:
            headers["x-ms-blob-content-md5"] = base64_text(content_md5)
        return await self._commit(url, block_ids, "Committed", headers)

    async def put_blob(
        self,
        url: SignedUrl,
        body: Buffer,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        content_md5: bytes | None = None,
        content_crc64: bytes | None = None,
        overwrite: bool = False,
    ) -> str:
        """Write a small blob in one call; returns its ETag.

        The service checks the checksum that is given, MD5 or CRC64 as in `put_block`, and stores the MD5.

        Raises:
            BlobAlreadyExistsError: a blob of this name is there, and `overwrite` is False.
            ChecksumMismatchError: what arrived is not what was sent (transient).
        """
        checksums = checksum_headers(content_md5, content_crc64)
        headers = blob_headers(content_type, content_encoding, metadata, tags) | write_condition(overwrite=overwrite)
        headers |= checksums | {"x-ms-blob-type": "BlockBlob"}
        answer = await self._requests.send("PUT", url, "Put Blob", _CREATED, headers=headers, body=body)
        check_answered_checksums("Put Blob", url.resource, checksums, answer)
        return answer.headers.get("ETag", "")

    async def _commit(
        self,
        url: SignedUrl,
        block_ids: Sequence[str],
        state: Literal["Committed", "Uncommitted"],
        headers: dict[str, str],
    ) -> str:
        items = "".join(f"<{state}>{base64_text(block_id.encode())}</{state}>" for block_id in block_ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{items}</BlockList>'.encode()
        headers[MD5] = base64_text(hashlib.md5(body, usedforsecurity=False).digest())
        answer = await self._requests.send(
            "PUT", url, "Put Block List", _CREATED, headers=headers, query="comp=blocklist", body=body
        )
        return answer.headers.get("ETag", "")
