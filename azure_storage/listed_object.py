"""ListedObject: what is known of a blob without reading it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from azure.storage.blob import BlobProperties

DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"
_DIRECTORY_STUB: Final = "hdi_isfolder"


@dataclass(frozen=True, slots=True)
class ListedObject:
    """A blob.

    Attributes:
        name: full blob name.
        size_bytes: length of the content.
        etag: in double quotes, as `If-Match` takes it.
        content_type: media type.
        metadata: as the service holds it (see `metadata.percent_decoded` for what we wrote ourselves).
        last_modified: UTC.
        content_encoding: such as `gzip`, or None.
        content_md5: 16 bytes that the blob's writer stored, which the service may never have checked; or None.
        tags: index tags; None when they were not asked for, or not permitted.
    """

    name: str
    size_bytes: int
    etag: str
    content_type: str
    metadata: Mapping[str, str]
    last_modified: datetime
    content_encoding: str | None = None
    content_md5: bytes | None = None
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A part of a listing.

    Attributes:
        objects: the blobs, in the service's order; there may be none in a page that is not the last.
        next_continuation: where the next page begins, or None after the last page.
        tags_refused: why the tags are missing, when they were asked for and not permitted; else None.
    """

    objects: tuple[ListedObject, ...]
    next_continuation: str | None
    tags_refused: str | None = None


def listed_object(blob: BlobProperties, *, tags: Mapping[str, str] | None = None) -> ListedObject:
    """From the SDK's properties, listed or fetched (which differ in the quotes of the ETag)."""
    settings = blob.content_settings
    return ListedObject(
        name=blob.name,
        size_bytes=blob.size,
        etag='"' + str(blob.etag).strip('"') + '"',
        content_type=settings.content_type or DEFAULT_CONTENT_TYPE,
        metadata=dict(blob.metadata or {}),
        last_modified=blob.last_modified,
        content_encoding=settings.content_encoding or None,
        content_md5=bytes(settings.content_md5) if settings.content_md5 else None,
        tags=tags,
    )


def is_directory_stub(listed: ListedObject) -> bool:
    """Whether it is the empty blob that stands for a directory in an account with hierarchical namespace."""
    return any(name.lower() == _DIRECTORY_STUB for name in listed.metadata)
