"""One HTTP/1.1 connection: one request at a time, sent out of the caller's buffer and answered into another of his."""

import asyncio
from typing import Final, cast

from azure_storage.http_body import Body, body_of
from azure_storage.http_head import AnswerHead, HttpError, answer_head
from azure_storage.http_messages import Answer, Request
from azure_storage.http_store import Store

SILENCE_SECONDS: Final = 60.0
"""So long a request may make no progress in either direction."""
SIDE_BODY_BYTES: Final = 8 * 1024
"""As much is kept of a body that is not what was asked for: that of a refusal, or of the answer to a write."""
SIDE_BODY_SECONDS: Final = 5.0
"""So long it is waited for; what it belongs to is known without it."""

_MAX_HEAD_BYTES: Final = 32 * 1024
_MAX_ANSWER_BYTES: Final = 128 * 1024 * 1024
"""Of an answer without a buffer for it. A page of a listing, 5,000 names with all they may have, stays below."""
_RECEIVE_BYTES: Final = 16 * 1024
_JOINED_BYTES: Final = 64 * 1024
"""Up to this size a body is copied behind its head: cheaper than a second write."""
_PIECE_BYTES: Final = 256 * 1024
"""The transport copies what the socket does not take at once, so a block goes out in pieces."""
_SWITCHING_PROTOCOLS: Final = 101
_OK: Final = 200
_FIRST_ERROR: Final = 400


class HttpConnection(asyncio.BufferedProtocol):
    """The protocol of `loop.create_connection`. Whatever goes wrong closes it; nothing is ever sent again."""

    def __init__(self, *, silence_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._silence_seconds = silence_seconds
        self._transport: asyncio.Transport | None = None
        self._receive_buffer = memoryview(bytearray(_RECEIVE_BYTES))
        self._writable: asyncio.Future[None] | None = None
        self._is_paused = False
        self._is_reusable = False
        self._clear()

    def _clear(self) -> None:
        """Forget the exchange, and with it the caller's buffers."""
        self._request: Request | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._head_bytes = bytearray()
        self._head: AnswerHead | None = None
        self._body: Body | None = None
        self._has_window = False
        self._is_sent = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent on it, as far as is known here."""
        return self._is_reusable and self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Close it at once; a request under way fails."""
        self._is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, request: Request) -> Answer:
        """Send the request and receive its answer, whatever its status. When cancelled, the connection is closed.

        Raises:
            HttpError: there was no complete answer; whether the request had an effect is not known.
            InvalidInputError: a header cannot be sent; nothing was sent.
        """
        head = request.head()
        self._request, self._is_reusable = request, False
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._progress = self._loop.time()
        self._timer = self._loop.call_later(self._silence_seconds, self._check_silence)
        try:
            await self._send(head, request.body)
            return await answer
        except BaseException:
            self.close()
            raise
        finally:
            self._timer.cancel()
            if answer.done() and not answer.cancelled():
                answer.exception()  # a failure may come together with a cancellation, and counts as seen
            self._clear()

    async def _send(self, head: bytes, body: memoryview | None) -> None:
        """Send it all, or until the answer or a failure is there."""
        if self._transport is None or self._transport.is_closing():
            self._fail("the connection was closed")
            return
        size = 0 if body is None else body.nbytes
        if body is None or size <= _JOINED_BYTES:
            self._transport.write(head if body is None else b"".join((head, body)))
        else:
            self._transport.write(head)
            for start in range(0, size, _PIECE_BYTES):
                await self._until_writable()
                if self._head is not None or self._answer is None or self._answer.done():
                    return
                self._transport.write(body[start : start + _PIECE_BYTES])
        self._is_sent = True

    async def _until_writable(self) -> None:
        if self._is_paused and self._head is None:
            self._writable = self._loop.create_future()
            try:
                await self._writable
            finally:
                self._writable = None

    def _wake_sender(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _check_silence(self) -> None:
        rest = self._progress + self._silence_seconds - self._loop.time()
        if rest <= 0:
            self._fail(f"nothing moved for {self._silence_seconds:g} seconds")
        else:
            self._timer = self._loop.call_later(rest, self._check_silence)

    def _read_head(self) -> None:
        """Read the answer's head when it is whole, and give what came behind it to the body."""
        while (end := self._head_bytes.find(b"\r\n\r\n")) >= 0:
            head = answer_head(self._head_bytes[:end])
            rest = bytes(self._head_bytes[end + 4 :])
            if head.status >= _OK:
                self._start_body(head).feed(memoryview(rest))
                return
            if head.status == _SWITCHING_PROTOCOLS:
                raise HttpError("a malformed answer: another protocol")
            self._head_bytes = bytearray(rest)
        if len(self._head_bytes) > _MAX_HEAD_BYTES:
            raise HttpError("a malformed answer: its head is too long")

    def _start_body(self, head: AnswerHead) -> Body:
        request = cast("Request", self._request)
        if not self._has_sent_all() and head.status < _FIRST_ERROR:
            raise HttpError("it was answered before it was sent")
        is_asked_for = request.asks_for_body(head.status)
        if is_asked_for:
            store = Store(request.into, limit=_MAX_ANSWER_BYTES)
        else:
            store = Store(None, limit=SIDE_BODY_BYTES, cut=True)
        body = body_of(head, request.method, store)
        self._head, self._body = head, body
        if self._timer is not None and not is_asked_for and not body.is_complete:
            self._timer.cancel()
            self._timer = self._loop.call_later(SIDE_BODY_SECONDS, self._fail, "its body did not come")
        self._wake_sender()
        return body

    def _has_sent_all(self) -> bool:
        return self._is_sent and not self._is_paused

    def _finish_when_complete(self) -> None:
        if self._body is not None and self._body.is_complete:
            head = cast("AnswerHead", self._head)
            self._is_reusable = self._has_sent_all() and head.keeps_alive and not self._body.store.is_cut
            self._deliver()

    def _deliver(self) -> None:
        head, body = cast("AnswerHead", self._head), cast("Body", self._body)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(head.status, head.headers, body.store.content))
        self._body = None

    def _fail(self, problem: str) -> None:
        """Close the connection. An answer that lacks a part of a body which nobody asked for is still one."""
        self.close()
        if self._answer is None or self._answer.done():
            return
        request = cast("Request", self._request)
        if self._head is not None and not request.asks_for_body(self._head.status):
            self._deliver()
        else:
            self._answer.set_exception(HttpError(problem))
        self._wake_sender()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)
        # The next piece waits until the socket has taken the one before. (Over TLS a high mark of 0 would never pass.)
        self._transport.set_write_buffer_limits(high=1, low=0)
        self._is_reusable = True

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes are received: straight into the caller's buffer as soon as its bytes come."""
        window = self._body.window() if self._body is not None else None
        self._has_window = window is not None
        return self._receive_buffer if window is None else window

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes were received into what `get_buffer` gave."""
        self._progress = self._loop.time()
        if self._answer is None or self._answer.done():
            self.close()  # what comes without a request cannot be told from an answer to the next one
            return
        try:
            self._take(nbytes)
            self._finish_when_complete()
        except HttpError as error:
            self._fail(str(error))

    def _take(self, count: int) -> None:
        body = self._body
        if body is None:
            self._head_bytes += self._receive_buffer[:count]
            self._read_head()
        elif self._has_window:
            body.advance(count)
        else:
            body.feed(self._receive_buffer[:count])

    def eof_received(self) -> None:
        """The other side sends no more."""
        if self._body is not None:
            try:
                self._body.end()
                self._finish_when_complete()
            except HttpError as error:
                self._fail(str(error))
        self._fail("the connection was closed")

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by either side."""
        self._fail("the connection was closed" if exc is None else type(exc).__name__)

    def pause_writing(self) -> None:
        """The socket is full."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It has taken everything."""
        self._is_paused = False
        self._progress = self._loop.time()
        self._wake_sender()
