"""OrderedDigest: digests of an object whose blocks arrive in any order, computed beside the I/O."""

import asyncio
import hashlib
from typing import Final

from data_plane.domain.object_copy import Block

_INLINE_BYTES: Final = 128 * 1024
"""Below this, a hop to a thread costs more than the hashing."""


class OrderedDigest:
    """Each block waits for its turn; large ones are hashed in a thread, where the interpreter lock is released."""

    def __init__(self, *, with_md5: bool = False) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
        self._next = 0
        self._turns: dict[int, asyncio.Event] = {}

    async def feed(self, index: int, data: Block) -> None:
        """Add block `index`, once all the blocks before it were added."""
        if index != self._next:
            await self._turns.setdefault(index, asyncio.Event()).wait()
        if len(data) <= _INLINE_BYTES:
            self._update(data)
        else:
            await asyncio.to_thread(self._update, data)
        self._next = index + 1
        self._turns.pop(index, None)
        if self._next in self._turns:
            self._turns[self._next].set()

    def sha256(self) -> str:
        """The SHA-256, in hexadecimal digits, of what was fed so far."""
        return self._sha256.hexdigest()

    def md5(self) -> bytes | None:
        """The MD5 of what was fed so far, when it was asked for."""
        return self._md5.digest() if self._md5 else None

    def _update(self, data: Block) -> None:
        self._sha256.update(data)
        if self._md5:
            self._md5.update(data)
