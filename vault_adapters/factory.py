"""Opens the vault that the settings name. Composition code calls this once, at the start of a process."""

from collections.abc import Mapping
from contextlib import suppress

from connector_spi.errors import ConfigurationError, ConflictError
from connector_spi.vault import Vault
from vault_adapters.local import EncryptedLocalVault, VaultKey, create_key_file, read_key_file
from vault_adapters.memory import InMemoryVault
from vault_adapters.settings import LocalVaultSettings, VaultSettings


def open_vault(settings: VaultSettings, environ: Mapping[str, str]) -> Vault:
    """Open an existing vault. Blocks briefly, so call it before serving.

    Raises:
        ConfigurationError: the vault or its key is missing, malformed or readable by others.
        VaultForbiddenError: the key is not the vault's, the vault is damaged, or this user may not read it.
        VaultUnavailableError: the vault could not be read.
    """
    if isinstance(settings, LocalVaultSettings):
        return EncryptedLocalVault.open(settings.file, _local_key(settings, environ))
    return InMemoryVault()


def create_vault(settings: VaultSettings, environ: Mapping[str, str]) -> Vault:
    """Open the vault, after making what is missing of it, key file included; a second run changes nothing.

    A vault that is there without its key file is refused: a new key could not open it. Several processes may call
    this at once.

    Raises:
        ConfigurationError, VaultForbiddenError, VaultUnavailableError: as for `open_vault`.
    """
    if isinstance(settings, LocalVaultSettings):
        if settings.key_file is not None and not EncryptedLocalVault.exists(settings.file):
            with suppress(ConflictError):  # there is a key already, perhaps of a quicker process: that one counts
                create_key_file(settings.key_file)
        return EncryptedLocalVault.create(settings.file, _local_key(settings, environ))
    return InMemoryVault()


def _local_key(settings: LocalVaultSettings, environ: Mapping[str, str]) -> VaultKey:
    if settings.key_file is not None:
        return read_key_file(settings.key_file)
    text = environ.get(settings.key_env or "", "")
    if not text:
        raise ConfigurationError(
            key="vault.key_env",
            problem=f"the environment variable {settings.key_env} is not set",
            remedy="It holds the vault's key as base64 text.",
        )
    return VaultKey.parse(text, setting="vault.key_env")
