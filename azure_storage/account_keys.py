"""Account keys from the vault, kept for seconds only, so that a rotated key is picked up."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from azure_storage.connection_settings import ConnectionStrings
from azure_storage.errors import AccountKeyMalformedError
from azure_storage.settings import AzureStorageSettings
from connector_spi.clock import Clock, SystemClock
from connector_spi.errors import SecretNotFoundError
from connector_spi.vault import Vault

KEPT_FOR: Final = timedelta(seconds=30)
LEGACY_SUFFIX: Final = "-key1"
"""EDC up to 0.14 kept the key of account `x` under `x-key1`."""


@dataclass(frozen=True, slots=True, repr=False)
class _KeptKey:
    value: str
    alias: str | None
    """What it was read under; None: it is not from the vault."""
    until: datetime


class AccountKeys:
    """Resolves account keys: by the alias that an address names, else as the settings say for the account.

    An account that is not listed in the settings: the account's name, else EDC's older alias.
    """

    def __init__(
        self,
        vault: Vault,
        settings: AzureStorageSettings | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        kept_for: timedelta = KEPT_FOR,
    ) -> None:
        settings = settings or AzureStorageSettings()
        self._vault = vault
        self._listed = {account.name: account for account in settings.accounts}
        self._strings = ConnectionStrings(vault, environ, development=settings.development)
        self._clock = clock or SystemClock()
        self._kept_for = kept_for
        self._kept: dict[tuple[str, str | None], _KeptKey] = {}

    async def key_of(self, account: str, key_name: str | None = None) -> str:
        """The account's key, base64 text. An alias that is named is the only one tried.

        Raises:
            SecretNotFoundError: no alias holds a secret.
            AccountKeyMalformedError: the secret is not base64 text; names the alias.
            ConnectionStringMalformedError: the secret is not a connection string of this account.
            ConfigurationError: the settings open the account without a key.
            VaultForbiddenError, VaultUnavailableError: as the vault says.
        """
        kept = self._kept.get((account, key_name))
        if kept and self._clock.now() < kept.until:
            return kept.value
        alias, key = await self._read(account, key_name)
        self._kept[account, key_name] = _KeptKey(key, alias, self._clock.now() + self._kept_for)
        return key

    def forget(self, account: str) -> None:
        """Read the account's key anew next time, from the vault itself; called when storage refused it."""
        for name in [name for name in self._kept if name[0] == account]:
            alias = self._kept.pop(name).alias
            if alias is not None:
                self._vault.forget(alias)

    async def _read(self, account: str, key_name: str | None) -> tuple[str | None, str]:
        """The alias that it was found under, and the key."""
        listed = self._listed.get(account)
        alias = key_name or (listed.key_alias if listed else None)
        if alias:
            return alias, _checked(alias, await self._vault.resolve(alias))
        if listed is None:
            return await self._usual(account)
        return listed.connection_string_alias, (await self._strings.of(listed)).account_key

    async def _usual(self, account: str) -> tuple[str, str]:
        for alias in (account, account + LEGACY_SUFFIX):
            try:
                return alias, _checked(alias, await self._vault.resolve(alias))
            except SecretNotFoundError:
                continue
        raise SecretNotFoundError(alias=account)


def _checked(alias: str, secret: str) -> str:
    key = secret.strip()
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise AccountKeyMalformedError(alias=alias) from None
    if not key:
        raise AccountKeyMalformedError(alias=alias)
    return key
