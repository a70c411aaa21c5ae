"""OnePass: serves the reads of one object from one open answer, for servers without ranges.

Reads wait for their turn, lowest offset first, so that blocks which are read in parallel are served in order without
being kept. A read behind the position opens the answer anew and skips to its place: that costs the bytes before it.
"""

import asyncio
import hashlib
import heapq
import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final

import aiohttp

from data_plane.adapters.http_errors import HttpUnavailableError
from data_plane.domain.errors import SourceObjectChangedError

_PIECE_BYTES: Final = 256 * 1024

Opened = Callable[[], AbstractAsyncContextManager[aiohttp.ClientResponse]]
"""Asks for the whole object, of its pinned version where the server names one."""


class OnePass:
    """`proves_prefix`: the server names no version, so each new pass must repeat what was read before, by digest."""

    def __init__(self, opened: Opened, *, resource: str, proves_prefix: bool) -> None:
        self._opened = opened
        self._resource = resource
        self._proves_prefix = proves_prefix
        self._turns = _Turns()
        self._pass = AsyncExitStack()
        self._answer: aiohttp.ClientResponse | None = None
        self._position = 0
        self._digest = hashlib.sha256()
        self._known = {0: self._digest.digest()}
        """Digest of all bytes before a position, of those from which bytes were given out."""

    async def read(self, offset: int, length: int) -> bytearray:
        """`length` bytes from `offset`.

        Raises:
            SourceObjectChangedError: a new pass did not repeat what an earlier one gave.
            HttpUnavailableError: the answer broke off, or nothing is known yet of the bytes before.
        """
        await self._turns.take(offset)
        try:
            if self._proves_prefix and offset not in self._known:
                raise self._unavailable("the bytes before were not read yet")
            return await self._read_or_close(offset, length)
        finally:
            self._turns.give_back()

    async def aclose(self) -> None:
        """Close the open answer, and its connection with it."""
        self._answer = None
        await self._pass.aclose()

    async def _read_or_close(self, offset: int, length: int) -> bytearray:
        try:
            return await self._read(offset, length)
        except BaseException:
            await self.aclose()
            raise

    async def _read(self, offset: int, length: int) -> bytearray:
        answer = await self._answer_before(offset)
        for checkpoint in sorted(at for at in {*self._known, offset} if self._position < at <= offset):
            await self._skip_to(answer, checkpoint)
        buffer = bytearray(length)
        with memoryview(buffer) as view:
            while (filled := self._position - offset) < length:
                chunk = await self._received(answer, length - filled)
                view[filled : filled + len(chunk)] = chunk
        self._check()
        return buffer

    async def _answer_before(self, offset: int) -> aiohttp.ClientResponse:
        """The open answer, or a new one where that one is past the offset."""
        if self._answer is None or self._position > offset:
            await self.aclose()
            self._answer = await self._pass.enter_async_context(self._opened())
            self._position, self._digest = 0, hashlib.sha256()
        return self._answer

    async def _skip_to(self, answer: aiohttp.ClientResponse, offset: int) -> None:
        while self._position < offset:
            await self._received(answer, min(_PIECE_BYTES, offset - self._position))
        self._check()

    async def _received(self, answer: aiohttp.ClientResponse, at_most: int) -> bytes:
        try:
            chunk = await answer.content.read(at_most)
        except (aiohttp.ClientError, OSError) as error:
            raise self._unavailable(f"the answer broke off ({type(error).__name__})") from None
        if not chunk:
            raise self._unavailable(f"the answer ended after {self._position} bytes")
        self._position += len(chunk)
        if self._proves_prefix:
            self._digest.update(chunk)
        return chunk

    def _check(self) -> None:
        if not self._proves_prefix:
            return
        digest = self._digest.digest()
        if self._known.setdefault(self._position, digest) != digest:
            raise SourceObjectChangedError(f"{self._resource}: the server sent other bytes than before.")

    def _unavailable(self, problem: str) -> HttpUnavailableError:
        return HttpUnavailableError(method="GET", resource=self._resource, problem=problem)


class _Turns:
    """A lock whose next holder is the one with the lowest offset."""

    def __init__(self) -> None:
        self._taken = False
        self._arrivals = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    async def take(self, offset: int) -> None:
        """Wait for the turn."""
        if not self._taken:
            self._taken = True
            return
        given = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (offset, next(self._arrivals), given))
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():  # the turn came with the cancellation
                self.give_back()
            raise

    def give_back(self) -> None:
        """Let the next one in."""
        while self._waiting:
            _, _, given = heapq.heappop(self._waiting)
            if not given.done():
                given.set_result(None)
                return
        self._taken = False
