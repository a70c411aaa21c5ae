"""Signatures made with an account key or a user delegation key: what they allow, from when to when."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from azure.storage.blob import generate_blob_sas, generate_container_sas

from azure_storage.account_access import SharedKey
from azure_storage.delegation_keys import DelegationKey
from azure_storage.sas import SasToken

STARTS_EARLIER: Final = timedelta(minutes=5)
"""Clocks differ, and some accounts demand a signed start."""

SigningKey = SharedKey | DelegationKey


@dataclass(frozen=True, slots=True)
class SasTerms:
    """From when to when, and whether over TLS only."""

    starts_at: datetime
    expires_at: datetime
    https_only: bool

    @classmethod
    def from_now(cls, now: datetime, *, lifetime_seconds: float, https_only: bool) -> "SasTerms":
        """Terms that begin a little earlier than now, and end in whole seconds as the service reads them."""
        expires_at = (now + timedelta(seconds=lifetime_seconds)).replace(microsecond=0)
        return cls(now - STARTS_EARLIER, expires_at, https_only)

    def ending_by(self, end: datetime) -> "SasTerms":
        """The same, but ending no later."""
        return replace(self, expires_at=min(self.expires_at, end))

    @property
    def protocol(self) -> str | None:
        """The signature's `spr`."""
        return "https" if self.https_only else None


@dataclass(frozen=True, slots=True)
class SasSigner:
    """Signs for one account, under the same terms whatever it signs. `permission`: the letters of what is allowed."""

    account: str
    key: SigningKey
    terms: SasTerms

    def for_container(self, container: str, permission: str) -> SasToken:
        """For the container and every blob in it."""
        return self._token(
            generate_container_sas(self.account, container, **self._signed_by(), **self._own(permission))
        )

    def for_blob(self, container: str, blob_name: str, permission: str) -> SasToken:
        """For one blob."""
        query = generate_blob_sas(self.account, container, blob_name, **self._signed_by(), **self._own(permission))
        return self._token(query)

    def for_directory(self, container: str, folder: str, permission: str) -> SasToken:
        """For every blob in the folder and below. Only accounts with hierarchical namespace accept it."""
        query = generate_blob_sas(
            self.account, container, folder, is_directory=True, **self._signed_by(), **self._own(permission)
        )
        return self._token(query)

    def by_policy(self, container: str, policy_id: str, *, folder: str = "") -> SasToken:
        """What the container's stored access policy allows, in the folder if one is named, for as long as it stands.

        The policy holds permission, start and end, and the signature repeats none of them: Azure refuses a term that
        stands in both, and Azurite reads the policy alone. The key must be the account's.
        """
        terms: dict[str, Any] = {"policy_id": policy_id, "protocol": self.terms.protocol, **self._signed_by()}
        if folder:
            return self._token(generate_blob_sas(self.account, container, folder, is_directory=True, **terms))
        return self._token(generate_container_sas(self.account, container, **terms))

    def _signed_by(self) -> dict[str, Any]:
        if isinstance(self.key, SharedKey):
            return {"account_key": self.key.account_key}
        return {"user_delegation_key": self.key.value}

    def _own(self, permission: str) -> dict[str, Any]:
        """Terms that stand in the signature itself."""
        return {
            "permission": permission,
            "start": self.terms.starts_at,
            "expiry": self.terms.expires_at,
            "protocol": self.terms.protocol,
        }

    def _token(self, query: str) -> SasToken:
        return SasToken(query, self.terms.expires_at)
