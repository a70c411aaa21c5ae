"""PlacementSlice: places single objects of one transfer, for a few seconds, under the rule that the client chose."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Final

from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import BlobAlreadyExistsError, BlobLeasedError
from azure_storage.folder_contents import FolderContents
from azure_storage.listed_object import ListedObject
from azure_storage.object_names import destination_name
from azure_storage.placement_record import PLACED_AS_METADATA, PLACED_BY_METADATA, mark_of, name_digest
from azure_storage.relocation import Move, Relocator
from azure_storage.sas import SasToken, SignedUrl
from connector_spi.errors import ConnectorError
from control_plane.domain.placement import IfExists

PLACED_FROM_METADATA: Final = "placedfrom"
"""Metadata of what was placed: a digest of the name in the staging container, for renaming may exchange names."""
_OTHER_NAMES: Final = 20
_SHOWN_OF_NONCE: Final = 8


class Result(Enum):
    """What became of an object."""

    PLACED = "placed"
    RENAMED = "renamed"
    SKIPPED = "skipped"
    TAKEN = "taken"
    """The name is somebody else's, and the rule has no way around that."""
    UNFINISHED = "unfinished"
    """It is not there yet, or not whole."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one object. `bytes_there`: how much of one that is not whole is there."""

    source: ListedObject
    result: Result
    placed_as: str | None = None
    bytes_there: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementSlice:
    """Everything that the placing of one object needs.

    Attributes:
        staging, target: the same folder in this side's container and in the client's.
        mark: what says of a blob that this transfer placed it.
        nonce: 32 characters that are the same in every slice of this transfer, and in no other.
        read, write: signatures for this side's own requests.
        ends_at: `time.monotonic()` after which nothing more is begun.
    """

    staging: FolderContents
    target: FolderContents
    mark: str
    nonce: str
    if_exists: IfExists
    endpoints: StorageEndpoints
    relocator: Relocator
    read: SasToken = field(repr=False)
    write: SasToken = field(repr=False)
    ends_at: float

    def may_go_on(self) -> bool:
        """Whether there is time left."""
        return time.monotonic() < self.ends_at

    def is_ours(self, found: ListedObject, name: str | None = None) -> bool:
        """Whether this transfer placed it; with a name: as the object of that name in the staging container."""
        return mark_of(found.metadata, found.name.removeprefix(self.target.root)) == self.mark and (
            name is None or found.metadata.get(PLACED_FROM_METADATA) == name_digest(name)
        )

    async def place_all(self, sources: Sequence[ListedObject], rule: IfExists) -> list[Outcome | ConnectorError]:
        """Place some objects at the same time; what became of each, in their order."""
        async with asyncio.TaskGroup() as placements:
            tasks = [placements.create_task(self._caught(source, rule)) for source in sources]
        return [task.result() for task in tasks]

    async def put_record(self, name: str, content: bytes) -> bool:
        """Write a page of this side's own, again if need be; False when the name is somebody else's."""
        url, metadata = self._target_url(name), self._marks(name, name)
        try:
            await self.relocator.put_own(url, content, overwrite=False, metadata=metadata)
        except BlobAlreadyExistsError:
            found = await self.target.find(name)
            if found is None or not self.is_ours(found, name):
                return False
            await self.relocator.put_own(url, content, overwrite=True, metadata=metadata)
        return True

    async def _caught(self, source: ListedObject, rule: IfExists) -> Outcome | ConnectorError:
        try:
            return await self._place(source, rule)
        except ConnectorError as error:
            return error

    async def _place(self, source: ListedObject, rule: IfExists) -> Outcome:
        name = source.name.removeprefix(self.staging.root)
        outcome = await self._try(source, name, name)
        if outcome.result is not Result.TAKEN or rule is IfExists.REFUSE:
            return outcome
        if rule is IfExists.SKIP:
            return Outcome(source, Result.SKIPPED)
        for other in other_names(name, self.nonce):
            destination_name(self.target.folder, other)  # refuses one that is too long
            outcome = await self._try(source, name, other)
            if outcome.result is Result.PLACED:
                return Outcome(source, Result.RENAMED, placed_as=other)
            if outcome.result is not Result.TAKEN:
                break
        return outcome

    async def _try(self, source: ListedObject, name: str, wanted: str) -> Outcome:
        """Place it under the wanted name, unless that is taken; what an earlier attempt placed is found again."""
        if not self.may_go_on():
            return Outcome(source, Result.UNFINISHED)
        if self.relocator.is_long(source):
            found = await self.target.find(wanted)
            if found is not None:
                return self._there(source, name, found)
        try:
            there = await self.relocator.relocate(self._move(source, name, wanted))
        except (BlobAlreadyExistsError, BlobLeasedError):
            found = await self.target.find(wanted)
            return self._there(source, name, found) if found else Outcome(source, Result.UNFINISHED)
        if there is None:
            return Outcome(source, Result.PLACED)
        return Outcome(source, Result.UNFINISHED, bytes_there=there)

    def _there(self, source: ListedObject, name: str, found: ListedObject) -> Outcome:
        return Outcome(source, Result.PLACED if self.is_ours(found, name) else Result.TAKEN)

    def _move(self, source: ListedObject, name: str, wanted: str) -> Move:
        url = self.endpoints.blob_url(self.staging.account, self.staging.container, source.name)
        target = self.target
        whole = self.target.root + wanted
        return Move(
            source=source,
            source_url=self.read.applied_to(url),
            target_url=self._target_url(wanted),
            metadata=self._marks(name, wanted),
            # Blocks of another source, or of an older version of this one, are not taken for blocks of this move.
            nonce=name_digest(f"{self.nonce} {name} {source.etag}"),
            staged=partial(
                target.storage.blobs.staged_blocks, target.account, target.container, whole, key_name=target.key_name
            ),
            may_go_on=self.may_go_on,
        )

    def _target_url(self, name: str) -> SignedUrl:
        whole = self.target.root + name
        return self.write.applied_to(self.endpoints.blob_url(self.target.account, self.target.container, whole))

    def _marks(self, name: str, wanted: str) -> Mapping[str, str]:
        return {
            PLACED_BY_METADATA: self.mark,
            PLACED_FROM_METADATA: name_digest(name),
            PLACED_AS_METADATA: name_digest(wanted),
        }


def other_names(name: str, nonce: str) -> Iterator[str]:
    """Names for an object whose own is taken, always the same ones: `a/b.csv` becomes `a/b.1f9c02d4.csv`."""
    folder, slash, last = name.rpartition("/")
    stem, dot, extension = last.rpartition(".")
    if not stem:
        stem, dot, extension = last, "", ""
    for number in range(1, _OTHER_NAMES + 1):
        addition = nonce[:_SHOWN_OF_NONCE] + (f"-{number}" if number > 1 else "")
        yield f"{folder}{slash}{stem}.{addition}{dot}{extension}"
