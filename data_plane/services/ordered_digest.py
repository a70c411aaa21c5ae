"""OrderedDigest: SHA-256 of an object whose blocks arrive in any order, computed beside the I/O."""

import asyncio
import hashlib
from typing import Final

from data_plane.domain.object_copy import Block

_INLINE_BYTES: Final = 128 * 1024
"""Below this, a hop to a thread costs more than the hashing."""


class OrderedDigest:
    """Each block waits for its turn; large ones are hashed in a thread, where the interpreter lock is released."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._next = 0
        self._turns: dict[int, asyncio.Event] = {}

    async def feed(self, index: int, data: Block) -> None:
        """Add block `index`, once all the blocks before it were added."""
        if index != self._next:
            await self._turns.setdefault(index, asyncio.Event()).wait()
        if len(data) <= _INLINE_BYTES:
            self._hash.update(data)
        else:
            await asyncio.to_thread(self._hash.update, data)
        self._next = index + 1
        self._turns.pop(index, None)
        if self._next in self._turns:
            self._turns[self._next].set()

    def hexdigest(self) -> str:
        """The digest of what was fed so far."""
        return self._hash.hexdigest()
