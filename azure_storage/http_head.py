"""The heads of HTTP/1.1 messages (RFC 9112): the request's as bytes, the answer's as values.

What the grammar leaves to the receiver's kindness (folded lines, bare line feeds, two different lengths) is refused:
two readers that understand such a head differently would see different messages.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from connector_spi.errors import InvalidInputError, TransientError

MAX_HEADERS: Final = 128
_STATUS_LINE: Final = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELDS: Final = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\0\r\n]*\r\n)*")
_TARGET: Final = re.compile(r"/[!-~]*")
_HOST: Final = re.compile(r"[!-~]+")
_UNFIT_FOR_VALUE: Final = re.compile(r"[\0\r\n]|[^\0-\xff]")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")


class HttpError(TransientError):
    """There is no complete, well-formed answer. Its text holds nothing that was sent."""

    code = "HttpAnswerIncomplete"
    cause = "there is no complete, well-formed answer of HTTP"
    remedy = (
        "It is tried again. When it lasts, see what stands between: a proxy, a load balancer, or a port that speaks "
        "something else (http for https)."
    )


class Headers(Mapping[str, str]):
    """Names and values of an answer, looked up without regard to case; values of equal names are joined by commas."""

    __slots__ = ("_by_name",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._by_name: dict[str, tuple[str, str]] = {}
        for name, value in pairs:
            key = name.lower()
            before = self._by_name.get(key)
            self._by_name[key] = (name, value) if before is None else (before[0], f"{before[1]}, {value}")

    def __getitem__(self, name: str) -> str:
        return self._by_name[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """What an answer says before its body.

    `length` is None when none is stated; `is_chunked` and a length exclude each other.
    """

    status: int
    headers: Headers
    keeps_alive: bool
    length: int | None
    is_chunked: bool


def request_head(method: str, target: str, host: str, headers: Mapping[str, str], *, length: int | None) -> bytes:
    """The bytes that precede a request's body of `length` bytes; None: it has none.

    Raises:
        InvalidInputError: a header's value cannot be sent. The value itself is not shown.
        ValueError: target or host are not percent-encoded.
    """
    if not _TARGET.fullmatch(target) or not _HOST.fullmatch(host):
        raise ValueError("The URL of a request is not percent-encoded.")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _UNFIT_FOR_VALUE.search(value):
            remedy = "Use characters of Latin-1 without line breaks."
            raise InvalidInputError(field=name, value="...", problem="cannot be sent as a header", remedy=remedy)
        lines.append(f"{name}: {value}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer_head(raw: bytes | bytearray) -> AnswerHead:
    """The head of an answer; `raw` without the empty line that ends it.

    Raises:
        HttpError: it is malformed, or has too many headers.
    """
    first, _, fields = raw.decode("latin-1").partition("\r\n")
    status_line = _STATUS_LINE.fullmatch(first)
    lines = fields.split("\r\n") if fields else []
    if status_line is None or len(lines) > MAX_HEADERS:
        raise HttpError("a malformed answer: its status line, or too many headers")
    if fields and not _FIELDS.fullmatch(fields + "\r\n"):
        raise HttpError("a malformed answer: a header")
    headers = Headers((name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines))
    length = _length(headers)
    return AnswerHead(
        status=int(status_line[2]),
        headers=headers,
        keeps_alive=status_line[1] == "1" and "close" not in _words(headers, "connection"),
        length=length,
        is_chunked=_is_chunked(headers, length),
    )


def _words(headers: Headers, name: str) -> set[str]:
    """What a header lists, in lower case."""
    return {word.strip(" \t").lower() for word in headers[name].split(",")} if name in headers else set()


def _length(headers: Headers) -> int | None:
    stated = _words(headers, "content-length")
    if not stated:
        return None
    value = stated.pop()
    if stated or not _LENGTH.fullmatch(value):
        raise HttpError("a malformed answer: Content-Length")
    return int(value)


def _is_chunked(headers: Headers, length: int | None) -> bool:
    coding = headers.get("transfer-encoding")
    if coding is not None and (coding.lower() != "chunked" or length is not None):
        raise HttpError("a malformed answer: Transfer-Encoding")
    return coding is not None
