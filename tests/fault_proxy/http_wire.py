"""HTTP/1.1 as the bytes on the wire: just enough to pass a message on unchanged, or to change one thing in it."""

import asyncio
from dataclasses import dataclass, replace

END_OF_HEAD = b"\r\n\r\n"
PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """First line and headers, as they came."""

    lines: tuple[str, ...]

    @classmethod
    def parsed(cls, raw: bytes) -> "Head":
        """The head in these bytes, which end in an empty line."""
        return cls(tuple(raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")))

    def encoded(self) -> bytes:
        """The bytes again."""
        return "\r\n".join((*self.lines, "", "")).encode("latin-1")

    def get(self, name: str) -> str | None:
        """A header's value."""
        for line in self.lines[1:]:
            found, _, value = line.partition(":")
            if found.lower() == name.lower():
                return value.strip()
        return None

    def without(self, name: str) -> "Head":
        """The head, without this header."""
        start = f"{name.lower()}:"
        return Head((self.lines[0], *(line for line in self.lines[1:] if not line.lower().startswith(start))))

    def having(self, name: str, value: str) -> "Head":
        """The head, with this header in the place of any other of its name."""
        return Head((*self.without(name).lines, f"{name}: {value}"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Its body is as long as the head says, unless a fault makes it otherwise."""

    head: Head
    body: bytes = b""

    @classmethod
    def of(cls, status: int, *, code: str = "", headers: tuple[str, ...] = ()) -> "Answer":
        """An answer of the storage service that refuses, with its error code."""
        named = (f"x-ms-error-code: {code}",) if code else ()
        return cls(Head((f"HTTP/1.1 {status} Refused", "Content-Length: 0", *named, *headers)))

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.head.lines[0].split(" ")[1])

    def having(self, name: str, value: str) -> "Answer":
        """The answer, with this header."""
        return replace(self, head=self.head.having(name, value))

    def encoded(self) -> bytes:
        """All of it."""
        return self.head.encoded() + self.body


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next message's head; None when the other side has closed."""
    try:
        return Head.parsed(await reader.readuntil(END_OF_HEAD))
    except asyncio.IncompleteReadError:
        return None


async def read_answer(reader: asyncio.StreamReader, *, bodiless: bool) -> Answer:
    """The next answer, whole; a chunked one is turned into one with a length.

    Raises:
        ConnectionResetError: there is none.
    """
    head = await read_head(reader)
    if head is None:
        raise ConnectionResetError("The server closed without an answer.")
    if head.get("Transfer-Encoding") == "chunked" and not bodiless:
        body = await _chunks(reader)
        return Answer(head.without("Transfer-Encoding").having("Content-Length", str(len(body))), body)
    length = 0 if bodiless else int(head.get("Content-Length") or 0)
    return Answer(head, await reader.readexactly(length))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return bytes(body)
