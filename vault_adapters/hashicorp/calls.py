"""Runs blocking calls in threads of their own, so that a slow vault holds up nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from connector_spi.errors import VaultUnavailableError
from vault_adapters.hashicorp.connections import Connections, VaultAdapter

T = TypeVar("T")
Act = Callable[[VaultAdapter], T]
"""One blocking call, or a few that belong together."""


class BlockingCalls:
    """At most `threads` calls at once; others wait for a thread.

    The event loop's default threads are not used: a vault that hangs would take them from files and name look-ups. A
    call whose caller gave up keeps its thread until its connection times out.
    """

    def __init__(self, connections: Connections, *, threads: int, limit_seconds: float) -> None:
        self._connections = connections
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hashicorp-vault")
        self._limit_seconds = limit_seconds
        self._closed = False

    async def run(self, act: Act[T], token: str | None) -> T:
        """Make the call with this token.

        Raises:
            VaultUnavailableError: the vault did not answer in time, or there was no thread in time.
            ConnectorError: its answer is no success; see `error_of`.
        """
        if self._closed:
            raise VaultUnavailableError("The vault was closed: this process is ending.")
        async with self.limit():
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._acted, act, token)

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Limits what happens inside to the time of one call.

        Raises:
            VaultUnavailableError: it took longer.
        """
        try:
            async with asyncio.timeout(self._limit_seconds):
                yield
        except TimeoutError:
            raise VaultUnavailableError(
                f"The vault did not answer within {self._limit_seconds:g} seconds (vault.call_seconds)."
            ) from None

    def close(self) -> None:
        """Start no further call; does not wait for those that are under way."""
        self._closed = True
        self._threads.shutdown(wait=False)
        self._connections.close()

    def _acted(self, act: Act[T], token: str | None) -> T:
        with self._connections.adapter(token) as adapter:
            return act(adapter)
