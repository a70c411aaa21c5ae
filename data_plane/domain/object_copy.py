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
MIN_BLOCK_SIZE: Final = 8 * MEBIBYTE
MAX_BLOCK_SIZE: Final = 4000 * MEBIBYTE


class CopyStatus(StrEnum):
    """How far one object is."""

    PLANNED = "PLANNED"
    """Listed and checked, pinned by its ETag."""
    COMMITTING = "COMMITTING"
    """All blocks staged; the commit was sent or is about to be, its outcome is not known."""
    PUBLISHED = "PUBLISHED"
    """The destination acknowledged the commit."""


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
    sha256: str = ""
    """Hex digest of the whole object; known once every block was read."""


def block_size_for(size: int) -> int:
    """Bytes per block: 8 MiB, and for objects too large for 50,000 such blocks the next whole MiB that fits.

    Raises:
        ValueError: no block size fits (above 190.7 TiB).
    """
    fitting = -(-size // MAX_BLOCKS)
    rounded = -(-fitting // MEBIBYTE) * MEBIBYTE
    if rounded > MAX_BLOCK_SIZE:
        raise ValueError(f"An object of {size} bytes does not fit into {MAX_BLOCKS} blocks.")
    return min(max(MIN_BLOCK_SIZE, rounded), max(size, 1))


def block_ranges(size: int) -> Iterator[tuple[int, int, int]]:
    """(index, offset, length) of each block, in order; none for an empty object."""
    step = block_size_for(size)
    for index, offset in enumerate(range(0, size, step)):
        yield index, offset, min(step, size - offset)
