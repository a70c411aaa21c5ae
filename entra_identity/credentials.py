"""The identities of the configuration, by name. The one that is named is used, or none."""

from collections.abc import Mapping

from azure.core.credentials_async import AsyncTokenCredential

from connector_spi.errors import ConfigurationError
from connector_spi.vault import Vault
from entra_identity.credential import EntraCredential
from entra_identity.proofs import SourceOpener
from entra_identity.settings import EntraIdentitySettings


class EntraCredentials:
    """Opens each identity once, when its first token is needed; there is no fallback from one to another."""

    def __init__(
        self,
        identities: Mapping[str, EntraIdentitySettings],
        *,
        environ: Mapping[str, str],
        vault: Vault | None = None,
    ) -> None:
        """`vault` holds the secrets of `client_secret_alias`; None for the identity that opens the vault."""
        self._credentials = {
            name: EntraCredential(name, SourceOpener(name, settings, environ=environ, vault=vault))
            for name, settings in identities.items()
        }

    def of(self, name: str) -> AsyncTokenCredential:
        """The identity of this name, the same object each time. Its SDK calls raise our errors by themselves.

        Raises:
            ConfigurationError: there is no such identity.
        """
        try:
            return self._credentials[name]
        except KeyError:
            known = ", ".join(sorted(self._credentials)) or "none"
            raise ConfigurationError(
                key=f"azure_identities.{name}",
                problem="there is no such identity",
                remedy=f"Those that are configured: {known}.",
            ) from None

    def has(self, name: str) -> bool:
        """Whether an identity of this name is configured."""
        return name in self._credentials

    async def aclose(self) -> None:
        """Release the connections of all identities; safe to call twice."""
        for credential in self._credentials.values():
            await credential.aclose()
