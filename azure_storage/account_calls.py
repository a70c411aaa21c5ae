"""One call on a container: what opens its account, the time limit, the error catalogue."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from azure.storage.blob.aio import ContainerClient

from azure_storage.account_access import AccountAccess, AccountAccesses, EntraAccess
from azure_storage.errors import AuthenticationFailedError, AuthorizationFailureError, StorageRefusedError
from azure_storage.identity_refusal import of_identity
from azure_storage.sdk_clients import SdkClients, sdk_errors

_Result = TypeVar("_Result")
_KEY_REFUSED: Final = (AuthenticationFailedError, AuthorizationFailureError)
ContainerCall = Callable[[ContainerClient], Awaitable[_Result]]


class AccountCalls:
    """Runs calls on containers, with the account's key or as the identity that opens it."""

    def __init__(self, accesses: AccountAccesses, clients: SdkClients, *, call_seconds: float) -> None:
        self._accesses = accesses
        self._clients = clients
        self._call_seconds = call_seconds

    async def run(
        self,
        operation: str,
        account: str,
        container: str,
        call: ContainerCall[_Result],
        *,
        key_name: str | None,
        blob: str = "",
    ) -> _Result:
        """Make the call; once more when storage refuses the kept key and the vault holds another by now.

        Raises:
            AccountKeyAwaitedError: it refuses that one too, and has accepted the account's key before.
            StorageRefusedError, StorageTransientError, StorageUnavailableError: as the catalogue says.
            ConnectorError: what `AccountAccesses.of` raises; the identity got no token.
        """
        resource = "/".join(part for part in (account, container, blob) if part)
        access, place = await self._accesses.of(account, key_name), (account, container)
        try:
            result = await self._attempt(operation, resource, call, access, place)
        except _KEY_REFUSED as error:
            self._accesses.forget(account)
            fresh = await self._accesses.of(account, key_name)
            if fresh == access:
                raise self._accesses.refused(account, key_name, error) from None
            try:
                result = await self._attempt(operation, resource, call, fresh, place)
            except _KEY_REFUSED as again:
                raise self._accesses.refused(account, key_name, again) from None
        self._accesses.note_opened(account, key_name)
        return result

    async def _attempt(
        self,
        operation: str,
        resource: str,
        call: ContainerCall[_Result],
        access: AccountAccess,
        place: tuple[str, str],
    ) -> _Result:
        client = self._clients.container(*place, access)
        try:
            with sdk_errors(operation, resource):
                async with asyncio.timeout(self._call_seconds):
                    return await call(client)
        except StorageRefusedError as error:
            if isinstance(access, EntraAccess):
                raise of_identity(error, access.identity) from None
            raise
