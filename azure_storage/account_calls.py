"""One call with an account's key: the key from the vault, the time limit, the error catalogue."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from azure.storage.blob.aio import ContainerClient

from azure_storage.account_keys import AccountKeys
from azure_storage.errors import AuthenticationFailedError, AuthorizationFailureError
from azure_storage.sdk_clients import SdkClients, sdk_errors

_Result = TypeVar("_Result")
ContainerCall = Callable[[ContainerClient], Awaitable[_Result]]


class AccountCalls:
    """Runs calls on containers of accounts whose keys rest in the vault."""

    def __init__(self, account_keys: AccountKeys, clients: SdkClients, *, call_seconds: float) -> None:
        self._account_keys = account_keys
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
            StorageRefusedError, StorageTransientError, StorageUnavailableError: as the catalogue says.
            ConnectorError: what `AccountKeys.key_of` raises.
        """
        resource = "/".join(part for part in (account, container, blob) if part)

        async def with_key(key: str) -> _Result:
            return await self._attempt(operation, resource, call, self._clients.container(account, container, key))

        return await self.keyed(account, with_key, key_name=key_name)

    async def keyed(self, account: str, call: Callable[[str], Awaitable[_Result]], *, key_name: str | None) -> _Result:
        """Make the call with the account's key; once more when it is refused and the vault holds another by now.

        Raises:
            ConnectorError: what the call and `AccountKeys.key_of` raise.
        """
        key = await self._account_keys.key_of(account, key_name)
        try:
            return await call(key)
        except (AuthenticationFailedError, AuthorizationFailureError):
            self._account_keys.forget(account)
            fresh = await self._account_keys.key_of(account, key_name)
            if fresh == key:
                raise
        return await call(fresh)

    async def _attempt(
        self, operation: str, resource: str, call: ContainerCall[_Result], client: ContainerClient
    ) -> _Result:
        with sdk_errors(operation, resource):
            async with asyncio.timeout(self._call_seconds):
                return await call(client)
