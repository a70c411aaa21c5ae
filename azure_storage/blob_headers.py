"""Request headers of the byte path: what a blob is to have, on which condition, with which checksum."""

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from azure_storage.errors import ChecksumMismatchError, Refusal
from azure_storage.http_messages import Answer
from azure_storage.metadata import metadata_headers
from connector_spi.errors import InvalidInputError

MD5: Final = "Content-MD5"
CRC64: Final = "x-ms-content-crc64"
MAX_TAGS: Final = 10


def blob_headers(
    content_type: str, content_encoding: str | None, metadata: Mapping[str, str] | None, tags: Mapping[str, str] | None
) -> dict[str, str]:
    """Content type and encoding, metadata and index tags of the blob that the request writes.

    Raises:
        InvalidInputError: the metadata or the tags break a rule of the service.
    """
    headers = {"x-ms-blob-content-type": content_type} | metadata_headers(metadata or {}) | tag_headers(tags)
    if content_encoding:
        headers["x-ms-blob-content-encoding"] = content_encoding
    return headers


def tag_headers(tags: Mapping[str, str] | None) -> dict[str, str]:
    """Index tags as a query string in a header; the service refuses them without the permission to tag.

    Raises:
        InvalidInputError: there are more than the service accepts.
    """
    if not tags:
        return {}
    if len(tags) > MAX_TAGS:
        remedy = f"A blob has at most {MAX_TAGS} index tags."
        raise InvalidInputError(field="tags", value=len(tags), problem="are too many", remedy=remedy)
    return {"x-ms-tags": urlencode(tags)}


def write_condition(*, overwrite: bool) -> dict[str, str]:
    """Nothing, or that no blob of this name may be there."""
    return {} if overwrite else {"If-None-Match": "*"}


def checksum_headers(md5: bytes | None, crc64: bytes | None, *, prefix: str = "") -> dict[str, str]:
    """The checksums that are given, in base64. `prefix` `x-ms-source-` is for those of a copy's source."""
    checksums = {MD5: md5, CRC64: crc64}
    if prefix:
        checksums = {f"{prefix}content-md5": md5, f"{prefix}content-crc64": crc64}
    return {name: base64_text(checksum) for name, checksum in checksums.items() if checksum is not None}


def check_answered_checksums(operation: str, resource: str, sent: Mapping[str, str], answer: Answer) -> None:
    """The service answers the checksum that it computed itself; without one sent there is nothing to compare.

    Raises:
        ChecksumMismatchError: it answered another one than was sent.
    """
    for name, value in sent.items():
        if answer.headers.get(name, value) != value:
            raise ChecksumMismatchError(Refusal(operation, resource, answer.status))


def block_query(block_id: str) -> str:
    """The query of a request that stages the block of this id."""
    return "comp=block&" + urlencode({"blockid": base64_text(block_id.encode())})


def base64_text(raw: bytes) -> str:
    """Base64 as text."""
    return base64.b64encode(raw).decode()
