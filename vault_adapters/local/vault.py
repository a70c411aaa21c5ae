"""The embedded vault's adapter: secrets in one sealed file that control plane and data plane share."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from connector_spi.errors import ConfigurationError, SecretNotFoundError
from vault_adapters.aliases import checked_alias, checked_value
from vault_adapters.local.errors import VaultKeyAwaitedError, VaultKeyUnknownError
from vault_adapters.local.key import VaultKey
from vault_adapters.local.key_ring import KeyRing
from vault_adapters.local.sealing import Sealer
from vault_adapters.local.storage import SharedFile

_LOCK_TIMEOUT_SECONDS: Final = 10.0
_LOOKS_FOR_A_KEY: Final = 3
"""The key may be changed again between a look at the vault and a look at the keys."""


class EncryptedLocalVault:
    """Implements `connector_spi.vault.Vault` on one file; made by `create` or `open`.

    Each read opens the file anew, so that what another process stored is seen at once and no plain secret is kept
    in memory. Each write seals the whole file again: meant for up to a few thousand secrets, more than one
    machine's transfers need (two for each running transfer); beyond that use a vault server.

    Only a rotation gives the vault another key: who writes seals with the key that the file has, whichever that is.
    """

    def __init__(self, file: SharedFile, keys: KeyRing) -> None:
        self._file = file
        self._keys = keys
        self._was_opened = False
        """Whether this process has had the vault's key: one that it does not know is a newer one then."""
        # One waiting thread for each vault: more would take the threads that the rest of the process needs.
        self._writing = asyncio.Lock()

    @classmethod
    def create(
        cls, path: Path, key: VaultKey | KeyRing, *, lock_timeout_seconds: float = _LOCK_TIMEOUT_SECONDS
    ) -> "EncryptedLocalVault":
        """Make an empty vault (mode 0600; its folder, if missing, 0700), or open the one that is there.

        Blocks briefly.

        Raises:
            VaultForbiddenError: there is one, of another key or damaged; or this user may not write there.
            VaultUnavailableError: the file could not be written.
        """
        vault = cls(SharedFile(path, lock_timeout_seconds=lock_timeout_seconds), _ring(key))
        vault._file.make_folder()
        with vault._file.locked():
            # Two processes may start at once on an empty folder: only the first one creates.
            if not vault._file.exists():
                vault._file.replace(vault._keys.newest.seal({}))
        vault._opened()
        return vault

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether there is a vault at `path`.

        Raises:
            VaultForbiddenError: this user may not look.
        """
        return SharedFile(path, lock_timeout_seconds=_LOCK_TIMEOUT_SECONDS).exists()

    @classmethod
    def open(
        cls, path: Path, key: VaultKey | KeyRing, *, lock_timeout_seconds: float = _LOCK_TIMEOUT_SECONDS
    ) -> "EncryptedLocalVault":
        """Open an existing vault and check that the key fits. Blocks for one read of the file.

        Raises:
            ConfigurationError: there is no file. (An empty vault made in the wrong place would look like lost
                secrets.)
            VaultForbiddenError: it was sealed with another key or is damaged; or this user may not read it.
            VaultUnavailableError: it could not be read.
        """
        vault = cls(SharedFile(path, lock_timeout_seconds=lock_timeout_seconds), _ring(key))
        if not vault._file.exists():
            raise ConfigurationError(
                key="vault.file",
                problem=f"{path} does not exist",
                remedy="Create the vault, or correct the path.",
            )
        vault._opened()
        return vault

    async def resolve(self, alias: str) -> str:
        """The secret's value; errors as for the port."""
        checked_alias(alias)
        secrets = await asyncio.to_thread(self._secrets)
        if alias not in secrets:
            raise SecretNotFoundError(alias=alias)
        return secrets[alias]

    async def store(self, alias: str, value: str) -> None:
        """Store or replace; errors as for the port."""
        checked_alias(alias)
        checked_value(value)
        await self._change(lambda secrets: secrets | {alias: value})

    async def delete(self, alias: str) -> None:
        """Remove the secret: the new content of the file does not hold it. Errors as for the port."""
        checked_alias(alias)
        await self._change(lambda secrets: {a: v for a, v in secrets.items() if a != alias})

    async def aliases(self, prefix: str = "") -> list[str]:
        """Every alias that starts with `prefix`, sorted; errors as for the port."""
        return sorted(alias for alias in await asyncio.to_thread(self._secrets) if alias.startswith(prefix))

    def forget(self, alias: str) -> None:
        """Nothing is kept: each read opens the file."""

    async def aclose(self) -> None:
        """Nothing to release: no file is held open between two calls."""

    async def _change(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        # A caller that is cancelled here does not stop the thread: the change is then made, or not, but never half.
        async with self._writing:
            await asyncio.to_thread(self._change_under_lock, change)

    def _change_under_lock(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        with self._file.locked():
            sealer, secrets = self._opened()
            # Written even if nothing changes: an earlier try may have failed after the rename, before it was durable.
            self._file.replace(sealer.seal(change(secrets)))

    def _secrets(self) -> dict[str, str]:
        return self._opened()[1]

    def _opened(self) -> tuple[Sealer, dict[str, str]]:
        """What the file holds, and what sealed it."""
        content = self._file.read()
        for _ in range(_LOOKS_FOR_A_KEY):
            sealer = self._keys.sealer_of(content)
            if sealer is not None:
                secrets = sealer.unseal(content)
                self._was_opened = True
                return sealer, secrets
            self._keys.look_again()
            content = self._file.read()
        newest = self._keys.newest
        try:
            return newest, newest.unseal(content)
        except VaultKeyUnknownError:
            if not self._was_opened:
                raise
            raise VaultKeyAwaitedError("The vault file got a new key, which this process does not have.") from None


def _ring(key: VaultKey | KeyRing) -> KeyRing:
    return key if isinstance(key, KeyRing) else KeyRing.of(key)
