"""Checks a receipt against what stands beside it: manifest pages, counts, and the listing of the place.

Nothing is held in memory as a whole: pages come one by one, and the listing goes into an `ObjectIndex`.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from azure_storage.manifest import (
    PAGE_MAX_BYTES,
    ManifestEntry,
    manifest_digest,
    manifest_page_name,
    parse_manifest_page,
)
from azure_storage.markers import COMPLETE, MARKER_MAX_BYTES, CompleteMarker, parse_complete_marker
from azure_storage.object_index import ObjectIndex
from azure_storage.receipt_errors import (
    ManifestAlteredError,
    ManifestCountsError,
    ManifestPageMissingError,
    ObjectDigestError,
    ObjectMissingError,
    ObjectSizeError,
    ObjectUnexpectedError,
    ReceiptRefusedError,
)
from azure_storage.receipt_place import PlacedObject, ReceiptPlace

_BATCH: Final = 2000


async def read_complete(place: ReceiptPlace) -> CompleteMarker | None:
    """`.complete`, or None when there is none.

    Raises:
        MarkerMalformedError, BlobTooLargeError: it is not in its format.
    """
    content = await place.read(COMPLETE, max_bytes=MARKER_MAX_BYTES)
    return None if content is None else parse_complete_marker(content)


async def manifest_pages(place: ReceiptPlace, marker: CompleteMarker) -> AsyncIterator[Sequence[ManifestEntry]]:
    """The entries, page by page. Only after the last page is it known that they are those of the marker.

    Raises:
        ManifestPageMissingError, ManifestAlteredError, ManifestCountsError, MarkerMalformedError, BlobTooLargeError:
            they are not.
    """
    digests: list[bytes] = []
    objects = size = 0
    for number in range(1, marker.pages + 1):
        page = await place.read(manifest_page_name(number), max_bytes=PAGE_MAX_BYTES)
        if page is None:
            raise ManifestPageMissingError(f"The manifest page {manifest_page_name(number)} is missing.")
        digests.append(hashlib.sha256(page).digest())
        entries = parse_manifest_page(page, number=number)
        objects, size = objects + len(entries), size + sum(entry.size_bytes for entry in entries)
        if objects > marker.object_count or size > marker.bytes_total:
            break
        yield entries
    if not hmac.compare_digest(manifest_digest(digests), marker.manifest_sha256):
        raise ManifestAlteredError("The manifest is not the one that the marker names.")
    if (objects, size) != (marker.object_count, marker.bytes_total):
        raise ManifestCountsError(
            f"The manifest lists {objects} objects of {size} bytes, and the marker says {marker.object_count} of "
            f"{marker.bytes_total}."
        )


async def index_objects(place: ReceiptPlace, index: ObjectIndex) -> datetime | None:
    """Put the whole listing into the index; when its newest object was written, where the place knows that.

    Raises:
        TransientError, PermanentError: the place cannot be listed.
    """
    batch: list[PlacedObject] = []
    newest: datetime | None = None
    async for found in place.objects():
        batch.append(found)
        if found.written_at is not None:
            newest = max(newest or found.written_at, found.written_at)
        if len(batch) == _BATCH:
            await asyncio.to_thread(index.add, batch)
            batch = []
    await asyncio.to_thread(index.add, batch)
    return newest


def difference(entry: ManifestEntry, found: PlacedObject | None) -> ReceiptRefusedError | None:
    """What is wrong with an object as far as the listing tells; None when nothing is."""
    if found is None:
        return ObjectMissingError(f"The object {entry.name!r} of the manifest is missing, or listed twice in it.")
    if found.size_bytes != entry.size_bytes:
        return ObjectSizeError(
            f"The object {entry.name!r} has {found.size_bytes} bytes, and the manifest says {entry.size_bytes}."
        )
    # A storage service knows the MD5 of what was published with one; a folder on a disk, without versions, knows none.
    if entry.md5 and found.etag and (found.content_md5 or b"").hex() != entry.md5:
        return ObjectDigestError(f"The object {entry.name!r} has another MD5 than the manifest says, or none.")
    return None


def unexpected(found: PlacedObject) -> ReceiptRefusedError:
    """The reason of an object that no manifest speaks of."""
    return ObjectUnexpectedError(f"The object {found.name!r} is there, and the manifest does not list it.")


async def check_objects(place: ReceiptPlace, marker: CompleteMarker) -> datetime | None:
    """Check that the place holds exactly what the manifest lists: names, sizes, and MD5s where both sides tell one.

    Returns:
        When the newest of the objects was written: whatever is newer has not been checked.

    Raises:
        ReceiptRefusedError: the leaf of the first reason found; a manifest that is not the marker's comes first.
        MarkerMalformedError, BlobTooLargeError: the manifest is not in its format.
    """
    with ObjectIndex() as index:
        newest = await index_objects(place, index)
        reason: ReceiptRefusedError | None = None
        async for entries in manifest_pages(place, marker):
            reason = reason or await asyncio.to_thread(_first_difference, entries, index)
        reason = reason or next((unexpected(found) for found in index.rest()), None)
        if reason is not None:
            raise reason
        return newest


def _first_difference(entries: Sequence[ManifestEntry], index: ObjectIndex) -> ReceiptRefusedError | None:
    taken = index.take([entry.name for entry in entries])
    found = (difference(entry, placed) for entry, placed in zip(entries, taken, strict=True))
    return next((reason for reason in found if reason is not None), None)
