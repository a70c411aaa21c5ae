"""CopyRoute: whether the bytes of a flow pass through this data plane; decided once, by trying."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from data_plane.domain.errors import CopySourceSilentError, CopyUnavailableError
from data_plane.domain.object_copy import MEBIBYTE, CopyMode, ObjectCopy
from data_plane.services.copy_context import CopyContext

_log = logging.getLogger(__name__)

_NONCE_BYTES: Final = 8
_TRIED_BYTES: Final = MEBIBYTE
_ATTEMPTS: Final = 3


class CopyRoute:
    """The mode of one flow.

    `wanted`: the mode that the operator forces, or None. `decided`: what was decided before a restart. `keep` makes
    the decision durable before anything is sent, because the blocks of the two modes differ.
    """

    def __init__(
        self,
        context: CopyContext,
        *,
        wanted: CopyMode | None,
        decided: CopyMode | None,
        keep: Callable[[CopyMode], Awaitable[None]],
    ) -> None:
        self._context = context
        self._wanted = wanted
        self._mode = decided
        self._keep = keep
        self._turn = asyncio.Lock()
        self.has_one_call = True
        """Whether the destination's service has a call that fetches and publishes a whole object."""

    async def mode_for(self, copy: ObjectCopy) -> CopyMode:
        """The mode; the first object that comes is the one to try with.

        Raises:
            CopyUnavailableError: server-side copying is forced and cannot work.
            PermanentError: source or destination refused.
        """
        async with self._turn:
            if self._mode is None:
                mode = await self._decided(copy)
                await self._keep(mode)
                self._mode = mode
            return self._mode

    async def _decided(self, copy: ObjectCopy) -> CopyMode:
        if self._wanted is CopyMode.STREAMED:
            return CopyMode.STREAMED
        try:
            await self._try(copy)
        except CopyUnavailableError as error:
            if self._wanted is CopyMode.SERVER_SIDE:
                raise
            _log.info("the flow is streamed", extra={"reason": error.message})
            return CopyMode.STREAMED
        return CopyMode.SERVER_SIDE

    async def _try(self, copy: ObjectCopy) -> None:
        """Have the service fetch the beginning of this object, as a block that is never committed."""
        sink = self._context.sink
        length = min(copy.source.size, _TRIED_BYTES)
        without_digest = replace(copy.source, content_md5=None)
        trial = replace(copy, source=without_digest, block_nonce=secrets.token_hex(_NONCE_BYTES))

        async def attempt() -> int | None:
            return await self._context.granted(copy.source, lambda grant: sink.copy_block(trial, 0, grant, 0, length))

        fetch = _with_patience(attempt)
        if await self._context.request(fetch) is None:
            raise CopyUnavailableError("The destination's service reports no checksum of what it copies.")


def _with_patience(attempt: Callable[[], Awaitable[int | None]]) -> Callable[[], Awaitable[int | None]]:
    """An attempt that stops to be transient when the service has not reached the source for some times."""
    silent = 0

    async def patient() -> int | None:
        nonlocal silent
        try:
            return await attempt()
        except CopySourceSilentError as error:
            silent += 1
            if silent < _ATTEMPTS:
                raise
            raise CopyUnavailableError(error.message) from error

    return patient
