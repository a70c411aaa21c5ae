"""What a transfer that was moved into somebody's container is called there, as its placement record tells."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from azure_storage.markers import CompleteMarker
from azure_storage.placement_record import (
    PLACEMENT,
    PLACEMENT_PAGE_MAX_BYTES,
    PLACEMENT_ROOT_MAX_BYTES,
    PlacementRecord,
    parse_placement_page,
    parse_placement_record,
    placement_page_name,
)
from azure_storage.receipt_errors import ManifestPageMissingError, ReceiptForeignError
from azure_storage.receipt_place import PlacedObject, ReceiptPlace
from connector_cli.verification.readable_place import ReadablePlace


@dataclass(frozen=True, slots=True)
class PlacedNames:
    """Empty for a transfer that stayed where the provider wrote it. The names themselves are in memory.

    Attributes:
        record: the record's root, or None.
        skipped: names that were left out, because somebody else's object has them.
        placed_as: other name of each object that was renamed.
    """

    record: PlacementRecord | None = None
    skipped: frozenset[str] = frozenset()
    placed_as: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    async def of(cls, place: ReceiptPlace, marker: CompleteMarker) -> Self:
        """Read the record beside the manifest.

        Raises:
            MarkerMalformedError, BlobTooLargeError: it is not in its format.
            ReceiptForeignError: it is that of another transfer.
            ManifestPageMissingError: a page of it is missing.
        """
        content = await place.read(PLACEMENT, max_bytes=PLACEMENT_ROOT_MAX_BYTES)
        if content is None:
            return cls()
        record = parse_placement_record(content)
        if record.process_id != marker.process_id:
            raise ReceiptForeignError(f"{PLACEMENT} belongs to another transfer: it names another process.")
        skipped: set[str] = set()
        placed_as: dict[str, str] = {}
        for number in range(1, record.pages + 1):
            name = placement_page_name(number)
            page = await place.read(name, max_bytes=PLACEMENT_PAGE_MAX_BYTES)
            if page is None:
                raise ManifestPageMissingError(f"The page {name} of the placement record is missing.")
            for entry in parse_placement_page(page, number=number):
                if entry.placed_as is None:
                    skipped.add(entry.name)
                else:
                    placed_as[entry.name] = entry.placed_as
        return cls(record, frozenset(skipped), placed_as)


class PlacedPlace:
    """A place as the manifest speaks of it: under the names there, and without what is not the transfer's."""

    def __init__(self, place: ReadablePlace, names: PlacedNames, record: PlacementRecord) -> None:
        self._place = place
        self._names = names
        self._mark = record.placed_by
        self._originals = {other: name for name, other in names.placed_as.items()}

    async def read(self, name: str, *, max_bytes: int) -> bytes | None:
        """See `ReceiptPlace.read`."""
        return await self._place.read(name, max_bytes=max_bytes)

    async def objects(self) -> AsyncIterator[PlacedObject]:
        """See `ReceiptPlace.objects`. A directory does not know whose a file is; only a storage service does."""
        async for found in self._place.objects():
            if found.etag and found.placed_by != self._mark:
                continue
            if found.name in self._originals:
                yield replace(found, name=self._originals[found.name])
            elif found.name not in self._names.placed_as and found.name not in self._names.skipped:
                yield found

    def content(self, found: PlacedObject) -> AsyncIterator[bytes | bytearray]:
        """See `ReadablePlace.content`."""
        return self._place.content(replace(found, name=self._names.placed_as.get(found.name, found.name)))


def as_delivered(place: ReadablePlace, names: PlacedNames) -> ReadablePlace:
    """The place with the names of the manifest."""
    return place if names.record is None else PlacedPlace(place, names, names.record)
