"""Who signs for an account: its key, or a user delegation key of the identity that opens it."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from azure_storage.account_access import AccountAccesses, SharedKey
from azure_storage.delegation_keys import UserDelegationKeys
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import (
    AccountKeyAwaitedError,
    AuthenticationFailedError,
    AuthorizationFailureError,
    StorageRefusedError,
)
from azure_storage.sas_signing import SasSigner, SasTerms
from connector_spi.clock import Clock

_Result = TypeVar("_Result")
_KEY_REFUSED: Final = (AuthenticationFailedError, AuthorizationFailureError)


class AccountSigners:
    """Makes signers; what an identity signs lives no longer than `delegation_seconds`, for it cannot be revoked."""

    def __init__(
        self,
        accesses: AccountAccesses,
        delegation_keys: UserDelegationKeys,
        *,
        endpoints: StorageEndpoints,
        clock: Clock,
        delegation_seconds: float,
    ) -> None:
        self._accesses = accesses
        self._delegation_keys = delegation_keys
        self._endpoints = endpoints
        self._clock = clock
        self._delegation_seconds = delegation_seconds

    async def of(self, account: str, *, key_name: str | None, lifetime_seconds: float) -> SasSigner:
        """A signer whose signatures hold from now on, for so long at most.

        Raises:
            ConnectorError: what `AccountAccesses.of` and `UserDelegationKeys.key_of` raise.
        """
        access = await self._accesses.of(account, key_name)
        if isinstance(access, SharedKey):
            return SasSigner(account, access, self._terms(account, lifetime_seconds))
        terms = self._terms(account, min(lifetime_seconds, self._delegation_seconds))
        key = await self._delegation_keys.key_of(account, access, until=terms.expires_at)
        return SasSigner(account, key, terms.ending_by(key.expires_at))

    async def signed(
        self,
        account: str,
        call: Callable[[SasSigner], Awaitable[_Result]],
        *,
        key_name: str | None,
        lifetime_seconds: float,
    ) -> _Result:
        """Make the call with a signer; once more when its signature is refused and another key is to be had.

        Raises:
            AccountKeyAwaitedError: that is refused too, and a key of the account has been accepted before.
            ConnectorError: what the call and `of` raise.
        """
        signer = await self.of(account, key_name=key_name, lifetime_seconds=lifetime_seconds)
        try:
            result = await call(signer)
        except _KEY_REFUSED as error:
            self.forget(account)
            fresh = await self.of(account, key_name=key_name, lifetime_seconds=lifetime_seconds)
            if fresh.key == signer.key:
                raise self.refused(account, key_name, error) from None
            try:
                result = await call(fresh)
            except _KEY_REFUSED as again:
                raise self.refused(account, key_name, again) from None
        self._accesses.note_opened(account, key_name)
        return result

    def refused(
        self, account: str, key_name: str | None, error: StorageRefusedError
    ) -> StorageRefusedError | AccountKeyAwaitedError:
        """What it means that storage refused a signature of the account's, though it was made anew."""
        return self._accesses.refused(account, key_name, error)

    def forget(self, account: str) -> None:
        """Take keys anew next time: for callers whose signature was refused."""
        self._accesses.forget(account)
        self._delegation_keys.forget(account)

    def _terms(self, account: str, lifetime_seconds: float) -> SasTerms:
        https_only = self._endpoints.is_https(account)
        return SasTerms.from_now(self._clock.now(), lifetime_seconds=lifetime_seconds, https_only=https_only)
