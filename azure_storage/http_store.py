"""Where the bytes of an answer's body are put."""

from azure_storage.http_head import HttpError


class Store:
    """A given buffer, which has to be filled exactly, or a growing one with a limit.

    With `cut` what exceeds the limit is dropped instead of refused.
    """

    def __init__(self, into: memoryview | None, *, limit: int, cut: bool = False) -> None:
        self._into = into
        self._own = bytearray()
        self._limit = limit if into is None else into.nbytes
        self._cut = cut
        self._filled = 0
        self.is_cut = False

    @property
    def content(self) -> bytes:
        """What has come; nothing when it went into a given buffer."""
        return bytes(memoryview(self._own)[: self._filled])

    def announced(self, length: int) -> memoryview:
        """The place for a body of this length; a part of it when what exceeds the limit is dropped.

        Raises:
            HttpError: it is not the length that has to come.
        """
        if length > self._limit and not self._cut:
            raise HttpError(f"more than {self._limit} bytes came")
        if self._into is not None:
            if length < self._limit:
                raise HttpError(f"{length} of {self._limit} bytes came")
            return self._into
        self.is_cut = length > self._limit
        self._own = bytearray(min(length, self._limit))
        return memoryview(self._own)

    def advanced(self, count: int) -> None:
        """So many bytes have come into the place for the body."""
        self._filled += count

    def add(self, data: memoryview) -> None:
        """Keep bytes of a body whose length is not known.

        Raises:
            HttpError: they are too many.
        """
        room = self._limit - self._filled
        if data.nbytes > room and not self._cut:
            raise HttpError(f"more than {self._limit} bytes came")
        self.is_cut = self.is_cut or data.nbytes > room
        kept = data[:room]
        if self._into is not None:
            self._into[self._filled : self._filled + kept.nbytes] = kept
        else:
            self._own += kept
        self._filled += kept.nbytes

    def check_complete(self) -> None:
        """Raise HttpError when a given buffer is not full."""
        if self._into is not None and self._filled != self._limit:
            raise HttpError(f"{self._filled} of {self._limit} bytes came")
