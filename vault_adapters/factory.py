"""Opens the vault that the settings name. Composition code calls this once, at the start of a process."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from connector_spi.clock import SystemClock
from connector_spi.errors import ConfigurationError, ConflictError
from connector_spi.vault import Vault
from entra_identity.credentials import EntraCredentials
from vault_adapters.audited import AuditedVault
from vault_adapters.azure_key_vault import open_key_vault
from vault_adapters.cached import CachedVault
from vault_adapters.hashicorp import open_hashicorp_vault
from vault_adapters.local import EncryptedLocalVault, KeyRing, configured_keys, create_key_file
from vault_adapters.memory import InMemoryVault
from vault_adapters.settings import AzureKeyVaultSettings, HashiCorpVaultSettings, LocalVaultSettings, VaultSettings


def open_vault(
    settings: VaultSettings,
    environ: Mapping[str, str],
    credentials: EntraCredentials | None = None,
    *,
    actor: str = "connector",
) -> Vault:
    """Open an existing vault, with its cache and its audit as the settings say. Blocks briefly, so call it first.

    A vault server is not called yet: whether it can be reached is told by the first secret that is read.
    `credentials`: the identities that it may name. `actor`: who uses it, for the audit.

    Raises:
        ConfigurationError: the vault, its key or its login is missing, malformed or readable by others.
        VaultForbiddenError: the key is not the vault's, the vault is damaged, or this user may not read it.
        VaultUnavailableError: the vault could not be read.
    """
    if isinstance(settings, LocalVaultSettings):
        local = EncryptedLocalVault.open(settings.file, _local_keys(settings, environ))
        return _wrapped(local, settings, actor)
    return _wrapped(_opened(settings, environ, credentials), settings, actor)


def create_vault(
    settings: VaultSettings,
    environ: Mapping[str, str],
    credentials: EntraCredentials | None = None,
    *,
    actor: str = "connector",
) -> Vault:
    """Open the vault, after making what is missing of it, key file included; a second run changes nothing.

    A vault that is there without its key file is refused: a new key could not open it. Several processes may call
    this at once. Vault servers are made by those who run them: they are opened and nothing more.

    Raises:
        ConfigurationError, VaultForbiddenError, VaultUnavailableError: as for `open_vault`.
    """
    if isinstance(settings, LocalVaultSettings):
        if settings.key_file is not None and not EncryptedLocalVault.exists(settings.file):
            with suppress(ConflictError):  # there is a key already, perhaps of a quicker process: that one counts
                create_key_file(settings.key_file)
        local = EncryptedLocalVault.create(settings.file, _local_keys(settings, environ))
        return _wrapped(local, settings, actor)
    return open_vault(settings, environ, credentials, actor=actor)


def _opened(settings: VaultSettings, environ: Mapping[str, str], credentials: EntraCredentials | None) -> Vault:
    if isinstance(settings, HashiCorpVaultSettings):
        return open_hashicorp_vault(settings, environ)
    if isinstance(settings, AzureKeyVaultSettings):
        if credentials is None or not credentials.has(settings.identity):
            raise ConfigurationError(
                key="vault.identity",
                problem=f"there is no identity {settings.identity!r}",
                remedy=f"Describe it in [azure_identities.{settings.identity}].",
            )
        return open_key_vault(settings, credentials.of(settings.identity))
    return InMemoryVault()


def _wrapped(vault: Vault, settings: VaultSettings, actor: str) -> Vault:
    """The audit outside, so that a secret that comes from memory is on record as well."""
    if settings.cache_seconds > 0:
        vault = CachedVault(vault, kept_for=timedelta(seconds=settings.cache_seconds), clock=SystemClock())
    return AuditedVault(vault, actor=actor) if settings.audit else vault


def _local_keys(settings: LocalVaultSettings, environ: Mapping[str, str]) -> KeyRing:
    return KeyRing(lambda: configured_keys(settings, environ))
