"""A request body that is sent out of the buffer it lies in."""

from typing import Final

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

Buffer = bytes | bytearray | memoryview

_PIECE_BYTES: Final = 256 * 1024
"""The transport copies what the socket does not take at once, so a block goes out in pieces."""


class BlockBody(Payload):
    """Sends a buffer in pieces, without copying it as a whole; its length is known, so it is not sent chunked."""

    _autoclose = True

    def __init__(self, buffer: Buffer) -> None:
        super().__init__(buffer)
        self._view = memoryview(buffer).cast("B")
        self._size = self._view.nbytes

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text; the interface of the base class asks for it."""
        return bytes(self._view).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send all of it."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send at most `content_length` bytes, all when it is None."""
        end = self._view.nbytes if content_length is None else min(content_length, self._view.nbytes)
        for start in range(0, end, _PIECE_BYTES):
            await writer.write(self._view[start : min(start + _PIECE_BYTES, end)])
