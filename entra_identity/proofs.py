"""How each kind of identity proves itself, and whether its proof has changed since."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from connector_spi.errors import ConfigurationError
from connector_spi.vault import Vault
from entra_identity.client_secrets import ClientSecretReader, read_proof
from entra_identity.kinds import (
    TokenSource,
    client_secret_source,
    default_chain_source,
    managed_source,
    workload_source,
)
from entra_identity.settings import (
    ClientSecretSettings,
    EntraIdentitySettings,
    ManagedIdentitySettings,
    WorkloadIdentitySettings,
)


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """A source of tokens, and the secret or federated token that it was opened with; None where there is none."""

    source: TokenSource
    proof: str | None = field(repr=False)


class SourceOpener:
    """Opens one identity's source of tokens, reading its proof anew each time."""

    def __init__(
        self, name: str, settings: EntraIdentitySettings, *, environ: Mapping[str, str], vault: Vault | None
    ) -> None:
        self._name = name
        self._settings = settings
        self._environ = environ
        self._vault = vault

    async def open(self) -> OpenedSource:
        """The source as the settings say, never another one.

        Raises:
            ConfigurationError: what proves the identity is missing.
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: the vault does not give the secret.
        """
        try:
            return await self._open(self._settings)
        except ValueError as error:  # of azure-identity: it names the value, none of which is secret
            raise ConfigurationError(key=f"azure_identities.{self._name}", problem=f"is refused ({error})") from None

    async def _open(self, settings: EntraIdentitySettings) -> OpenedSource:
        if isinstance(settings, ClientSecretSettings):
            reader = ClientSecretReader(self._name, settings, environ=self._environ, vault=self._vault)
            secret = await reader.read()
            return OpenedSource(client_secret_source(settings, secret), secret)
        if isinstance(settings, WorkloadIdentitySettings):
            return await self._workload(settings)
        if isinstance(settings, ManagedIdentitySettings):
            return OpenedSource(managed_source(settings), None)
        return OpenedSource(default_chain_source(settings, environ=self._environ), None)

    async def _workload(self, settings: WorkloadIdentitySettings) -> OpenedSource:
        """azure-identity reads the file by itself; what it held tells whether opening anew can help."""
        source, file = workload_source(self._name, settings, environ=self._environ)
        key = f"azure_identities.{self._name}.token_file"
        return OpenedSource(source, await asyncio.to_thread(read_proof, file, key=key))
