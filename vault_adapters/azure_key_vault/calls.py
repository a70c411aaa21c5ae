"""Calls of Key Vault within a limit of time, repeated while that can help."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError

from connector_spi.errors import VaultUnavailableError
from entra_identity.credential import EntraCredential
from vault_adapters.azure_key_vault.errors import key_vault_errors

_ATTEMPTS: Final = 4
_FIRST_PAUSE_SECONDS: Final = 0.2

Answer = TypeVar("Answer")


class LimitedCalls:
    """Each call with its repetitions ends within `seconds`.

    The SDK's own repetitions are switched off: they wait as long as a Retry-After says, whatever the limit.
    """

    def __init__(self, credential: AsyncTokenCredential, *, seconds: float) -> None:
        self._credential = credential
        self._seconds = seconds
        self._renewals = 0
        self._renewing = asyncio.Lock()

    async def run(self, operation: str, alias: str, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `call` answers.

        Raises:
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: as `key_vault_errors` says.
        """
        failures: list[VaultUnavailableError] = []
        try:
            async with asyncio.timeout(self._seconds):
                return await self._repeated(operation, alias, call, failures)
        except TimeoutError:
            if failures:
                raise failures[-1] from None
            raise VaultUnavailableError(
                f"Key Vault, or the service that gives tokens for it, did not {operation} {alias!r} "
                f"within {self._seconds:g} s."
            ) from None

    async def _repeated(
        self, operation: str, alias: str, call: Callable[[], Awaitable[Answer]], failures: list[VaultUnavailableError]
    ) -> Answer:
        while True:
            try:
                with key_vault_errors(operation, alias):
                    return await self._with_accepted_token(call)
            except VaultUnavailableError as error:
                failures.append(error)
                if len(failures) == _ATTEMPTS:
                    raise
                await self._pause(error, len(failures))

    async def _pause(self, error: VaultUnavailableError, failures: int) -> None:
        """Sleep until the next attempt; the error itself when that would be past the limit."""
        pause = _FIRST_PAUSE_SECONDS * 2 ** (failures - 1) * random.uniform(0.5, 1)  # noqa: S311 - not a secret
        asked = error.retry_after_seconds or 0
        if asked >= self._seconds:
            raise error
        await asyncio.sleep(max(pause, asked))

    async def _with_accepted_token(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """A refused token is replaced once: it may have been revoked, or its keys changed, before its end."""
        renewals = self._renewals
        try:
            return await call()
        except ClientAuthenticationError as error:
            if error.status_code != HTTPStatus.UNAUTHORIZED or not isinstance(self._credential, EntraCredential):
                raise
            await self._renew(self._credential, renewals)
        return await call()

    async def _renew(self, credential: EntraCredential, seen: int) -> None:
        """Once for all calls that were refused together."""
        async with self._renewing:
            if self._renewals == seen:
                await credential.renew()
                self._renewals += 1
