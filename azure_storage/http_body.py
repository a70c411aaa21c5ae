"""The body of an answer: where it ends (RFC 9112, section 6)."""

from typing import Final, Protocol

from azure_storage.http_chunks import ChunkedBody
from azure_storage.http_head import AnswerHead, HttpError
from azure_storage.http_store import Store

_NO_BODY: Final = frozenset({204, 304})


class Body(Protocol):
    """A body on its way in."""

    store: Store
    is_complete: bool

    def window(self) -> memoryview | None:
        """Where the next bytes go directly; None when they have to be looked at first (`feed`)."""

    def advance(self, count: int) -> None:
        """So many bytes were received into the window."""

    def feed(self, data: memoryview) -> None:
        """Take bytes that were received elsewhere. Raises HttpError when they are not of a well-formed body."""

    def end(self) -> None:
        """The connection ended. Raises HttpError when the body did not end before."""


def body_of(head: AnswerHead, method: str, store: Store) -> Body:
    """The body that follows this head in the answer to a request with this method.

    Raises:
        HttpError: its stated length is not the one that has to come.
    """
    if method == "HEAD" or head.status in _NO_BODY:
        return _SizedBody(store, 0)
    if head.is_chunked:
        return ChunkedBody(store)
    return _UnsizedBody(store) if head.length is None else _SizedBody(store, head.length)


class _SizedBody:
    def __init__(self, store: Store, length: int) -> None:
        self.store = store
        self._rest = store.announced(length)
        self.is_complete = not self._rest.nbytes

    def window(self) -> memoryview | None:
        return self._rest

    def advance(self, count: int) -> None:
        self._rest = self._rest[count:]
        self.store.advanced(count)
        self.is_complete = not self._rest.nbytes

    def feed(self, data: memoryview) -> None:
        if data.nbytes > self._rest.nbytes and not self.store.is_cut:
            raise HttpError("more came than the answer")
        data = data[: self._rest.nbytes]
        self._rest[: data.nbytes] = data
        self.advance(data.nbytes)

    def end(self) -> None:
        raise HttpError(f"{self._rest.nbytes} bytes of the answer did not come")


class _UnsizedBody:
    """It ends with the connection."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.is_complete = False

    def window(self) -> memoryview | None:
        return None

    def advance(self, count: int) -> None:
        raise NotImplementedError

    def feed(self, data: memoryview) -> None:
        self.store.add(data)
        self.is_complete = self.store.is_cut

    def end(self) -> None:
        self.store.check_complete()
        self.is_complete = True
