"""The manifest: one line for each object that was transferred, in pages, so that a million stay flat in memory.

The pages are `.manifest/00001.ndjson` and so on; `.complete` names their number and the digest over them.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from azure_storage.errors import MarkerMalformedError
from azure_storage.markers import MANIFEST_FOLDER, Sha256Hex
from azure_storage.wire_model import WireModel, check_size, parsed

PAGE_MAX_BYTES: Final = 4 * 1024 * 1024
MANIFEST_PAGE_ENTRIES: Final = 5000

Crc64Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Md5Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
AssuranceName = Literal["computed", "service-reported", "source-md5"]


class ManifestEntry(WireModel):
    """One object that was transferred.

    Attributes:
        name: object name relative to the transfer's place.
        size_bytes: its size.
        etag_source: the source object's ETag, which was held for the whole transfer.
        content_type: media type that the object was published with.
        sha256: digest of the content, lower-case hex; there unless a service copied the bytes by itself.
        crc64: Azure's CRC64 of the content (`crc64.hex_crc64`).
        md5: of the content, for objects that were published with it as their Content-MD5.
        assurance: `computed`: the digests were computed from the bytes that passed through the data plane;
            `service-reported`: a CRC64, where there is one, is what the service reported of a copy of its own;
            `source-md5`: as before, and the service found the source's own MD5 in what it copied.
    """

    name: str = Field(min_length=1, max_length=1024)
    size_bytes: int = Field(ge=0)
    etag_source: str = Field(max_length=512)
    content_type: str | None = Field(default=None, max_length=1024)
    sha256: Sha256Hex | None = None
    crc64: Crc64Hex | None = None
    md5: Md5Hex | None = None
    assurance: AssuranceName = "computed"

    @model_validator(mode="after")
    def _has_the_digest_that_it_claims(self) -> Self:
        if (self.assurance == "computed" and not self.sha256) or (self.assurance == "source-md5" and not self.md5):
            raise ValueError("the digest that the assurance speaks of is missing")
        return self

    @property
    def has_digest(self) -> bool:
        """Whether the content can be compared with anything."""
        return bool(self.sha256 or self.crc64 or self.md5)


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
    check_size(name, content, PAGE_MAX_BYTES)
    lines = content.splitlines()
    if len(lines) > MANIFEST_PAGE_ENTRIES:
        raise MarkerMalformedError(name=name, problem=f"it has more than {MANIFEST_PAGE_ENTRIES} lines")
    return [parsed(ManifestEntry, f"{name} line {at}", line) for at, line in enumerate(lines, start=1)]
