"""A body in chunks (RFC 9112, section 7.1)."""

import re
from collections.abc import Callable
from typing import Final

from azure_storage.http_head import HttpError
from azure_storage.http_store import Store

_MAX_LINE: Final = 1024
_MAX_TRAILERS: Final = 8 * 1024
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")


class ChunkedBody:
    """Implements `Body`. Trailers are read and dropped."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.is_complete = False
        self._pending = bytearray()
        self._in_chunk = 0
        self._step: Callable[[ChunkedBody], bool] = ChunkedBody._size
        self._trailer_bytes = 0

    def window(self) -> memoryview | None:
        """None: the sizes between the chunks have to be looked at."""
        return None

    def advance(self, count: int) -> None:
        """Never called, as there is no window."""
        raise NotImplementedError

    def feed(self, data: memoryview) -> None:
        """Take bytes of it."""
        self._pending += data
        while not self.is_complete and self._step(self):
            pass
        if self.is_complete and self._pending and not self.store.is_cut:
            raise HttpError("more came than the answer")

    def end(self) -> None:
        """It has not ended before the connection."""
        raise HttpError("the answer broke off")

    def _size(self) -> bool:
        """Read the line before a chunk; False when more bytes are needed."""
        line = self._line()
        if line is None:
            return False
        stated = _CHUNK_SIZE.fullmatch(line)
        if stated is None:
            raise HttpError("a malformed answer: the size of a chunk")
        self._in_chunk = int(stated[1], 16)
        self._step = ChunkedBody._data if self._in_chunk else ChunkedBody._trailer
        return True

    def _data(self) -> bool:
        if not self._pending:
            return False
        with memoryview(self._pending) as pending, pending[: self._in_chunk] as data:
            self.store.add(data)
            count = data.nbytes
        del self._pending[:count]
        self._in_chunk -= count
        self.is_complete = self.store.is_cut
        if not self._in_chunk:
            self._step = ChunkedBody._chunk_end
        return True

    def _chunk_end(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            raise HttpError("a malformed answer: the end of a chunk")
        self._step = ChunkedBody._size
        return True

    def _trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self._trailer_bytes += len(line)
        if self._trailer_bytes > _MAX_TRAILERS:
            raise HttpError("a malformed answer: its trailers")
        if not line:
            self.store.check_complete()
            self.is_complete = True
        return True

    def _line(self) -> bytes | None:
        """The next whole line, without its end."""
        end = self._pending.find(b"\r\n")
        if (end if end >= 0 else len(self._pending)) > _MAX_LINE:
            raise HttpError("a malformed answer: a line of a chunked body")
        if end < 0:
            return None
        line = bytes(self._pending[:end])
        del self._pending[: end + 2]
        return line
