"""The markers of a flow as the bytes that stand at the destination: manifest pages and `.complete`, or `.failed`.

The format is `azure_storage.markers` and `azure_storage.manifest`, whatever the destination's technology. Written again
after a crash, they say the same (a signature and its time differ, what they are about does not).
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from azure_storage.crc64 import hex_crc64
from azure_storage.manifest import ManifestEntry, ManifestPageBuilder, manifest_digest, manifest_page_name
from azure_storage.markers import COMPLETE, FAILED, CompleteMarker, FailedMarker
from connector_spi.log_context import redacted
from data_plane.adapters.receipt_signer import ReceiptSigner
from data_plane.domain.data_flow import DataFlow, DataFlowFailure
from data_plane.domain.object_copy import ObjectCopy

WriteBlob = Callable[[str, bytes, str], Awaitable[None]]
"""Writes name (relative to the transfer's place), content and content type."""

_JSON: Final = "application/json"
_NDJSON: Final = "application/x-ndjson"
_MESSAGE_LENGTH: Final = 2000
"""Characters of a failure's message; keeps `.failed` under the size that readers accept."""


async def write_complete(
    flow: DataFlow, published: AsyncIterator[ObjectCopy], write: WriteBlob, *, signer: ReceiptSigner | None = None
) -> None:
    """Write the manifest pages, then `.complete` as the very last object; without a signer it is not signed."""
    digests: list[bytes] = []
    objects = size = 0

    async def write_page(page: bytes | None) -> None:
        if page is not None:
            digests.append(hashlib.sha256(page).digest())
            await write(manifest_page_name(len(digests)), page, _NDJSON)

    builder = ManifestPageBuilder()
    async for copy in published:
        objects, size = objects + 1, size + copy.source.size
        await write_page(builder.add(_entry(copy)))
    await write_page(builder.finish())
    marker = CompleteMarker(
        nonce=flow.nonce,
        process_id=flow.marker_process_id,
        agreement_id=flow.agreement_id,
        object_count=objects,
        bytes_total=size,
        pages=len(digests),
        manifest_sha256=manifest_digest(digests),
    )
    if signer is not None:
        marker = await signer.signed(marker, participant_id=flow.participant_id)
    await write(COMPLETE, marker.to_bytes(), _JSON)


async def write_failed(
    flow: DataFlow, failure: DataFlowFailure, write: WriteBlob, *, signer: ReceiptSigner | None = None
) -> None:
    """Write `.failed`; without a signer it is not signed."""
    marker = FailedMarker(
        nonce=flow.nonce,
        process_id=flow.marker_process_id,
        code=failure.code,
        object_name=failure.object_name,
        retryable=failure.retryable,
        message=redacted(failure.message)[:_MESSAGE_LENGTH],
    )
    if signer is not None:
        marker = await signer.signed(marker, participant_id=flow.participant_id)
    await write(FAILED, marker.to_bytes(), _JSON)


def _entry(copy: ObjectCopy) -> ManifestEntry:
    return ManifestEntry(
        name=copy.destination_name,
        size_bytes=copy.source.size,
        etag_source=copy.source.etag,
        content_type=copy.source.content_type,
        sha256=copy.sha256 or None,
        crc64=None if copy.crc64 is None else hex_crc64(copy.crc64),
        md5=copy.md5 or None,
        assurance=copy.assurance.value,
    )
