"""Copies that the destination's service makes itself, from a source URL that it is told: no byte passes through here.

The destination's service receives the source's signed URL, so whoever runs it could use that signature: it must be
read-only, for the one blob, and minutes long (`ObjectStorage.mint_read_sas` with `blob_name`), and both URLs must come
from configured endpoint templates.

The source's ETag is a condition of every call. A refusal by the source is told apart from one by the destination
(`CopySourceRefusedError`, `CopySourceChangedError`, `CopySourceUnavailableError`), and both from a service that does
not make such copies (`CopyNotSupportedError`), so that the caller can decide to stream the bytes instead.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from azure_storage.blob_headers import (
    CRC64,
    base64_text,
    blob_headers,
    block_query,
    checksum_headers,
    write_condition,
)
from azure_storage.copy_refusal import PUT_BLOB_FROM_URL, copy_error_of
from azure_storage.crc64 import crc64_from_header
from azure_storage.listed_object import DEFAULT_CONTENT_TYPE
from azure_storage.sas import SignedUrl
from azure_storage.session import StorageSession
from azure_storage.signed_requests import CALL_SECONDS, SignedRequests
from connector_spi.clock import Clock

_CREATED: Final = 201
_SOURCE: Final = "x-ms-source-"


class CopiedBlob(NamedTuple):
    """A blob that the service copied: its ETag, and the CRC64 of its content where the service reported one."""

    etag: str
    crc64: int | None


class BlobCopyClient:
    """Writes block blobs out of other blobs; `url` is the destination's and `source` the source's, each with its SAS.

    The methods raise, beside the leaves named above and those of `BlockBlobClient`, nothing of their own.
    """

    def __init__(
        self, session: StorageSession, *, clock: Clock | None = None, call_seconds: float = CALL_SECONDS
    ) -> None:
        self._requests = SignedRequests(session, clock=clock, call_seconds=call_seconds)

    async def put_block_from_url(
        self,
        url: SignedUrl,
        block_id: str,
        source: SignedUrl,
        *,
        offset: int,
        length: int,
        source_if_match: str,
        source_content_md5: bytes | None = None,
        source_content_crc64: bytes | None = None,
    ) -> int | None:
        """Stage `length` (at least 1) bytes of the source from `offset` as a block; the CRC64 that the service reports.

        At most one checksum of these bytes may be given, which the service checks: 16 bytes of MD5, or 8 of CRC64 as
        on the wire. With an MD5 it may report no CRC64.

        Raises:
            CopySourceChangedError: the source is no longer the one with the ETag `source_if_match`.
            ChecksumMismatchError: the source's bytes have another checksum (transient).
        """
        headers = _source_headers(source, source_if_match, source_content_md5, source_content_crc64)
        headers["x-ms-source-range"] = f"bytes={offset}-{offset + length - 1}"
        answered = await self._copy("Put Block From URL", url, _CREATED, headers, query=block_query(block_id))
        return crc64_from_header(answered.get(CRC64))

    async def put_blob_from_url(
        self,
        url: SignedUrl,
        source: SignedUrl,
        *,
        source_if_match: str,
        content_type: str = DEFAULT_CONTENT_TYPE,
        content_encoding: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        source_content_md5: bytes | None = None,
        source_content_crc64: bytes | None = None,
        overwrite: bool = False,
    ) -> CopiedBlob:
        """Copy a whole blob in one call, with exactly these properties: none is taken from the source.

        The new blob states `source_content_md5` as its own MD5, which readers of a receipt compare.

        Azurite 3.37 does not have this call: `CopyNotSupportedError`.

        Raises:
            BlobAlreadyExistsError: a blob of this name is there, and `overwrite` is False.
            CopySourceChangedError: the source is no longer the one with the ETag `source_if_match`.
            ChecksumMismatchError: the source's bytes have another checksum (transient).
        """
        headers = _source_headers(source, source_if_match, source_content_md5, source_content_crc64)
        headers |= blob_headers(content_type, content_encoding, metadata, tags) | write_condition(overwrite=overwrite)
        headers |= {"x-ms-blob-type": "BlockBlob", "x-ms-copy-source-blob-properties": "false"}
        if source_content_md5 is not None:
            # The source's checksum itself is checked, not kept.
            headers["x-ms-blob-content-md5"] = base64_text(source_content_md5)
        answered = await self._copy(PUT_BLOB_FROM_URL, url, _CREATED, headers)
        return CopiedBlob(answered.get("ETag", ""), crc64_from_header(answered.get(CRC64)))

    async def _copy(
        self, operation: str, url: SignedUrl, expected_status: int, headers: Mapping[str, str], *, query: str = ""
    ) -> Mapping[str, str]:
        """Make the call; the headers of the answer, without regard to case."""
        answer = await self._requests.send(
            "PUT", url, operation, expected_status, headers=headers, query=query, catalogue=copy_error_of
        )
        return answer.headers


def _source_headers(source: SignedUrl, if_match: str, md5: bytes | None, crc64: bytes | None) -> dict[str, str]:
    headers = {"x-ms-copy-source": source.secret_text(), "x-ms-source-if-match": if_match}
    return headers | checksum_headers(md5, crc64, prefix=_SOURCE)
