"""ObjectStoragePlacement: moves what arrived in the staging container into the client's, and takes it back.

A slice ends after some seconds and says how far it came. What it did beyond that is found again by its marks: every
object that is placed names the transfer in its metadata, in the same atomic call that creates it.
"""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from typing import Final

from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AuthenticationFailedError,
    AuthorizationFailureError,
    ContainerNotFoundError,
    ListingPositionInvalidError,
    SasExpiredError,
)
from azure_storage.folder_contents import FolderContents
from azure_storage.listed_object import ListedObject
from azure_storage.markers import COMPLETE
from azure_storage.placement_record import mark_of, placed_by
from azure_storage.relocation import Relocator
from connector_spi.errors import ConnectorError, TransientError
from control_plane.adapters.object_storage_provisioner import NothingProvisionedError
from control_plane.adapters.placement_slice import PlacementSlice
from control_plane.adapters.placement_walk import PlacementWalk
from control_plane.adapters.staged_receipt import StagedReceipt
from control_plane.domain.placement import Placement, PlacementPosition, TakenBack
from control_plane.domain.transfer_process import ProvisionedResource, TransferProcess

_TOKEN_SECONDS: Final = 900.0
_DELETED_AT_ONCE: Final = 16
_REFUSED: Final = (AuthenticationFailedError, AuthorizationFailureError, SasExpiredError)


class ObjectStoragePlacement:
    """Implements `control_plane.ports.placement.DestinationPlacement`."""

    def __init__(
        self, storage: ObjectStorage, endpoints: StorageEndpoints, relocator: Relocator, *, with_tags: bool = False
    ) -> None:
        """`with_tags`: index tags are placed too; whoever opens the account must be allowed to set them."""
        self._storage = storage
        self._endpoints = endpoints
        self._relocator = relocator
        self._with_tags = with_tags

    async def place(self, process: TransferProcess, *, seconds: float) -> PlacementPosition:
        """See the port. A key that was rotated meanwhile is read anew, and what has expired is signed anew, once."""
        account, key_name = process.data_destination.get("account"), process.data_destination.get("keyName") or None
        try:
            return await self._place(process, seconds)
        except _REFUSED:
            self._storage.forget_key(account)
        try:
            return await self._place(process, seconds)
        except _REFUSED as error:
            raise self._storage.refused(account, key_name, error) from None

    async def take_back(self, process: TransferProcess, *, seconds: float) -> TakenBack:
        """See the port."""
        if process.placement is None or process.placement.position is None:
            return TakenBack(is_done=True)
        ends_at = time.monotonic() + seconds
        made, placement = _plan(process)
        target, mark = self._folder(process, made, placement.container), _mark(process)
        try:
            complete = await target.find(COMPLETE)
            if complete is not None and _has(mark, complete, target):
                return TakenBack(is_done=True)
            return await self._take_back(target, mark, placement.taken_back_to, ends_at)
        except ContainerNotFoundError:
            return TakenBack(is_done=True)
        except ListingPositionInvalidError:
            return TakenBack(is_done=False)

    async def _take_back(
        self, target: FolderContents, mark: str, continuation: str | None, ends_at: float
    ) -> TakenBack:
        listed = self._storage.list_pages(
            target.account, target.container, prefix=target.root, continuation=continuation, key_name=target.key_name
        )
        async for page in listed:
            ours = [found for found in page.objects if _has(mark, found, target)]
            for at in range(0, len(ours), _DELETED_AT_ONCE):
                if time.monotonic() >= ends_at:
                    return TakenBack(is_done=False, continuation=continuation)
                await self._delete(target, ours[at : at + _DELETED_AT_ONCE])
            continuation = page.next_continuation
            if continuation is not None and time.monotonic() >= ends_at:
                return TakenBack(is_done=False, continuation=continuation)
        return TakenBack(is_done=True)

    async def _place(self, process: TransferProcess, seconds: float) -> PlacementPosition:
        made, placement = _plan(process)
        start = placement.position or PlacementPosition()
        work = await self._slice(process, made, placement, seconds)
        receipt = StagedReceipt(work.staging, placement.receipt, work.mark)
        walk = PlacementWalk(work, process.id, start, receipt, self._with_tags)
        if start == PlacementPosition():
            await walk.check_folder()
        try:
            while await walk.step():
                pass
        except ListingPositionInvalidError:
            # From the first page again: what is placed is found by its marks.
            return PlacementPosition()
        except TransientError:
            if walk.position == start:
                raise
        await walk.save_record()
        return walk.position

    async def _slice(
        self, process: TransferProcess, made: ProvisionedResource, placement: Placement, seconds: float
    ) -> PlacementSlice:
        target = self._folder(process, made, placement.container)
        read = await self._storage.mint_read_sas(
            made.account, made.container, lifetime_seconds=_TOKEN_SECONDS, key_name=target.key_name
        )
        write = await self._storage.blobs.move_token(
            made.account,
            placement.container,
            lifetime_seconds=_TOKEN_SECONDS,
            with_tags=self._with_tags,
            key_name=target.key_name,
        )
        return PlacementSlice(
            staging=self._folder(process, made, made.container),
            target=target,
            mark=_mark(process),
            nonce=hashlib.sha256(_mark(process).encode()).hexdigest()[:32],
            if_exists=placement.if_exists,
            endpoints=self._endpoints,
            relocator=self._relocator,
            read=read,
            write=write,
            ends_at=time.monotonic() + seconds,
        )

    def _folder(self, process: TransferProcess, made: ProvisionedResource, container: str) -> FolderContents:
        key_name = process.data_destination.get("keyName") or None
        return FolderContents(self._storage, made.account, container, made.folder, key_name)

    async def _delete(self, target: FolderContents, ours: Sequence[ListedObject]) -> None:
        async def one(found: ListedObject) -> ConnectorError | None:
            try:
                await self._storage.blobs.delete_unchanged(
                    target.account, target.container, found.name, etag=found.etag, key_name=target.key_name
                )
            except ConnectorError as error:
                return error
            return None

        async with asyncio.TaskGroup() as deletions:
            tasks = [deletions.create_task(one(found)) for found in ours]
        if error := next((task.result() for task in tasks if task.result()), None):
            raise error


def _plan(process: TransferProcess) -> tuple[ProvisionedResource, Placement]:
    if process.provisioned is None or process.provisioned.placement is None:
        raise NothingProvisionedError(f"Transfer process {process.id} has nothing that is placed.")
    return process.provisioned, process.provisioned.placement


def _mark(process: TransferProcess) -> str:
    return placed_by(process.id, process.nonce)


def _has(mark: str, found: ListedObject, folder: FolderContents) -> bool:
    return mark_of(found.metadata, found.name.removeprefix(folder.root)) == mark
