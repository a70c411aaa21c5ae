"""Connection strings of the listed accounts: read from the vault or the environment, as the settings say."""

import os
from collections.abc import Mapping
from typing import TypeVar

from azure_storage.connection_string import ConnectionString, ConnectionStringMalformedError
from azure_storage.settings import AzureStorageSettings, StorageAccountSettings
from connector_spi.errors import ConfigurationError
from connector_spi.vault import Vault

_Settings = TypeVar("_Settings", bound=AzureStorageSettings)


class ConnectionStrings:
    """Reads the connection strings of listed accounts, from the vault or the environment."""

    def __init__(self, vault: Vault, environ: Mapping[str, str], *, development: bool) -> None:
        self._vault = vault
        self._environ = environ
        self._development = development

    async def of(self, account: StorageAccountSettings) -> ConnectionString:
        """The account's connection string.

        Raises:
            ConnectionStringMalformedError: it is none, or that of another account.
            ConfigurationError: the account is opened in another way, or the variable is not set.
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: as the vault says.
        """
        source, text = await self._text(account)
        found = ConnectionString.parse(text, source=source, development=self._development)
        if found.account_name != account.name:
            raise ConnectionStringMalformedError(
                source=source,
                problem=f"AccountName is {found.account_name}, and it is named for {account.name}",
                remedy="Name it in the entry of its own account.",
            )
        return found

    async def _text(self, account: StorageAccountSettings) -> tuple[str, str]:
        alias, variable = account.connection_string_alias, account.connection_string_env
        if alias is not None:
            return f"the secret {alias!r}", await self._vault.resolve(alias)
        if variable is None:
            raise ConfigurationError(
                key=f"storage.accounts.{account.name}", problem="is opened without a key, and a key was asked for"
            )
        if not self._environ.get(variable):
            raise ConfigurationError(
                key=f"storage.accounts.{account.name}.connection_string_env",
                problem=f"names the environment variable {variable}, which is not set",
            )
        return f"the environment variable {variable}", self._environ[variable]


async def with_endpoints(settings: _Settings, vault: Vault, environ: Mapping[str, str] = os.environ) -> _Settings:
    """The settings with the addresses that connection strings name, where the settings name none.

    They count until the process ends; the keys are read anew all the time.

    Raises:
        ConnectorError: what `ConnectionStrings.of` raises.
    """
    strings = ConnectionStrings(vault, environ, development=settings.development)
    accounts = [await _located(account, strings) for account in settings.accounts]
    return settings.model_copy(update={"accounts": tuple(accounts)})


async def _located(account: StorageAccountSettings, strings: ConnectionStrings) -> StorageAccountSettings:
    by_string = account.connection_string_alias or account.connection_string_env
    if account.endpoint is not None or by_string is None:
        return account
    return account.model_copy(update={"endpoint": (await strings.of(account)).blob_endpoint})
