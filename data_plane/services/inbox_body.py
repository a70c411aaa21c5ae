"""UploadBody: the body of an upload, cut into blocks, no more of it in memory than was asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from data_plane.domain.inbox_errors import LengthRequiredError, UploadIncompleteError, UploadTooSlowError


class UploadBody:
    """Read by one task, from the beginning to the end."""

    def __init__(self, chunks: AsyncIterator[bytes], *, block_seconds: float) -> None:
        """`block_seconds`: how long one block may take to arrive."""
        self._chunks = chunks
        self._block_seconds = block_seconds
        self._left = memoryview(b"")
        """Of the newest chunk, what belongs to the next block."""

    async def exactly(self, length: int) -> bytearray:
        """The next `length` bytes.

        Raises:
            UploadIncompleteError: the body ends before.
            UploadTooSlowError: they did not come in time.
        """
        block = bytearray()
        async with self._in_time():
            while len(block) < length and await self._has_more():
                part, self._left = self._left[: length - len(block)], self._left[length - len(block) :]
                block += part
        if len(block) < length:
            raise UploadIncompleteError("The body ended before its announced length.")
        return block

    async def rest(self, limit: int) -> bytearray:
        """All that comes, for bodies of unknown length.

        Raises:
            LengthRequiredError: it is more than `limit` bytes.
            UploadTooSlowError: it did not come in time.
        """
        block = bytearray()
        async with self._in_time():
            while await self._has_more():
                block += self._left
                self._left = memoryview(b"")
                if len(block) > limit:
                    raise LengthRequiredError(
                        f"A body of more than {limit} bytes has to announce its length. Send Content-Length."
                    )
        return block

    async def _has_more(self) -> bool:
        while not self._left:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return False
            self._left = memoryview(chunk)
        return True

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._block_seconds):
                yield
        except TimeoutError:
            raise UploadTooSlowError(f"No whole block arrived within {self._block_seconds:g} seconds.") from None
