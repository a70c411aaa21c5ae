"""The key of the embedded vault: 256 random bits, as base64 text in a file that only its owner may read.

Where a key is read from there may be several, each on a line of its own: while the vault goes from one key to the
next. The first is the one that the vault gets, or has already.
"""

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector_spi.errors import ConfigurationError, ConflictError
from vault_adapters.local.storage import sync_folder

_KEY_BYTES: Final = 32
_MOST_KEYS: Final = 8
_LONGEST_FILE: Final = 1024
"""Bytes; a longer file is not a key, and is not read into memory to find that out."""


@dataclass(frozen=True, slots=True)
class VaultKey:
    """256 bits. Its repr does not show them."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != _KEY_BYTES:
            raise ValueError(f"a vault key has {_KEY_BYTES} bytes, not {len(self.secret)}")

    @classmethod
    def generate(cls) -> "VaultKey":
        """A new key from the system's random source."""
        return cls(secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def parse(cls, text: str, *, setting: str) -> "VaultKey":
        """Read the text form; `setting` names where it came from.

        Raises:
            ConfigurationError: it is not the base64 text of 32 bytes. The text itself is not shown.
        """
        try:
            return cls(base64.b64decode(text.strip().encode("ascii"), validate=True))
        except (UnicodeEncodeError, binascii.Error, ValueError):
            raise ConfigurationError(
                key=setting,
                problem=f"is not a vault key, which is the base64 text of {_KEY_BYTES} random bytes",
                remedy="Use the key that the vault was created with.",
            ) from None

    def to_text(self) -> str:
        """The text form: base64, 44 characters."""
        return base64.b64encode(self.secret).decode("ascii")


def parse_keys(text: str, *, setting: str) -> tuple[VaultKey, ...]:
    """The keys in `text`, with white space between them; the first is the vault's newest.

    Raises:
        ConfigurationError: there is none, there are too many, or one is no key.
    """
    texts = text.split()
    if len(texts) > _MOST_KEYS:
        raise ConfigurationError(
            key=setting,
            problem=f"holds {len(texts)} keys; there may be {_MOST_KEYS}",
            remedy="Leave only the newest one and those that the vault may still be sealed with.",
        )
    return tuple(VaultKey.parse(each, setting=setting) for each in texts or [""])


def create_key_file(path: Path) -> VaultKey:
    """Write a new key to `path` (mode 0600; its folder, if missing, 0700) and return it.

    Raises:
        ConflictError: there is a file already; overwriting a key would lose its vault.
        ConfigurationError: the file cannot be written.
    """
    key = VaultKey.generate()
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(draft, key.to_text() + "\n")
        _publish(draft, path)
    except OSError as error:
        raise _unusable(path, f"cannot be written ({error.strerror})") from error
    return key


def replace_key_file(path: Path, keys: Sequence[VaultKey]) -> None:
    """Write these keys in the place of those in `path`; another process reads the old ones or the new ones.

    Durable when this returns. Callers take turns by the vault's lock.

    Raises:
        ConfigurationError: the file cannot be written; the old one stands.
    """
    path = path.resolve()
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        _write_private(draft, "".join(f"{key.to_text()}\n" for key in keys))
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unusable(path, f"cannot be written ({error.strerror})") from error


def read_key_file(path: Path) -> tuple[VaultKey, ...]:
    """Read the keys; a file that others may read is refused, because its keys must be counted as known to them.

    Raises:
        ConfigurationError: the file is missing, is readable by others, or holds something else than keys.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_LONGEST_FILE)
    except FileNotFoundError:
        raise _unusable(path, "does not exist", "Create a key, or name the file that holds it.") from None
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from error
    if mode & 0o077:
        raise _unusable(
            path,
            f"may be read or written by others (mode {mode:04o})",
            "Run chmod 600 on it, or make a new key.",
        )
    return parse_keys(content.decode("ascii", errors="replace"), setting="vault.key_file")


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _publish(draft: Path, path: Path) -> None:
    """A link appears whole or not at all, and never replaces: no other process reads half a key."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise ConflictError(f"The key file {path} exists already and was not touched.") from None
    finally:
        draft.unlink()


def _unusable(path: Path, problem: str, remedy: str = "") -> ConfigurationError:
    return ConfigurationError(key="vault.key_file", problem=f"{path} {problem}", remedy=remedy)
