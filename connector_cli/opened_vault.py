"""The vault and the identities of one process, opened in the order in which they need each other."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from connector_cli.settings import ConnectorSettings
from connector_spi.vault import Vault
from entra_identity.credentials import EntraCredentials
from entra_identity.settings import EntraIdentitySettings
from vault_adapters.factory import open_vault
from vault_adapters.settings import AzureKeyVaultSettings


@dataclass(frozen=True, slots=True)
class OpenedVault:
    """The vault, and the identities whose secrets may rest in it."""

    vault: Vault
    identities: EntraCredentials


@asynccontextmanager
async def opened_vault(
    settings: ConnectorSettings, environ: Mapping[str, str] = os.environ, *, actor: str = "connector"
) -> AsyncIterator[OpenedVault]:
    """Open both; they are closed at the end. Nothing is called yet: an identity gets its first token when it is used.

    `actor`: who uses the vault, for its audit.

    Raises:
        ConfigurationError, VaultForbiddenError, VaultUnavailableError: as for `open_vault`.
    """
    async with AsyncExitStack() as stack:
        # The identity that opens the vault is one of its own: its secret cannot rest in the vault.
        vaults_own = EntraCredentials(_identity_of_vault(settings), environ=environ)
        stack.push_async_callback(vaults_own.aclose)
        vault = open_vault(settings.vault, environ, vaults_own, actor=actor)
        stack.push_async_callback(vault.aclose)
        identities = EntraCredentials(settings.azure_identities, environ=environ, vault=vault)
        stack.push_async_callback(identities.aclose)
        yield OpenedVault(vault, identities)


def _identity_of_vault(settings: ConnectorSettings) -> dict[str, EntraIdentitySettings]:
    name = settings.vault.identity if isinstance(settings.vault, AzureKeyVaultSettings) else None
    return {known: each for known, each in settings.azure_identities.items() if known == name}
