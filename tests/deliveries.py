"""What a data plane leaves of a transfer, written by its own code to wherever a test wants it."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from azure_storage.crc64 import crc64_of
from data_plane.adapters.marker_writer import WriteBlob, write_complete
from data_plane.adapters.receipt_signer import ReceiptSigner
from data_plane.domain.object_copy import CopyStatus, ObjectCopy, SourceObject
from tests.unit.data_plane.fakes import a_data_flow

PROVIDER: Final = "did:web:them"


def published(name: str, content: bytes, sequence: int = 1) -> ObjectCopy:
    """The record of an object that passed through the data plane."""
    return ObjectCopy(
        flow_id="flow-1",
        sequence=sequence,
        source=SourceObject(name, len(content), '"0x1"', content_type="text/plain"),
        destination_name=name,
        status=CopyStatus.PUBLISHED,
        sha256=hashlib.sha256(content).hexdigest(),
        crc64=crc64_of(content),
    )


async def deliver(contents: Mapping[str, bytes], write: WriteBlob, *, signer: ReceiptSigner | None) -> None:
    """Write the contents, then the manifest and `.complete`."""
    for name, content in contents.items():
        await write(name, content, "text/plain")
    await write_receipt(contents, write, signer=signer)


async def write_receipt(contents: Mapping[str, bytes], write: WriteBlob, *, signer: ReceiptSigner | None) -> None:
    """Write the manifest and `.complete` of these contents, whatever is there."""

    async def copies() -> AsyncIterator[ObjectCopy]:
        for sequence, (name, content) in enumerate(contents.items(), start=1):
            yield published(name, content, sequence)

    await write_complete(a_data_flow(participant_id=PROVIDER), copies(), write, signer=signer)
