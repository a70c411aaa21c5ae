"""The adapter: secrets in one folder of a KV version 2 engine."""

from collections.abc import Mapping
from typing import Final

from connector_spi.errors import SecretNotFoundError, VaultUnavailableError
from vault_adapters.aliases import checked_alias, checked_value
from vault_adapters.hashicorp.address import check_address
from vault_adapters.hashicorp.calls import BlockingCalls
from vault_adapters.hashicorp.connections import Connections
from vault_adapters.hashicorp.engine import KeyValueFolder
from vault_adapters.hashicorp.errors import EntryAbsentError, SecretUnreadableError, VersionConflictError
from vault_adapters.hashicorp.logins import login_of
from vault_adapters.hashicorp.names import alias_of, name_of
from vault_adapters.hashicorp.session import VaultSession
from vault_adapters.settings import HashiCorpVaultSettings

KEYS: Final = ("content", "value")
"""Where an entry's secret is looked for, in this order: EDC's key, which is the one that is written; and operators'."""

_TRIES: Final = 10
"""How often one `store` may lose against other writers of the same alias."""


class HashiCorpVault:
    """Implements `connector_spi.vault.Vault`; made by `open_hashicorp_vault`. Each method takes one limit of time."""

    def __init__(self, *, folder: KeyValueFolder, session: VaultSession, calls: BlockingCalls) -> None:
        self._folder = folder
        self._session = session
        self._calls = calls

    async def resolve(self, alias: str) -> str:
        """The secret's value; errors as for the port."""
        name = name_of(checked_alias(alias))
        async with self._calls.limit():
            try:
                fields = await self._session.call(lambda adapter: self._folder.read(adapter, name))
            except EntryAbsentError:
                raise SecretNotFoundError(alias=alias) from None
        for key in KEYS:
            if isinstance(value := fields.get(key), str):
                return value
        raise SecretUnreadableError(alias=alias, keys=KEYS)

    async def store(self, alias: str, value: str) -> None:
        """Store or replace; errors as for the port.

        Each write names the version that it replaces. Of writers at the same time the last one wins; a write that
        its caller gave up, and that reaches the vault late, replaces nothing newer.
        """
        name = name_of(checked_alias(alias))
        fields = {KEYS[0]: checked_value(value)}
        async with self._calls.limit():
            version = 0  # most secrets are new
            for _ in range(_TRIES):
                if await self._is_written(name, fields, over=version):
                    return
                version = await self._session.call(lambda adapter: self._folder.version(adapter, name))
        raise VaultUnavailableError(f"Others wrote the secret {alias!r} again and again; the newest value is theirs.")

    async def delete(self, alias: str) -> None:
        """Remove the secret with all its versions and its metadata; errors as for the port."""
        name = name_of(checked_alias(alias))
        async with self._calls.limit():
            await self._session.call(lambda adapter: self._folder.delete(adapter, name))

    async def aliases(self, prefix: str = "") -> list[str]:
        """Every alias that starts with `prefix`, sorted; errors as for the port. Entries of others are left out."""
        async with self._calls.limit():
            names = await self._session.call(self._folder.names)
        found = (alias_of(name) for name in names)
        return sorted(alias for alias in found if alias is not None and alias.startswith(prefix))

    def forget(self, alias: str) -> None:
        """Nothing is kept here."""

    async def aclose(self) -> None:
        """End the renewal, the token if it is this process's own, and the connections; safe to call twice."""
        await self._session.aclose()
        self._calls.close()

    async def _is_written(self, name: str, fields: dict[str, str], *, over: int) -> bool:
        try:
            await self._session.call(lambda adapter: self._folder.write(adapter, name, fields, over=over))
        except VersionConflictError:
            return False
        return True


def open_hashicorp_vault(settings: HashiCorpVaultSettings, environ: Mapping[str, str]) -> HashiCorpVault:
    """A vault at the address that the settings name. Reads files and calls nobody: the first call logs in.

    Raises:
        ConfigurationError: the address is not one that secrets may be sent to, or a file or variable is missing.
    """
    check_address(settings)
    login = login_of(settings.login, environ)
    calls = BlockingCalls(Connections(settings), threads=settings.parallel_calls, limit_seconds=settings.call_seconds)
    folder = KeyValueFolder(settings.mount.strip("/"), settings.folder.strip("/"))
    return HashiCorpVault(folder=folder, session=VaultSession(login, calls), calls=calls)
