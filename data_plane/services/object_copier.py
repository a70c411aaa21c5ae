"""ObjectCopier: one object from source to destination, published whole or not at all.

An object whose reading failed is never committed. What a crash left in the middle is gone on with.
"""

import logging
from dataclasses import dataclass, replace
from typing import Final, Literal

from connector_spi.errors import PermanentError
from data_plane.domain.errors import (
    BlocksLostRepeatedlyError,
    CopyUnavailableError,
    SourceObjectChangedError,
    StagedBlocksLostError,
)
from data_plane.domain.object_copy import CopyMode, CopyStatus, ObjectCopy
from data_plane.services.copy_context import CopyContext
from data_plane.services.copy_route import CopyRoute
from data_plane.services.staged_copy import StagedCopy
from data_plane.services.whole_copy import WholeCopy, is_whole

_log = logging.getLogger(__name__)

_MAX_SENDINGS: Final = 3
"""How often an object is sent whole, when the destination loses its blocks or the source changes."""


@dataclass(frozen=True, slots=True)
class ObjectCopier:
    """Copies the objects of one flow."""

    context: CopyContext
    route: CopyRoute
    on_source_change: Literal["fail", "restart"]

    async def published(self, copy: ObjectCopy) -> ObjectCopy:
        """Publish the object; returns what is to be recorded of it.

        Raises:
            PermanentError: the object cannot be copied.
            LeaseLostError: another worker has the flow.
        """
        for _ in range(_MAX_SENDINGS):
            try:
                return await self._published(copy)
            except StagedBlocksLostError:
                copy = replace(copy, status=CopyStatus.PLANNED, block_nonce="", block_count=0)
            except SourceObjectChangedError:
                if self.on_source_change == "fail":
                    raise
                copy = await self._in_new_version(copy)
        raise BlocksLostRepeatedlyError(
            f"The object {copy.source.name!r} was begun {_MAX_SENDINGS} times; its source or its blocks at the "
            "destination change all the time."
        )

    async def _published(self, copy: ObjectCopy) -> ObjectCopy:
        """The record that says PUBLISHED, not written yet.

        Raises:
            StagedBlocksLostError: it has to be sent again.
        """
        if copy.status is CopyStatus.COMMITTING and copy.block_count:
            self.context.meter.resumed(copy.source.size)
            return await self._committed(copy, again=True)
        if copy.source.size == 0:
            return await WholeCopy(self.context).streamed(copy)
        mode = await self.route.mode_for(copy)
        if is_whole(copy.source.size, mode) and not copy.block_nonce:
            if mode is CopyMode.STREAMED:
                return await WholeCopy(self.context).streamed(copy)
            # Without a digest of the source's own, a lost answer would leave nothing to verify the object by.
            if self.route.has_one_call and copy.source.content_md5:
                try:
                    return await WholeCopy(self.context).server_side(copy)
                except CopyUnavailableError:
                    self.route.has_one_call = False
        return await self._committed(await StagedCopy(self.context).staged(copy, mode), again=False)

    async def record(self, published: ObjectCopy) -> None:
        """Make it durable that the object is published.

        Raises:
            LeaseLostError: another worker has the flow.
        """
        await self.context.retried(lambda: self.context.journal.record(published))
        self.context.meter.published()

    async def _committed(self, staged: ObjectCopy, *, again: bool) -> ObjectCopy:
        unknown_outcome = again

        def outcome_is_unknown() -> None:
            nonlocal unknown_outcome
            unknown_outcome = True

        try:
            await self.context.request(
                lambda: self.context.sink.commit(staged, again=unknown_outcome), on_error=outcome_is_unknown
            )
        except StagedBlocksLostError:
            self.context.meter.unstaged(staged.source.size)
            raise
        return replace(staged, status=CopyStatus.PUBLISHED)

    async def _in_new_version(self, copy: ObjectCopy) -> ObjectCopy:
        """The plan of the object as it is now; what was staged of the old version is never committed."""
        now = await self.context.request(lambda: self.context.source.current(copy.source))
        if now.etag == copy.source.etag:
            raise PermanentError(f"The source says that {copy.source.name!r} has changed, and that it has not.")
        _log.info("a source object has changed and is copied in its new version", extra={"object": copy.source.name})
        self.context.meter.resized(copy.source.size, now.size)
        planned = ObjectCopy(copy.flow_id, copy.sequence, now, copy.destination_name)
        # As before every first sending, the journal says that its outcome may be unknown; this run knows better.
        noted = replace(planned, status=CopyStatus.COMMITTING)
        await self.context.retried(lambda: self.context.journal.record(noted))
        return planned
