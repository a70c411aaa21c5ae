"""The keys that a process has for a vault, and where it looks for others when the vault has got a new one."""

from collections.abc import Callable, Sequence
from typing import Final

from connector_spi.errors import ConfigurationError
from vault_adapters.local.errors import VaultKeyAwaitedError
from vault_adapters.local.key import VaultKey
from vault_adapters.local.sealing import Sealer

ReadKeys = Callable[[], Sequence[VaultKey]]


class KeyRing:
    """Finds the key of what is in the vault file. Safe for use by several threads."""

    def __init__(self, read: ReadKeys) -> None:
        """`read`: where the keys are, newest first. Read at once, and again when the vault has an unknown key.

        Raises:
            ConfigurationError: as `read` does.
        """
        self._read: Final = read
        self._sealers = _sealers(read())

    @classmethod
    def of(cls, key: VaultKey) -> "KeyRing":
        """A ring that never changes."""
        return cls(lambda: (key,))

    @property
    def newest(self) -> Sealer:
        """What a vault that is made anew is sealed with."""
        return self._sealers[0]

    def sealer_of(self, content: bytes) -> Sealer | None:
        """What sealed this content; None when none of the keys did."""
        return next((sealer for sealer in self._sealers if sealer.has_sealed(content)), None)

    def look_again(self) -> None:
        """Read the keys again: somebody else may have given the vault a new one.

        Raises:
            VaultKeyAwaitedError: they cannot be read now.
        """
        try:
            self._sealers = _sealers(self._read())
        except ConfigurationError as error:
            raise VaultKeyAwaitedError(
                f"The vault file was sealed with another key than the one that was given, and {error.key} "
                f"cannot be read again."
            ) from error


def _sealers(keys: Sequence[VaultKey]) -> tuple[Sealer, ...]:
    return tuple(Sealer(key) for key in keys)
