"""The embedded vault: one encrypted file that the processes of one machine share. Needs a POSIX system.

`vault` is the adapter, `key` the key that opens it, `sealing` the format of the file, `storage` how the file is
read and replaced without ever being half written.
"""

from vault_adapters.local.key import VaultKey, create_key_file, read_key_file
from vault_adapters.local.vault import EncryptedLocalVault

__all__ = ["EncryptedLocalVault", "VaultKey", "create_key_file", "read_key_file"]
