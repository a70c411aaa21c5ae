"""What a transfer leaves beside its objects: the manifest, and `.complete` or `.failed`.

All of them stand at the root of the transfer's own place (the managed container, or the transfer's folder). The
manifest is written in pages, then `.complete` as the very last object. The reader treats all of it as the word of
an outsider: sizes are capped before parsing, and what does not follow the format is an error.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from azure_storage.errors import MarkerMalformedError

COMPLETE: Final = ".complete"
FAILED: Final = ".failed"
MANIFEST_FOLDER: Final = ".manifest"

MARKER_MAX_BYTES: Final = 16 * 1024
PAGE_MAX_BYTES: Final = 4 * 1024 * 1024
MANIFEST_PAGE_ENTRIES: Final = 5000
MAX_PAGES: Final = 99_999

Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Crc64Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Identifier = Annotated[str, Field(max_length=512)]


class _WireModel(BaseModel):
    """camelCase on the wire, unknown members ignored, no coercion from other JSON types."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True, frozen=True, strict=True
    )

    def to_bytes(self) -> bytes:
        """The JSON text as UTF-8 on one line, without null members."""
        return self.model_dump_json(exclude_none=True).encode()


class ManifestEntry(_WireModel):
    """One object that was transferred.

    Attributes:
        name: object name relative to the transfer's place.
        size_bytes: its size.
        etag_source: the source object's ETag, which was held for the whole transfer.
        sha256: digest of the content, lower-case hex; there unless the service copied the bytes by itself.
        crc64: Azure's CRC64 of the content, lower-case hex.
        assurance: `computed`: the digests were computed from the bytes that passed through the data plane;
            `service-reported`: the CRC64 is what the service reported of a copy of its own.
    """

    name: str = Field(min_length=1, max_length=1024)
    size_bytes: int = Field(ge=0)
    etag_source: str = Field(max_length=128)
    sha256: Sha256Hex | None = None
    crc64: Crc64Hex | None = None
    assurance: Literal["computed", "service-reported"] = "computed"

    @model_validator(mode="after")
    def _has_the_digest_that_it_claims(self) -> "ManifestEntry":
        claimed = self.sha256 if self.assurance == "computed" else self.crc64
        if claimed is None:
            raise ValueError("the digest that the assurance speaks of is missing")
        return self


class CompleteMarker(_WireModel):
    """`.complete`: everything is there, and the manifest says what.

    Attributes:
        nonce: the transfer's nonce, chosen by the consumer; proves that the writer serves this transfer.
        process_id: the consumer's transfer process.
        agreement_id: the agreement under which the data was transferred.
        object_count: objects in the manifest.
        bytes_total: sum of their sizes.
        pages: number of manifest pages.
        manifest_sha256: `manifest_digest` over the pages.
    """

    version: Literal[1] = 1
    nonce: Identifier
    process_id: Identifier
    agreement_id: Identifier
    object_count: int = Field(ge=0)
    bytes_total: int = Field(ge=0)
    pages: int = Field(ge=0, le=MAX_PAGES)
    manifest_sha256: Sha256Hex


class FailedMarker(_WireModel):
    """`.failed`: the transfer ended without success; `message` holds no URL and no secret."""

    version: Literal[1] = 1
    nonce: Identifier
    process_id: Identifier
    code: str = Field(max_length=128)
    object_name: str | None = Field(default=None, max_length=2048)
    retryable: bool = False
    message: str = Field(max_length=4096)


def manifest_page_name(number: int) -> str:
    """Name of a page, counted from 1, relative to the transfer's place: `.manifest/00001.ndjson`."""
    return f"{MANIFEST_FOLDER}/{number:05d}.ndjson"


def manifest_digest(page_digests: Iterable[bytes]) -> str:
    """SHA-256 (lower-case hex) over the 32-byte SHA-256 digests of the pages' bytes, joined in page order.

    Without pages it is the SHA-256 of nothing.
    """
    return hashlib.sha256(b"".join(page_digests)).hexdigest()


class ManifestPageBuilder:
    """Packs entries into pages of at most MANIFEST_PAGE_ENTRIES lines and PAGE_MAX_BYTES bytes."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = 0

    def add(self, entry: ManifestEntry) -> bytes | None:
        """Take the entry; returns the page before it, when that one is full."""
        line = entry.to_bytes() + b"\n"
        full = len(self._lines) >= MANIFEST_PAGE_ENTRIES or self._size + len(line) > PAGE_MAX_BYTES
        page = self.finish() if full else None
        self._lines.append(line)
        self._size += len(line)
        return page

    def finish(self) -> bytes | None:
        """The last page, or None when nothing is left; the builder is empty afterwards."""
        page = b"".join(self._lines)
        self._lines, self._size = [], 0
        return page or None


def parse_manifest_page(content: bytes, *, number: int) -> list[ManifestEntry]:
    """The entries of a page.

    Raises:
        MarkerMalformedError: too large, too many lines, or a line that is not an entry.
    """
    name = manifest_page_name(number)
    _check_size(name, content, PAGE_MAX_BYTES)
    lines = content.splitlines()
    if len(lines) > MANIFEST_PAGE_ENTRIES:
        raise MarkerMalformedError(name=name, problem=f"it has more than {MANIFEST_PAGE_ENTRIES} lines")
    return [_parsed(ManifestEntry, f"{name} line {at}", line) for at, line in enumerate(lines, start=1)]


def parse_complete_marker(content: bytes) -> CompleteMarker:
    """Read `.complete`.

    Raises:
        MarkerMalformedError: too large, or not in this format.
    """
    _check_size(COMPLETE, content, MARKER_MAX_BYTES)
    return _parsed(CompleteMarker, COMPLETE, content)


def parse_failed_marker(content: bytes) -> FailedMarker:
    """Read `.failed`.

    Raises:
        MarkerMalformedError: too large, or not in this format.
    """
    _check_size(FAILED, content, MARKER_MAX_BYTES)
    return _parsed(FailedMarker, FAILED, content)


def _check_size(name: str, content: bytes, limit: int) -> None:
    if len(content) > limit:
        raise MarkerMalformedError(name=name, problem=f"it is larger than {limit} bytes")


_Model = TypeVar("_Model", bound=_WireModel)


def _parsed(model: type[_Model], name: str, content: bytes) -> _Model:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise MarkerMalformedError(name=name, problem=f"{where}: {first['msg']}") from None
