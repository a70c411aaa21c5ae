"""Drain: when a flow is parked, what is being sent may end and be recorded, so that it is not sent again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from data_plane.domain.credential_life import CredentialNeededError


class Drain:
    """Counts sendings that belong together. The first that finds no credential waits for those under way.

    They end soon: they have the credential already, or find none either.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._empty = asyncio.Event()
        self._begun = False

    @property
    def begun(self) -> bool:
        """Whether one has found no credential, so that it is in vain to begin another."""
        return self._begun

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """One sending, until it is recorded.

        Raises:
            CredentialNeededError: as the block raised it, once nothing is under way any more.
        """
        self._under_way += 1
        self._empty.clear()
        try:
            yield
        except CredentialNeededError:
            self._begun = True
            self._ended()
            await self._empty.wait()
            raise
        except BaseException:
            self._ended()
            raise
        self._ended()

    def _ended(self) -> None:
        self._under_way -= 1
        if self._under_way == 0:
            self._empty.set()
