"""Placement: how the data of a transfer comes into a container that the client has already."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

ACCESS: Final = "access"
IF_EXISTS: Final = "ifExists"
"""Properties of a destination in which a client says how its own container is used."""


class DestinationAccess(StrEnum):
    """What the provider may write into, and whose it is."""

    MANAGED = "managed"
    """A container that this side makes for the transfer: the data stays there."""
    STAGING = "staging"
    """A private container that this side makes beside the client's; what arrived is moved into the client's."""
    DIRECTORY = "directory"
    """The transfer's own folder in the client's container, and nothing else in it."""
    CONTAINER = "container"
    """The client's whole container, because the client says so."""

    @property
    def is_made_here(self) -> bool:
        """Whether the container that the provider writes into is this side's own work, and goes with the transfer."""
        return self in {DestinationAccess.MANAGED, DestinationAccess.STAGING}


class IfExists(StrEnum):
    """What happens to an object whose name is taken in the client's folder. Nothing is ever overwritten."""

    REFUSE = "refuse"
    """The transfer ends; what it had placed is taken back."""
    SKIP = "skip"
    """The client's object stays, the transfer's is left out."""
    RENAME = "rename"
    """The transfer's object gets another name."""


class PlacementStage(StrEnum):
    """What is being placed. Receipts come last, so that a folder with `.complete` is whole."""

    OBJECTS = "objects"
    MANIFEST = "manifest"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementPosition:
    """How far a placement is. What comes after it may have been placed as well: repeating that does no harm."""

    stage: PlacementStage = PlacementStage.OBJECTS
    continuation: str | None = None
    """The page of the staging container's listing; None: the first."""
    in_page: int = 0
    """Objects of that page that are done."""
    placed: int = 0
    """Objects under their own names."""
    renamed: int = 0
    skipped: int = 0
    bytes_placed: int = 0
    bytes_done: int = 0
    """The skipped ones counted in."""
    bytes_under_way: int = 0
    """Of objects that are not whole yet."""
    records: int = 0
    """Pages of the record of what was skipped or renamed."""

    @property
    def objects_done(self) -> int:
        """Objects that need no more work."""
        return self.placed + self.renamed + self.skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """How far taking back is."""

    is_done: bool
    continuation: str | None = None
    """The page of the client's folder from which it goes on; None: the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedReceipt:
    """What the receipt in the staging container said when it was checked. The provider may write there after that."""

    manifest_sha256: str
    pages: int
    object_count: int
    bytes_total: int
    newest_at: datetime | None = None
    """When the last of the objects was written, by the storage service's clock; None: there were none."""

    @property
    def document(self) -> dict[str, Any]:
        """Its parts, as rows and inbox notes hold them."""
        return {**asdict(self), "newest_at": self.newest_at and self.newest_at.isoformat()}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """From its parts."""
        newest_at = document["newest_at"]
        return cls(**{**document, "newest_at": newest_at and datetime.fromisoformat(newest_at)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the client wants the data."""

    container: str
    """The client's; the folder is the same as in the staging container."""
    if_exists: IfExists = IfExists.REFUSE
    position: PlacementPosition | None = field(default=None)
    """None: the evidence that everything is in the staging container has not been seen."""
    receipt: CheckedReceipt | None = None
    """None: not checked yet, or the provider writes none."""
    taken_back_to: str | None = None
    """While it is taken back: the page of the client's folder from which that goes on; None: the first."""
