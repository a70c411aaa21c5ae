"""Which bytes of an object a request asks for (RFC 9110, sections 13 and 14)."""

import re
from dataclasses import dataclass
from typing import Final

from connector_spi.errors import PermanentError

_ONE_RANGE: Final = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`length` bytes from `start`."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """The header of that name."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


class UnsatisfiableRangeError(PermanentError):
    """The range begins behind the end of the object."""

    code = "UnsatisfiableRange"
    cause = "the range that was asked for begins behind the end of the object"
    remedy = "Ask for the size first (HEAD), and for bytes below it."

    def __init__(self, *, size: int) -> None:
        super().__init__(f"The object has {size} bytes; the range begins behind them.")


def requested_range(header: str | None, if_range: str | None, *, etag: str, size: int) -> ByteRange | None:
    """The part that is asked for; None for all of it.

    A header that is malformed, asks for several parts, or was made for another version (`If-Range`) asks for all.

    Raises:
        UnsatisfiableRangeError: the object has no such part.
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None or (if_range is not None and (if_range != etag or etag.startswith("W/"))):
        return None
    first, last = match.groups()
    if not first:
        return _suffix(last, size)
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise UnsatisfiableRangeError(size=size)
    return ByteRange(start, end - start + 1)


def _suffix(last: str, size: int) -> ByteRange | None:
    if not last:
        return None
    length = min(int(last), size)
    if length == 0:
        raise UnsatisfiableRangeError(size=size)
    return ByteRange(size - length, length)
