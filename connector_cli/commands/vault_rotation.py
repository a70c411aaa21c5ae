"""`connector vault rotate-key`: a new key for the local vault."""

import os

from connector_cli.commands.options import Config
from connector_cli.configuration import load_settings
from connector_cli.output import note, reported_errors
from connector_spi.errors import ConfigurationError
from vault_adapters.local import rotate_key as rotate
from vault_adapters.settings import LocalVaultSettings


def rotate_key(config: Config) -> None:
    """Seal the local vault with a new key, while connectors run on it.

    With key_file, the key is made here and replaces the one in that file; running connectors read it there by
    themselves. May be interrupted and run again. Backups of the vault from before need the old key: keep a copy of the
    key file with them.

    With key_env, set the variable to the new key, a space, and the old key (a new one: openssl rand -base64 32),
    restart the connectors with that, run this command with it, and take the old key out again when you like.

    Example: connector vault rotate-key --config deploy/provider.toml
    """
    with reported_errors():
        settings = load_settings(config).vault
        if not isinstance(settings, LocalVaultSettings):
            raise ConfigurationError(
                key="vault.type",
                problem=f"is {settings.type}",
                remedy="Only a local vault has a key of this connector.",
            )
        done = rotate(settings, os.environ)
    if done.old_key_stays:
        note(f"The vault is sealed with the first key of {settings.key_env}. The others are needed no more.")
    elif done.was_begun:
        note("The rotation that was interrupted is done: the vault has its new key, and the old one is gone.")
    else:
        note(
            "The vault has a new key, and the old one is gone from the key file. Backups from before need the old one."
        )
