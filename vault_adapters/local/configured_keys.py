"""The keys of the vault that the settings name, from the key file or from the environment."""

from collections.abc import Mapping

from connector_spi.errors import ConfigurationError
from vault_adapters.local.key import VaultKey, parse_keys, read_key_file
from vault_adapters.settings import LocalVaultSettings


def configured_keys(settings: LocalVaultSettings, environ: Mapping[str, str]) -> tuple[VaultKey, ...]:
    """Newest first.

    Raises:
        ConfigurationError: they are missing or malformed, or the key file may be read by others.
    """
    if settings.key_file is not None:
        return read_key_file(settings.key_file)
    text = environ.get(settings.key_env or "", "")
    if not text:
        raise ConfigurationError(
            key="vault.key_env",
            problem=f"the environment variable {settings.key_env} is not set",
            remedy="It holds the vault's key as base64 text.",
        )
    return parse_keys(text, setting="vault.key_env")
