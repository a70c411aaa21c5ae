"""User delegation keys: what an identity signs with. Storage gives them out for its token, for seven days at most."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from azure.storage.blob import UserDelegationKey

from azure_storage.account_access import EntraAccess
from azure_storage.errors import StorageRefusedError
from azure_storage.identity_refusal import GET_USER_DELEGATION_KEY, of_identity
from azure_storage.sdk_clients import SdkClients, sdk_errors
from connector_spi.clock import Clock
from connector_spi.errors import TransientError

KEY_LIFE: Final = timedelta(days=7)
"""The service's limit, from the key's start."""
STARTS_EARLIER: Final = timedelta(minutes=10)
"""Clocks differ; and a SAS, which starts earlier too, must not start before its key."""
RENEWED_AFTER: Final = timedelta(days=1)
"""Long before the end, so that hours without Entra ID do not matter."""


@dataclass(frozen=True, slots=True)
class DelegationKey:
    """A user delegation key, until when it signs, and from when on it should be replaced."""

    value: UserDelegationKey = field(repr=False)
    expires_at: datetime
    renewed_from: datetime


class UserDelegationKeys:
    """Keeps one key per account and shares it. Waiters for the same account share one request."""

    def __init__(self, clients: SdkClients, *, clock: Clock, call_seconds: float) -> None:
        self._clients = clients
        self._clock = clock
        self._call_seconds = call_seconds
        self._kept: dict[str, DelegationKey] = {}
        self._coming: dict[str, asyncio.Task[DelegationKey]] = {}

    async def key_of(self, account: str, access: EntraAccess, *, until: datetime) -> DelegationKey:
        """A key that lasts until then, or as long as the service lets one last: look at its `expires_at`.

        Raises:
            DelegationKeyForbiddenError, IdentityTokenRefusedError: the identity may not; names the role to grant.
            StorageRefusedError, StorageTransientError, StorageUnavailableError: as the catalogue says.
            ConnectorError: the identity got no token.
        """
        kept = self._kept.get(account)
        if kept is None or kept.expires_at < until:
            return await self._fresh(account, access)
        if self._clock.now() < kept.renewed_from:
            return kept
        try:
            return await self._fresh(account, access)
        except TransientError:
            return kept

    def forget(self, account: str) -> None:
        """Fetch another key next time; called when what it signed was refused, for keys can be revoked."""
        self._kept.pop(account, None)

    async def _fresh(self, account: str, access: EntraAccess) -> DelegationKey:
        coming = self._coming.get(account)
        if coming is None:
            coming = asyncio.create_task(self._fetch(account, access))
            self._coming[account] = coming
            coming.add_done_callback(lambda done: self._arrived(account, done))
        return await asyncio.shield(coming)

    def _arrived(self, account: str, done: asyncio.Task[DelegationKey]) -> None:
        del self._coming[account]
        if not done.cancelled() and done.exception() is None:
            self._kept[account] = done.result()

    async def _fetch(self, account: str, access: EntraAccess) -> DelegationKey:
        now = self._clock.now()
        starts_at = now - STARTS_EARLIER
        client = self._clients.service(account, access)
        try:
            with sdk_errors(GET_USER_DELEGATION_KEY, account):
                async with asyncio.timeout(self._call_seconds):
                    key = await client.get_user_delegation_key(starts_at, starts_at + KEY_LIFE)
        except StorageRefusedError as error:
            raise of_identity(error, access.identity) from None
        return DelegationKey(key, _end_of(key, starts_at), now + RENEWED_AFTER)


def _end_of(key: UserDelegationKey, starts_at: datetime) -> datetime:
    """What the service states, but no more than it allows."""
    stated = datetime.fromisoformat(key.signed_expiry or "").astimezone(UTC)
    return min(stated, starts_at + KEY_LIFE)
