"""Signatures made with the account key: what they allow, from when to when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from azure.storage.blob import generate_blob_sas, generate_container_sas

from azure_storage.sas import SasToken

STARTS_EARLIER: Final = timedelta(minutes=5)
"""Clocks differ, and some accounts demand a signed start."""


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

    @property
    def protocol(self) -> str | None:
        """The signature's `spr`."""
        return "https" if self.https_only else None


def container_policy_sas(
    account: str, container: str, *, account_key: str, policy_id: str, terms: SasTerms
) -> SasToken:
    """What the container's stored access policy allows, for as long as it stands.

    The policy holds permission, start and end, and the signature repeats none of them: Azure refuses a term that
    stands in both, and Azurite reads the policy alone.
    """
    query = generate_container_sas(
        account, container, account_key=account_key, policy_id=policy_id, protocol=terms.protocol
    )
    return SasToken(query, terms.expires_at)


def container_read_sas(
    account: str, container: str, *, account_key: str, terms: SasTerms, listing: bool = False
) -> SasToken:
    """Reading every blob of the container; listing them too only where that is wished."""
    query = generate_container_sas(
        account,
        container,
        account_key=account_key,
        permission="rl" if listing else "r",
        start=terms.starts_at,
        expiry=terms.expires_at,
        protocol=terms.protocol,
    )
    return SasToken(query, terms.expires_at)


def container_list_sas(
    account: str, container: str, *, account_key: str, terms: SasTerms, tags: bool = False
) -> SasToken:
    """Listing the container's blobs, with their tags when asked for."""
    query = generate_container_sas(
        account,
        container,
        account_key=account_key,
        permission="lt" if tags else "l",
        start=terms.starts_at,
        expiry=terms.expires_at,
        protocol=terms.protocol,
    )
    return SasToken(query, terms.expires_at)


def blob_read_sas(account: str, container: str, blob_name: str, *, account_key: str, terms: SasTerms) -> SasToken:
    """Reading one blob."""
    query = generate_blob_sas(
        account,
        container,
        blob_name,
        account_key=account_key,
        permission="r",
        start=terms.starts_at,
        expiry=terms.expires_at,
        protocol=terms.protocol,
    )
    return SasToken(query, terms.expires_at)
