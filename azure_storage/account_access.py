"""What opens a storage account: its key, or an identity of Entra ID. Exactly what the settings say, never the other."""

from dataclasses import dataclass, field
from typing import Protocol

from azure.core.credentials_async import AsyncTokenCredential

from azure_storage.account_keys import AccountKeys
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import AccountKeyAwaitedError, StorageRefusedError
from azure_storage.settings import AzureStorageSettings
from connector_spi.data_address import KEY_NAME
from connector_spi.errors import ConfigurationError, InvalidInputError


class Credentials(Protocol):
    """The identities that are configured, such as `entra_identity.credentials.EntraCredentials`."""

    def of(self, name: str) -> AsyncTokenCredential:
        """What fetches the tokens of the identity of this name; the same object each time.

        Raises:
            ConfigurationError: no such identity.
        """
        ...


@dataclass(frozen=True, slots=True)
class SharedKey:
    """The account's key, base64 text. Its repr does not show it."""

    account_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EntraAccess:
    """An identity, by its name in the settings, and what fetches its tokens."""

    identity: str
    credential: AsyncTokenCredential = field(repr=False)


AccountAccess = SharedKey | EntraAccess


class AccountAccesses:
    """Says for each account what opens it: an identity where the settings name one, else an account key.

    An address may name the vault alias of an account key (`keyName`). For an account that an identity opens, that is
    refused: whoever wrote the address expects another credential to be used than would be.
    """

    def __init__(
        self,
        account_keys: AccountKeys,
        settings: AzureStorageSettings | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        """Without settings every account is opened by its key.

        Raises:
            ConfigurationError: an account names an identity that is not there, or is not reached over TLS.
        """
        settings = settings or AzureStorageSettings()
        endpoints = StorageEndpoints.of(settings)
        self._account_keys = account_keys
        self._opened_by_key: set[tuple[str, str | None]] = set()
        self._identities = {
            account.name: _entra_access(account.name, account.identity, endpoints, credentials)
            for account in settings.accounts
            if account.identity is not None
        }

    async def of(self, account: str, key_name: str | None = None) -> AccountAccess:
        """What opens the account. `key_name`: the alias of the account key that an address names, or None.

        Raises:
            InvalidInputError: `key_name` is given, and an identity opens the account.
            ConnectorError: what `AccountKeys.key_of` raises.
        """
        entra = self._identities.get(account)
        if entra is None:
            return SharedKey(await self._account_keys.key_of(account, key_name))
        if key_name is not None:
            raise InvalidInputError(
                field=KEY_NAME,
                value=key_name,
                problem=f"names an account key, but the storage account {account} is opened by an identity",
                remedy="Leave it out, or configure a key for the account in place of the identity.",
            )
        return entra

    def note_opened(self, account: str, key_name: str | None) -> None:
        """Storage has accepted what `of` said for these."""
        if account not in self._identities:
            self._opened_by_key.add((account, key_name))

    def refused(
        self, account: str, key_name: str | None, error: StorageRefusedError
    ) -> StorageRefusedError | AccountKeyAwaitedError:
        """What it means that storage refused what opens the account, though it was taken anew.

        A key that is regenerated works no more at once, and only then can its owner store the new one: a key that has
        worked in this process is waited for. One that never has is wrong.
        """
        return AccountKeyAwaitedError(error.refusal) if (account, key_name) in self._opened_by_key else error

    def forget(self, account: str) -> None:
        """Read an account key anew next time; called when storage refused it. Tokens end by themselves."""
        self._account_keys.forget(account)


def _entra_access(
    account: str, identity: str, endpoints: StorageEndpoints, credentials: Credentials | None
) -> EntraAccess:
    key = f"storage.accounts.{account}.identity"
    if credentials is None:
        raise ConfigurationError(key=key, problem=f"names {identity!r}, and no identities are configured")
    if not endpoints.is_https(account):
        raise ConfigurationError(
            key=key,
            problem="cannot be used: the account's address is not https, and tokens are never sent in clear text",
            remedy="Use an https address, or an account key.",
        )
    return EntraAccess(identity, credentials.of(identity))
