"""Where an application's client secret is read: late, and anew each time that it is asked for."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connector_spi.errors import ConfigurationError
from connector_spi.vault import Vault
from entra_identity.settings import ClientSecretSettings

LONGEST_PROOF: Final = 16 * 1024
"""Bytes of a file with a client secret or a federated token; a longer one is neither."""


class ClientSecretReader:
    """Reads the secret of one identity from the one place that its settings name."""

    def __init__(
        self, name: str, settings: ClientSecretSettings, *, environ: Mapping[str, str], vault: Vault | None
    ) -> None:
        self._name = name
        self._settings = settings
        self._environ = environ
        self._vault = vault

    async def read(self) -> str:
        """The secret as it is now, without white space around it.

        Raises:
            ConfigurationError: file or variable are missing, empty or too long.
            SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: as the vault says.
        """
        settings = self._settings
        if settings.client_secret_alias is not None:
            return await self._from_vault(settings.client_secret_alias)
        if settings.client_secret_file is not None:
            key = f"azure_identities.{self._name}.client_secret_file"
            return await asyncio.to_thread(read_proof, settings.client_secret_file, key=key)
        return self._from_environment(settings.client_secret_env or "")

    async def _from_vault(self, alias: str) -> str:
        if self._vault is None:
            raise ConfigurationError(
                key=f"azure_identities.{self._name}.client_secret_alias",
                problem="the vault that this identity opens cannot hold the identity's own secret",
                remedy="Use client_secret_file or client_secret_env.",
            )
        self._vault.forget(alias)  # what it kept in memory may be what Entra has just refused
        return (await self._vault.resolve(alias)).strip()

    def _from_environment(self, variable: str) -> str:
        secret = self._environ.get(variable, "").strip()
        if not secret:
            raise ConfigurationError(
                key=f"azure_identities.{self._name}.client_secret_env",
                problem=f"the environment variable {variable} is not set",
            )
        return secret


def read_proof(path: Path, *, key: str) -> str:
    """The text of a file that proves an identity, without white space around it. Blocks briefly.

    Raises:
        ConfigurationError: it cannot be read, is empty or too long; names the setting `key`, never the content.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_PROOF + 1)
        text = content.decode().strip()
    except OSError as error:
        raise ConfigurationError(key=key, problem=f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigurationError(key=key, problem=f"{path} holds no text") from None
    if not text or len(content) > LONGEST_PROOF:
        raise ConfigurationError(key=key, problem=f"{path} is empty, or longer than {LONGEST_PROOF} bytes")
    return text
