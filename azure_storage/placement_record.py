"""The placement record: what was left out or renamed when a transfer was moved into a container with other objects.

It stands beside the manifest: `.manifest/placement.json`, and `.manifest/placement/00001.ndjson` and so on, one line
for each object that is not under its own name. The manifest stays as the provider signed it. The record is not signed:
whoever owns the container wrote it.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from azure_storage.errors import MarkerMalformedError
from azure_storage.markers import MANIFEST_FOLDER, MAX_PAGES, Identifier
from azure_storage.metadata import percent_encoded
from azure_storage.wire_model import WireModel, check_size, parsed

PLACEMENT: Final = f"{MANIFEST_FOLDER}/placement.json"
PLACED_BY_METADATA: Final = "placedby"
"""Metadata of every object that was placed: which transfer placed it (`placed_by`)."""
PLACED_AS_METADATA: Final = "placedas"
"""Metadata, too: digest of the name in the folder that it was placed under, for a copy keeps the metadata."""
PLACEMENT_PAGE_LINES: Final = 1000
PLACEMENT_PAGE_MAX_BYTES: Final = 16 * 1024 * 1024
PLACEMENT_ROOT_MAX_BYTES: Final = 64 * 1024

ObjectName = Annotated[str, Field(min_length=1, max_length=1024)]


class PlacementRecord(WireModel):
    """The root.

    Attributes:
        process_id: the transfer.
        placed_by: the mark of its objects; those without it in the same folder are not the transfer's.
        if_exists: what was chosen.
        objects: objects under their own names.
        renamed: objects under other names.
        skipped: objects that were left out.
        pages: number of pages.
    """

    version: Literal[1] = 1
    process_id: Identifier
    placed_by: Annotated[str, Field(min_length=1, max_length=2048)]
    if_exists: Literal["refuse", "skip", "rename"]
    objects: int = Field(ge=0)
    renamed: int = Field(ge=0)
    skipped: int = Field(ge=0)
    pages: int = Field(ge=0, le=MAX_PAGES)


class PlacementEntry(WireModel):
    """One object that is not under its own name. `placed_as`: the other name; None: it was left out."""

    name: ObjectName
    placed_as: ObjectName | None = None


def placed_by(process_id: str, nonce: str) -> str:
    """The mark: process ids are a client's choice, the nonce is not."""
    return percent_encoded(f"{process_id} {nonce}")


def mark_of(metadata: Mapping[str, str], name: str) -> str:
    """The mark of the transfer that placed the blob under this name of the folder; empty: none did."""
    is_copy = metadata.get(PLACED_AS_METADATA) != name_digest(name)
    return "" if is_copy else metadata.get(PLACED_BY_METADATA, "")


def name_digest(name: str) -> str:
    """What stands for a name in metadata: short, and ASCII."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def placement_page_name(number: int) -> str:
    """Name of a page, counted from 1, relative to the transfer's place."""
    return f"{MANIFEST_FOLDER}/placement/{number:05d}.ndjson"


def placement_page(entries: list[PlacementEntry]) -> bytes:
    """A page of at most PLACEMENT_PAGE_LINES entries."""
    return b"".join(entry.to_bytes() + b"\n" for entry in entries)


def parse_placement_record(content: bytes) -> PlacementRecord:
    """Read the root.

    Raises:
        MarkerMalformedError: too large, or not in this format.
    """
    check_size(PLACEMENT, content, PLACEMENT_ROOT_MAX_BYTES)
    return parsed(PlacementRecord, PLACEMENT, content)


def parse_placement_page(content: bytes, *, number: int) -> list[PlacementEntry]:
    """The entries of a page.

    Raises:
        MarkerMalformedError: too large, too many lines, or a line that is not an entry.
    """
    name = placement_page_name(number)
    check_size(name, content, PLACEMENT_PAGE_MAX_BYTES)
    lines = content.splitlines()
    if len(lines) > PLACEMENT_PAGE_LINES:
        raise MarkerMalformedError(name=name, problem=f"it has more than {PLACEMENT_PAGE_LINES} lines")
    return [parsed(PlacementEntry, f"{name} line {at}", line) for at, line in enumerate(lines, start=1)]
