"""A request and its answer, as the callers of the byte path see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from azure_storage.http_head import Headers, request_head

_OK: Final = 200
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Request:
    """What is asked, and what is done with the answer. It holds a signature, so its repr shows nothing.

    The body of an answer with the expected status goes into `into`, which it has to fill exactly, if that is given.
    """

    method: str
    target: str
    host: str
    headers: Mapping[str, str]
    body: memoryview | None = None
    expected_status: int = _OK
    into: memoryview | None = None

    def head(self) -> bytes:
        """The bytes before the body. Raises as `request_head` does."""
        length = self.body.nbytes if self.body is not None else None if self.method in _WITHOUT_BODY else 0
        return request_head(self.method, self.target, self.host, self.headers, length=length)

    def asks_for_body(self, status: int) -> bool:
        """Whether the body of an answer with this status is what is asked for, rather than an explanation."""
        return status == self.expected_status and (self.method == "GET" or self.into is not None)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `body` is empty when it went into the caller's buffer; one not asked for may be cut."""

    status: int
    headers: Headers
    body: bytes
