"""The embedded vault: one encrypted file that the processes of one machine share. Needs a POSIX system.

`vault` is the adapter, `key` the key that opens it, `configured_keys` where the settings say that it is, `key_ring` the
keys that a process has, `rotation` the change from one key to the next, `sealing` the format of the file, `errors` what
is said of keys, `storage` how the file is read and replaced without ever being half written.
"""

from vault_adapters.local.configured_keys import configured_keys
from vault_adapters.local.key import VaultKey, create_key_file, parse_keys, read_key_file
from vault_adapters.local.key_ring import KeyRing
from vault_adapters.local.rotation import Rotation, rotate_key, rotate_key_file, seal_with_first
from vault_adapters.local.vault import EncryptedLocalVault

__all__ = [
    "EncryptedLocalVault",
    "KeyRing",
    "Rotation",
    "VaultKey",
    "configured_keys",
    "create_key_file",
    "parse_keys",
    "read_key_file",
    "rotate_key",
    "rotate_key_file",
    "seal_with_first",
]
