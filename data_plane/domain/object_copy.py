"""ObjectCopy: the journal record of one object, and how an object is cut into blocks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

Block = bytes | bytearray
"""The bytes of one block; never changed once read."""

MEBIBYTE: Final = 1024 * 1024
MAX_BLOCKS: Final = 50_000
"""Blocks that one blob may have (Azure Blob Storage)."""
MAX_BLOCK_SIZE: Final = 4000 * MEBIBYTE


class CopyStatus(StrEnum):
    """How far one object is."""

    PLANNED = "PLANNED"
    """Listed and checked, pinned by its ETag; of a large one, some blocks may be staged."""
    COMMITTING = "COMMITTING"
    """The call that publishes was sent or is about to be; its outcome is not known."""
    PUBLISHED = "PUBLISHED"
    """The destination acknowledged the commit."""


class CopyMode(StrEnum):
    """How the bytes of a flow travel; decided once per flow."""

    STREAMED = "streamed"
    """Through this data plane."""
    SERVER_SIDE = "server-side"
    """From storage service to storage service."""


class Assurance(StrEnum):
    """What the digests of a copied object rest on."""

    COMPUTED = "computed"
    """Computed here from the bytes that passed through."""
    SERVICE_REPORTED = "service-reported"
    """The destination's service reported them of a copy of its own."""
    SOURCE_MD5 = "source-md5"
    """As before, and the service found the source's own MD5 in what it copied."""


BLOCK_SIZES: Final = {CopyMode.STREAMED: 8 * MEBIBYTE, CopyMode.SERVER_SIDE: 32 * MEBIBYTE}
"""Usual bytes per block. A block that a service copies takes no memory here; it is small enough to stop soon."""


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One object as the source lists it."""

    name: str
    size: int
    """Bytes."""
    etag: str
    """Pins the version: a read of another version is refused."""
    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    content_md5: bytes | None = None
    """The source's own MD5 of the whole object, where it has one."""


@dataclass(frozen=True, slots=True)
class StagedBlock:
    """One block that the destination has acknowledged."""

    index: int
    crc64: int | None
    """Of the block's bytes; None where the destination's technology tells none."""


@dataclass(frozen=True, slots=True)
class ObjectCopy:
    """The copy of one object within a flow."""

    flow_id: str
    sequence: int
    """Place in the plan, from 1."""
    source: SourceObject
    destination_name: str
    """Relative to the transfer's place (container or folder) at the destination."""
    status: CopyStatus = CopyStatus.PLANNED
    block_nonce: str = ""
    """Fixed-length prefix of the block ids of one attempt, so that two writers' blocks never mix."""
    block_count: int = 0
    """0: the object was, or will be, published in one call."""
    sha256: str = ""
    """Hex digest of the whole object; empty when its bytes did not pass through here."""
    crc64: int | None = None
    """Of the whole object."""
    md5: str = ""
    """Hex digest of the whole object, where it was published in one call: its service tells it to the reader too."""
    assurance: Assurance = Assurance.COMPUTED


def block_size_for(size: int, mode: CopyMode = CopyMode.STREAMED) -> int:
    """Bytes per block: 8 MiB (32 when copied server-side); for objects too large for 50,000 such, the next whole MiB.

    Raises:
        ValueError: no block size fits (above 190.7 TiB).
    """
    fitting = -(-size // MAX_BLOCKS)
    rounded = -(-fitting // MEBIBYTE) * MEBIBYTE
    if rounded > MAX_BLOCK_SIZE:
        raise ValueError(f"An object of {size} bytes does not fit into {MAX_BLOCKS} blocks.")
    return max(BLOCK_SIZES[mode], rounded)


def block_ranges(size: int, mode: CopyMode = CopyMode.STREAMED) -> Iterator[tuple[int, int, int]]:
    """(index, offset, length) of each block, in order; none for an empty object."""
    step = block_size_for(size, mode)
    for index, offset in enumerate(range(0, size, step)):
        yield index, offset, min(step, size - offset)
