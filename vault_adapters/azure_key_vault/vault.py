"""The Key Vault adapter."""

from collections.abc import Awaitable, Callable
from typing import Final, cast

from azure.core.async_paging import AsyncPageIterator
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.keyvault.secrets import KeyVaultSecret, SecretProperties
from azure.keyvault.secrets.aio import SecretClient

from connector_spi.errors import SecretNotFoundError
from vault_adapters.aliases import checked_alias, checked_value
from vault_adapters.azure_key_vault.calls import Answer, LimitedCalls
from vault_adapters.azure_key_vault.errors import is_missing
from vault_adapters.azure_key_vault.names import name_of, operators_name_of
from vault_adapters.azure_key_vault.soft_deletion import remove, write
from vault_adapters.azure_key_vault.transport import PrivateAuthorityTransport
from vault_adapters.azure_key_vault.values import stored_form, value_of
from vault_adapters.settings import AzureKeyVaultSettings

ALIAS_TAG: Final = "dataspace-connector-alias"
"""Every secret that this connector writes carries its alias in this tag."""

_CONNECT_SECONDS: Final = 5


class AzureKeyVault:
    """Implements `connector_spi.vault.Vault` on one Key Vault, which no other connector uses.

    A secret that an operator set by hand has no tag of ours: it is resolved, also under a name that is the alias
    itself, and not listed.
    """

    def __init__(self, client: SecretClient, calls: LimitedCalls) -> None:
        self._client = client
        self._calls = calls

    async def resolve(self, alias: str) -> str:
        """The secret's value; errors as for the port."""
        secret = await self._found(name_of(checked_alias(alias)), alias)
        operators_name = operators_name_of(alias)
        if secret is None and operators_name is not None:
            secret = await self._found(operators_name, alias)
        if secret is None or secret.value is None:
            raise SecretNotFoundError(alias=alias)
        return value_of(secret.value, alias=alias)

    async def store(self, alias: str, value: str) -> None:
        """Store or replace; errors as for the port."""
        name = name_of(checked_alias(alias))
        stored = stored_form(checked_value(value))
        await self._run("store", alias, lambda: write(self._client, name, stored, {ALIAS_TAG: alias}))

    async def delete(self, alias: str) -> None:
        """Remove what `resolve` finds, and its history where the vault allows it; errors as for the port."""
        name = name_of(checked_alias(alias))
        await self._remove(name, alias)
        operators_name = operators_name_of(alias)
        if operators_name is not None and await self._found(operators_name, alias) is not None:
            await self._remove(operators_name, alias)

    async def aliases(self, prefix: str = "") -> list[str]:
        """Every alias of ours that starts with `prefix`, sorted; errors as for the port."""
        found: list[str] = []
        position: str | None = None
        while True:
            secrets, position = await self._page(position)
            found += [alias for secret in secrets if (alias := _alias_of(secret)) is not None]
            if not position:
                return sorted(alias for alias in found if alias.startswith(prefix))

    def forget(self, alias: str) -> None:
        """Nothing: this vault keeps no secret in memory."""

    async def aclose(self) -> None:
        """Release connections; safe to call twice."""
        await self._client.close()

    async def _found(self, name: str, alias: str) -> KeyVaultSecret | None:
        """The secret of this name, unless it is another alias's."""

        async def read() -> KeyVaultSecret | None:
            try:
                return await self._client.get_secret(name)
            except HttpResponseError as error:
                if is_missing(error):
                    return None
                raise

        secret = await self._run("read", alias, read)
        if secret is None or (secret.properties.tags or {}).get(ALIAS_TAG, alias) != alias:
            return None
        return secret

    async def _remove(self, name: str, alias: str) -> None:
        await self._run("delete", alias, lambda: remove(self._client, name, alias=alias, alias_tag=ALIAS_TAG))

    async def _page(self, position: str | None) -> tuple[list[SecretProperties], str | None]:
        """One page and the position of the next one, so that each page has its own limit of time."""

        async def read() -> tuple[list[SecretProperties], str | None]:
            pages = cast(
                "AsyncPageIterator[SecretProperties]",
                self._client.list_properties_of_secrets().by_page(continuation_token=position),
            )
            async for page in pages:
                return [secret async for secret in page], pages.continuation_token
            return [], None

        return await self._run("list", "*", read)

    async def _run(self, operation: str, alias: str, call: Callable[[], Awaitable[Answer]]) -> Answer:
        return await self._calls.run(operation, alias, call)


def _alias_of(secret: SecretProperties) -> str | None:
    """The alias of a secret of ours; a copy under another name is not ours."""
    alias = (secret.tags or {}).get(ALIAS_TAG)
    return alias if alias and secret.name and name_of(alias) == secret.name.lower() else None


def open_key_vault(settings: AzureKeyVaultSettings, credential: AsyncTokenCredential) -> AzureKeyVault:
    """The vault of these settings, opened with this identity; nothing is asked of it yet.

    Raises:
        ConfigurationError: the file of authorities cannot be used.
    """
    client = SecretClient(
        settings.url,
        credential,
        transport=_transport(settings),
        verify_challenge_resource=settings.verify_challenge_resource,
        retry_total=0,
        user_agent="dataspace-connector",
    )
    return AzureKeyVault(client, LimitedCalls(credential, seconds=settings.call_seconds))


def _transport(settings: AzureKeyVaultSettings) -> AioHttpTransport:
    connect, read = min(_CONNECT_SECONDS, settings.call_seconds), settings.call_seconds
    if settings.ca_file is None:
        return AioHttpTransport(connection_timeout=connect, read_timeout=read)
    return PrivateAuthorityTransport(settings.ca_file, connection_timeout=connect, read_timeout=read)
