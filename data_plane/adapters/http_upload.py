"""Upload: one HTTP request whose body is fed block by block.

The last byte is kept back until `finish`: a server has the whole object, and may show it, only then.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final

from data_plane.domain.errors import StagedBlocksLostError
from data_plane.domain.object_copy import Block

_PIECE_BYTES: Final = 256 * 1024
"""The transport copies what the socket does not take at once, so a block goes out in pieces."""

Send = Callable[[AsyncIterator[memoryview]], Awaitable[None]]
"""Sends the request with this body; returns when the server has answered that it took it."""


class Upload:
    """Fed by one task at a time. `abort` closes the connection."""

    def __init__(self, send: Send, *, nonce: str, size: int) -> None:
        self.nonce = nonce
        self.next_index = 0
        self._left = size
        self._last = b""
        self._blocks: asyncio.Queue[tuple[memoryview, asyncio.Future[None]] | None] = asyncio.Queue()
        self._answer = asyncio.ensure_future(send(self._body()))

    @property
    def is_whole(self) -> bool:
        """Whether every byte was fed."""
        return self._left == 0

    async def feed(self, data: Block) -> None:
        """Send the next block; returns when the connection has taken it.

        Raises:
            StagedBlocksLostError: the server answered before it had everything, or more came than was announced.
            PermanentError, TransientError: what the server answered instead of reading on.
        """
        self.next_index += 1
        self._left -= len(data)
        if self._left < 0:
            raise StagedBlocksLostError("More bytes came than the object has.")
        view = memoryview(data)
        if self._left == 0:
            view, self._last = view[:-1], bytes(view[-1:])
        await self._sent(view)

    async def finish(self) -> None:
        """Send the last byte and wait for the answer.

        Raises:
            PermanentError, TransientError: what the server answered, or that it did not.
        """
        if self._last:
            await self._sent(memoryview(self._last))
        self._blocks.put_nowait(None)
        await self._answer

    async def abort(self) -> None:
        """Close the connection; what the server has so far is no whole object."""
        self._answer.cancel()
        with suppress(Exception, asyncio.CancelledError):
            await self._answer

    async def _sent(self, view: memoryview) -> None:
        taken = asyncio.get_running_loop().create_future()
        self._blocks.put_nowait((view, taken))
        await asyncio.wait({self._answer, taken}, return_when=asyncio.FIRST_COMPLETED)
        if not taken.done():
            self._answer.result()
            raise StagedBlocksLostError("The server answered before it had the whole object.")

    async def _body(self) -> AsyncIterator[memoryview]:
        while block := await self._blocks.get():
            view, taken = block
            async for piece in pieces(view):
                yield piece
            if not taken.done():
                taken.set_result(None)


async def pieces(data: Block | memoryview) -> AsyncIterator[memoryview]:
    """The bytes in the portions in which they are handed to the connection."""
    view = memoryview(data)
    for at in range(0, len(view), _PIECE_BYTES):
        yield view[at : at + _PIECE_BYTES]
