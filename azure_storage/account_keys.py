"""Account keys from the vault, kept for seconds only, so that a rotated key is picked up."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from azure_storage.errors import AccountKeyMalformedError
from connector_spi.clock import Clock, SystemClock
from connector_spi.errors import SecretNotFoundError
from connector_spi.vault import Vault

KEPT_FOR: Final = timedelta(seconds=30)
LEGACY_SUFFIX: Final = "-key1"
"""EDC up to 0.14 kept the key of account `x` under `x-key1`."""


@dataclass(frozen=True, slots=True, repr=False)
class _KeptKey:
    value: str
    until: datetime


class AccountKeys:
    """Resolves account keys: the alias that an address names, else the account's name, else EDC's older alias."""

    def __init__(self, vault: Vault, *, clock: Clock | None = None, kept_for: timedelta = KEPT_FOR) -> None:
        self._vault = vault
        self._clock = clock or SystemClock()
        self._kept_for = kept_for
        self._kept: dict[tuple[str, str | None], _KeptKey] = {}

    async def key_of(self, account: str, key_name: str | None = None) -> str:
        """The account's key, base64 text. An alias that is named is the only one tried.

        Raises:
            SecretNotFoundError: no alias holds a secret.
            AccountKeyMalformedError: the secret is not base64 text; names the alias.
            VaultForbiddenError, VaultUnavailableError: as the vault says.
        """
        kept = self._kept.get((account, key_name))
        if kept and self._clock.now() < kept.until:
            return kept.value
        key = await self._read(account, key_name)
        self._kept[account, key_name] = _KeptKey(key, self._clock.now() + self._kept_for)
        return key

    def forget(self, account: str) -> None:
        """Read the account's key anew next time; called when storage refused it."""
        for name in [name for name in self._kept if name[0] == account]:
            del self._kept[name]

    async def _read(self, account: str, key_name: str | None) -> str:
        if key_name:
            return _checked(key_name, await self._vault.resolve(key_name))
        try:
            return _checked(account, await self._vault.resolve(account))
        except SecretNotFoundError:
            legacy = account + LEGACY_SUFFIX
            try:
                return _checked(legacy, await self._vault.resolve(legacy))
            except SecretNotFoundError:
                raise SecretNotFoundError(alias=account) from None


def _checked(alias: str, secret: str) -> str:
    key = secret.strip()
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise AccountKeyMalformedError(alias=alias) from None
    if not key:
        raise AccountKeyMalformedError(alias=alias)
    return key
