"""StagedReceipt: whether the staging container still holds what its receipt was checked for.

Its provider's signature may be revoked late, or not at all (an identity's). So nothing there is believed twice.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from azure_storage.folder_contents import FolderContents
from azure_storage.listed_object import ListedObject
from azure_storage.manifest import PAGE_MAX_BYTES, manifest_digest, manifest_page_name
from azure_storage.markers import COMPLETE, CompleteMarker
from azure_storage.placement_record import placed_by
from azure_storage.receipt_check import read_complete
from azure_storage.receipt_place import StoragePlace
from control_plane.domain.placement import CheckedReceipt, PlacementPosition
from control_plane.ports.placement import StagingAlteredError

_PAGE: Final = re.compile(r"\.manifest/(\d{5})\.ndjson")


@dataclass(frozen=True, slots=True)
class StagedReceipt:
    """`checked`: what was seen; None: nothing was, for this provider writes no receipts. `mark`: of the transfer.

    Every method raises StagingAlteredError, and what reading raises.
    """

    staging: FolderContents
    checked: CheckedReceipt | None
    mark: str

    def is_page(self, name: str) -> bool:
        """Whether it is one of the receipt's manifest pages; anything else of that kind is the provider's alone."""
        page = _PAGE.fullmatch(name)
        return page is not None and (self.checked is None or 1 <= int(page[1]) <= self.checked.pages)

    def check_objects(self, objects: Sequence[ListedObject]) -> None:
        """Check that none was written after the check; their number and sizes are for `check_counts`."""
        if self.checked is None:
            return
        for found in objects:
            if self.checked.newest_at is None or found.last_modified > self.checked.newest_at:
                name = found.name.removeprefix(self.staging.root)
                raise self._altered(f"the object {name!r} was written after its receipt had been checked")

    async def check_counts(self, done: PlacementPosition) -> None:
        """Compare what was found with what the receipt counts."""
        counted = self.checked or await self._complete()
        if counted is not None and (counted.object_count, counted.bytes_total) != (done.objects_done, done.bytes_done):
            raise self._altered(
                f"it holds {done.objects_done} objects of {done.bytes_done} bytes, and its receipt counts "
                f"{counted.object_count} of {counted.bytes_total}"
            )

    async def check_pages(self) -> None:
        """Check that the manifest pages are those of the receipt; a provider's retry may have written them again."""
        if self.checked is None:
            return
        digests = []
        for number in range(1, self.checked.pages + 1):
            page = await self._place.read(manifest_page_name(number), max_bytes=PAGE_MAX_BYTES)
            digests.append(hashlib.sha256(page or b"").digest())
        if manifest_digest(digests) != self.checked.manifest_sha256:
            raise self._altered("its manifest is another one than the one that was checked")

    async def check_complete(self) -> None:
        """Check that `.complete` says what it said; its signature may be a new one."""
        if self.checked is None:
            return
        seen, now = self.checked, await self._complete()
        if now is None or (
            (now.manifest_sha256, now.pages, now.object_count, now.bytes_total)
            != (seen.manifest_sha256, seen.pages, seen.object_count, seen.bytes_total)
            or placed_by(now.process_id, now.nonce) != self.mark
        ):
            raise self._altered(f"its {COMPLETE} is another one than the one that was checked")

    async def _complete(self) -> CompleteMarker | None:
        return await read_complete(self._place)

    @property
    def _place(self) -> StoragePlace:
        place = self.staging
        return StoragePlace(place.storage, place.account, place.container, folder=place.folder, key_name=place.key_name)

    def _altered(self, problem: str) -> StagingAlteredError:
        place = self.staging
        return StagingAlteredError(f"The staging container {place.account}/{place.container} was altered: {problem}.")
