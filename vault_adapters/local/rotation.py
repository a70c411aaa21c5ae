"""Gives a vault a new key. May be killed at any moment and run again; processes that use the vault go on.

With a key file:

    1. the key file gets the new key, before the old one    whoever reads it now can open both
    2. the vault is sealed anew, with the new key           running processes find it by reading the key file again
    3. the key file loses the old key

Every step is durable before the next begins, and the vault's lock is held over all of them, so that no key is dropped
that something is still sealed with, and writers and other rotations wait.

An environment cannot be changed for a process that runs. There the operator does steps 1 and 3: a variable with the new
key before the old one, for every process, and later the new one alone.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector_spi.errors import ConfigurationError, VaultForbiddenError
from vault_adapters.local.configured_keys import configured_keys
from vault_adapters.local.key import VaultKey, read_key_file, replace_key_file
from vault_adapters.local.key_ring import KeyRing
from vault_adapters.local.storage import SharedFile
from vault_adapters.settings import LocalVaultSettings

_LOCK_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was done."""

    was_begun: bool = False
    """An earlier rotation was brought to its end; no further key was made."""
    old_key_stays: bool = False
    """The keys are the environment's: the operator takes the old one out."""


def rotate_key(settings: LocalVaultSettings, environ: Mapping[str, str]) -> Rotation:
    """Seal the vault with a new key: one that is made here, or with `key_env` the first of the variable.

    Raises:
        ConfigurationError: as for `rotate_key_file`; or the variable holds no second key.
        VaultForbiddenError, VaultUnavailableError: as for `rotate_key_file`.
    """
    if settings.key_file is not None:
        return rotate_key_file(settings.file, settings.key_file)
    keys = configured_keys(settings, environ)
    if len(keys) == 1:
        raise ConfigurationError(
            key="vault.key_env",
            problem=f"{settings.key_env} holds one key alone",
            remedy="Write a new one before it, with a space between them (openssl rand -base64 32), restart every "
            "process with that, and run this again.",
        )
    seal_with_first(settings.file, keys)
    return Rotation(old_key_stays=True)


def rotate_key_file(vault: Path, key_file: Path, *, lock_timeout_seconds: float = _LOCK_TIMEOUT_SECONDS) -> Rotation:
    """Seal the vault with a new key, and leave that alone in the key file. Blocks briefly.

    After an interrupted rotation this ends it, with the key that was made then.

    Raises:
        ConfigurationError: a file is missing, is another user's, or the key file cannot be read or written.
        VaultForbiddenError: no key in the key file opens the vault, or the vault is damaged.
        VaultUnavailableError: the vault could not be read or written, or stayed locked.
    """
    for setting, path in (("vault.file", vault), ("vault.key_file", key_file)):
        _check_owner(setting, path)
    file = SharedFile(vault, lock_timeout_seconds=lock_timeout_seconds)
    with file.locked():
        keys = read_key_file(key_file)
        was_begun = len(keys) > 1
        # Opened before anything is written: with a wrong key or a damaged vault nothing may change.
        _unsealed(file.read(), KeyRing(lambda: keys))
        if not was_begun:
            keys = (VaultKey.generate(), *keys)
            replace_key_file(key_file, keys)
        _seal_with_first(file, keys)
        replace_key_file(key_file, keys[:1])
    return Rotation(was_begun)


def seal_with_first(
    vault: Path, keys: tuple[VaultKey, ...], *, lock_timeout_seconds: float = _LOCK_TIMEOUT_SECONDS
) -> None:
    """Seal the vault with the first of `keys`, where another of them has sealed it. Blocks briefly.

    Raises:
        ConfigurationError: the vault is missing or another user's.
        VaultForbiddenError, VaultUnavailableError: as for `rotate_key_file`.
    """
    _check_owner("vault.file", vault)
    file = SharedFile(vault, lock_timeout_seconds=lock_timeout_seconds)
    with file.locked():
        _seal_with_first(file, keys)


def _seal_with_first(file: SharedFile, keys: tuple[VaultKey, ...]) -> None:
    ring, content = KeyRing(lambda: keys), file.read()
    secrets = _unsealed(content, ring)
    if not ring.newest.has_sealed(content):
        file.replace(ring.newest.seal(secrets))
    # Read back: the old key is dropped only for a file that the new one opens.
    ring.newest.unseal(file.read())


def _unsealed(content: bytes, ring: KeyRing) -> dict[str, str]:
    sealer = ring.sealer_of(content)
    if sealer is None:
        raise VaultForbiddenError("The vault file was sealed with another key than those that were given.")
    return sealer.unseal(content)


def _check_owner(setting: str, path: Path) -> None:
    """Files are replaced by new ones, which belong to who makes them: another user's processes could not read them."""
    try:
        owner = path.stat().st_uid
    except OSError as error:
        raise ConfigurationError(key=setting, problem=f"{path} cannot be looked at ({error.strerror})") from error
    if owner != os.geteuid():
        raise ConfigurationError(
            key=setting,
            problem=f"{path} belongs to another user (number {owner})",
            remedy="Run this command as the user that the connector runs as.",
        )
