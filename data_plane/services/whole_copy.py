"""Copies an object of at most one block in one call that sends and publishes it."""

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import Final

from awscrt import checksums

from data_plane.domain.errors import SourceDigestMismatchError
from data_plane.domain.object_copy import BLOCK_SIZES, Assurance, Block, CopyMode, CopyStatus, ObjectCopy
from data_plane.services.copy_context import CopyContext

_INLINE_BYTES: Final = 128 * 1024
"""Below this, a hop to a thread costs more than the hashing."""


def is_whole(size: int, mode: CopyMode) -> bool:
    """Whether an object of this size is published in one call."""
    return size <= BLOCK_SIZES[mode]


@dataclass(frozen=True, slots=True)
class WholeCopy:
    """One for each flow."""

    context: CopyContext

    async def streamed(self, copy: ObjectCopy) -> ObjectCopy:
        """Read and publish the object; returns the record that says so, not written yet.

        The journal has it as COMMITTING when an earlier call may have arrived.

        Raises:
            SourceDigestMismatchError: the bytes are not those of the source's own MD5.
            PermanentError: the object cannot be copied.
        """
        held = await self.context.budget.acquire(self.context.flow_id, copy.source.size)
        try:
            data = await self.context.request(lambda: self.context.source.read(copy.source, 0, copy.source.size))
            self.context.meter.received()
            sending = await _with_digests(copy, data)
            await self.context.bandwidth(len(data))
            published = await self._put(sending, data)
        finally:
            self.context.budget.release(held)
        self.context.meter.staged(copy.source.size)
        return published

    async def server_side(self, copy: ObjectCopy) -> ObjectCopy:
        """As `streamed`; the destination's service fetches the bytes.

        Raises:
            CopyUnavailableError: the service has no such call.
        """
        again = copy.status is CopyStatus.COMMITTING

        def outcome_is_unknown() -> None:
            nonlocal again
            again = True

        async def fetch() -> int | None:
            return await self.context.granted(
                copy.source, lambda grant: self.context.sink.copy_whole(copy, grant, again=again)
            )

        crc64 = await self.context.request(fetch, on_error=outcome_is_unknown)
        self.context.meter.staged(copy.source.size)
        return replace(
            copy,
            status=CopyStatus.PUBLISHED,
            crc64=crc64,
            md5=copy.source.content_md5.hex() if copy.source.content_md5 else "",
            assurance=Assurance.SOURCE_MD5 if copy.source.content_md5 else Assurance.SERVICE_REPORTED,
        )

    async def _put(self, copy: ObjectCopy, data: Block) -> ObjectCopy:
        again = copy.status is CopyStatus.COMMITTING

        def outcome_is_unknown() -> None:
            nonlocal again
            again = True

        await self.context.request(
            lambda: self.context.sink.put_whole(copy, data, again=again), on_error=outcome_is_unknown
        )
        return replace(copy, status=CopyStatus.PUBLISHED)


async def _with_digests(copy: ObjectCopy, data: Block) -> ObjectCopy:
    if len(data) <= _INLINE_BYTES:
        sha256, md5 = _digests(data)
    else:
        sha256, md5 = await asyncio.to_thread(_digests, data)
    if copy.source.content_md5 not in (None, md5):
        raise SourceDigestMismatchError(f"What was read of {copy.source.name!r} does not have the source's own MD5.")
    return replace(copy, sha256=sha256.hex(), md5=md5.hex(), crc64=checksums.crc64nvme(data))


def _digests(data: Block) -> tuple[bytes, bytes]:
    return hashlib.sha256(data).digest(), hashlib.md5(data, usedforsecurity=False).digest()
