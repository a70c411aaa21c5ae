"""PlacementWalk: goes through the staging container's listing and places what it shows, receipts last."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final

from azure_storage.containers import Tags
from azure_storage.listed_object import ListedObject, ListedPage
from azure_storage.markers import COMPLETE, MANIFEST_FOLDER, is_marker
from azure_storage.object_names import destination_name
from azure_storage.placement_record import (
    PLACEMENT,
    PLACEMENT_PAGE_LINES,
    PlacementEntry,
    PlacementRecord,
    placement_page,
    placement_page_name,
)
from connector_spi.errors import ConnectorError, PermanentError
from control_plane.adapters.existing_container import folder_taken
from control_plane.adapters.placement_slice import Outcome, PlacementSlice, Result
from control_plane.adapters.staged_receipt import StagedReceipt
from control_plane.domain.placement import IfExists, PlacementPosition, PlacementStage
from control_plane.ports.placement import DestinationFolderTakenError, DestinationObjectsExistError

AT_ONCE: Final = 100
"""Objects between two positions; how many requests are under way is the relocator's to say."""
_NAMED: Final = 5


@dataclass(slots=True)
class PlacementWalk:
    """One slice's way through the listing. `position` only counts what is on record (`save_record`) once that is saved.

    Raises, in every method: see `DestinationPlacement.place`.
    """

    work: PlacementSlice
    process_id: str
    position: PlacementPosition
    receipt: StagedReceipt
    with_tags: bool
    _page: ListedPage | None = None
    _elsewhere: list[PlacementEntry] = field(default_factory=list)
    """What was skipped or renamed and is not on record."""

    async def check_folder(self) -> None:
        """Check that no other transfer has left its receipt in the folder."""
        found = await self.work.target.receipt()
        if found is not None and not self.work.is_ours(found):
            raise self._taken(found.name)

    async def step(self) -> bool:
        """Place a few objects more; False when there is no time left, or nothing to do."""
        if self.position.stage is PlacementStage.END or not self.work.may_go_on():
            return False
        if len(self._elsewhere) + AT_ONCE > PLACEMENT_PAGE_LINES:
            await self.save_record()
        page = await self._listed()
        objects = [found for found in page.objects if self._is_of_stage(found)]
        some = objects[self.position.in_page : self.position.in_page + AT_ONCE]
        is_data = self.position.stage is PlacementStage.OBJECTS
        if is_data:
            self._check_names(some)
            self.receipt.check_objects(some)
        found = await self.work.place_all(some, self.work.if_exists if is_data else IfExists.REFUSE)
        outcomes = [outcome for outcome in found if isinstance(outcome, Outcome)]
        self._refuse_taken(outcomes, is_data=is_data)
        done = list(takewhile(_is_done, _before_error(found)))
        if is_data:
            self._count(done)
        under_way = sum(_bytes_there(outcome) for outcome in outcomes) - sum(_bytes_there(outcome) for outcome in done)
        self.position = replace(self.position, in_page=self.position.in_page + len(done), bytes_under_way=under_way)
        _raise_worst(found)
        if self.position.in_page >= len(objects):
            await self._turn_page(page)
        return True

    async def save_record(self) -> None:
        """Write down what was skipped or renamed; a repetition writes the same page again."""
        if not self._elsewhere:
            return
        number = self.position.records + 1
        name = placement_page_name(number)
        if not await self.work.put_record(name, placement_page(self._elsewhere)):
            raise self._taken(name)
        self.position = replace(self.position, records=number)
        self._elsewhere = []

    async def _listed(self) -> ListedPage:
        if self._page is None:
            place = self.work.staging
            prefix = place.root + (f"{MANIFEST_FOLDER}/" if self.position.stage is PlacementStage.MANIFEST else "")
            pages = place.storage.list_pages(
                place.account,
                place.container,
                prefix=prefix,
                continuation=self.position.continuation,
                key_name=place.key_name,
                tags=Tags.IF_PERMITTED if self.with_tags else Tags.LEAVE_OUT,
            )
            self._page = await anext(pages)
            if self.position.stage is PlacementStage.MANIFEST:
                # After the listing: what is placed is what was listed, for its ETags are conditions.
                await self.receipt.check_pages()
        return self._page

    def _is_of_stage(self, found: ListedObject) -> bool:
        name = found.name.removeprefix(self.work.staging.root)
        if self.position.stage is PlacementStage.OBJECTS:
            return not is_marker(name)
        return self.receipt.is_page(name)

    def _check_names(self, objects: Sequence[ListedObject]) -> None:
        """Check that the names may be written in the client's container: a provider chose them."""
        for found in objects:
            destination_name(self.work.target.folder, found.name.removeprefix(self.work.staging.root))

    def _count(self, outcomes: list[Outcome]) -> None:
        root, position = self.work.staging.root, self.position
        sizes = {result: sum(o.source.size_bytes for o in outcomes if o.result is result) for result in Result}
        counts = {result: sum(o.result is result for o in outcomes) for result in Result}
        self.position = replace(
            position,
            placed=position.placed + counts[Result.PLACED],
            renamed=position.renamed + counts[Result.RENAMED],
            skipped=position.skipped + counts[Result.SKIPPED],
            bytes_placed=position.bytes_placed + sizes[Result.PLACED] + sizes[Result.RENAMED],
            bytes_done=position.bytes_done + sum(sizes.values()),
        )
        self._elsewhere += [
            PlacementEntry(name=o.source.name.removeprefix(root), placed_as=o.placed_as)
            for o in outcomes
            if o.result in {Result.RENAMED, Result.SKIPPED}
        ]

    def _refuse_taken(self, outcomes: list[Outcome], *, is_data: bool) -> None:
        root = self.work.staging.root
        taken = [o.source.name.removeprefix(root) for o in outcomes if o.result is Result.TAKEN]
        if taken and not is_data:
            raise self._taken(taken[0])
        if taken:
            named = ", ".join(repr(name) for name in taken[:_NAMED]) + (", ..." if len(taken) > _NAMED else "")
            target = self.work.target
            raise DestinationObjectsExistError(
                f"In {target.account}/{target.container}/{target.folder} there are objects of these names already: "
                f'{named}. Nothing was overwritten. Name another folderName, or ifExists "skip" or "rename".'
            )

    async def _turn_page(self, page: ListedPage) -> None:
        """To the next page or stage; nothing has moved if that fails, for counts must never be made twice."""
        stage = self.position.stage
        if page.next_continuation is None and stage is PlacementStage.OBJECTS:
            await self.receipt.check_counts(self.position)
            await self.save_record()
            stage = PlacementStage.MANIFEST
        elif page.next_continuation is None:
            if not await self._finish():
                return
            stage = PlacementStage.END
        self._page = None
        self.position = replace(self.position, stage=stage, continuation=page.next_continuation, in_page=0)

    async def _finish(self) -> bool:
        """The record's root, then `.complete`, which a provider that writes no receipts has not left."""
        position = self.position
        record = PlacementRecord(
            process_id=self.process_id,
            placed_by=self.work.mark,
            if_exists=self.work.if_exists.value,
            objects=position.placed,
            renamed=position.renamed,
            skipped=position.skipped,
            pages=position.records,
        )
        if not await self.work.put_record(PLACEMENT, record.to_bytes()):
            raise self._taken(PLACEMENT)
        complete = await self.work.staging.find(COMPLETE)
        await self.receipt.check_complete()
        if complete is None:
            return True
        found = await self.work.place_all([complete], IfExists.REFUSE)
        _raise_worst(found)
        outcomes = [outcome for outcome in found if isinstance(outcome, Outcome)]
        self._refuse_taken(outcomes, is_data=False)
        return all(_is_done(outcome) for outcome in outcomes)

    def _taken(self, name: str) -> DestinationFolderTakenError:
        target = self.work.target
        return folder_taken(target.account, target.container, target.folder, name)


def _is_done(outcome: Outcome) -> bool:
    return outcome.result is not Result.UNFINISHED


def _before_error(found: Sequence[Outcome | ConnectorError]) -> Iterator[Outcome]:
    """The position is a number of objects, so what is done behind one that failed is done again."""
    for outcome in found:
        if isinstance(outcome, ConnectorError):
            return
        yield outcome


def _raise_worst(found: Sequence[Outcome | ConnectorError]) -> None:
    """What no repetition mends comes first.

    Raises:
        TransientError, PermanentError: the first of its kind.
    """
    errors = [outcome for outcome in found if isinstance(outcome, ConnectorError)]
    worst = next((error for error in errors if isinstance(error, PermanentError)), errors[0] if errors else None)
    if worst is not None:
        raise worst


def _bytes_there(outcome: Outcome) -> int:
    done = outcome.result in {Result.PLACED, Result.RENAMED}
    return outcome.source.size_bytes if done else outcome.bytes_there
