"""The format of the embedded vault's file: all secrets as one authenticated message.

    magic and format version   8 bytes   b"DSVAULT" 0x01
    key check value           16 bytes   which key sealed this; tells nothing about the key
    nonce                     12 bytes   random, new for every message
    message and tag            n bytes   AES-256-GCM over JSON {alias: value}; the 36 bytes above are
                                         authenticated with it

One message rather than one record per secret: nobody without the key can read, change, remove, swap or bring back
a single entry, and the aliases, which tell about business partners, are hidden too. What this cannot see is an
older copy of the whole file put in its place; only the folder's permissions stand against that.

Sealing key and check value are derived from the vault key by HKDF (RFC 5869), so neither tells the other. A random
nonce of 96 bits is good for 2^32 messages under one key (NIST SP 800-38D, section 8.3): a write each second for
136 years.
"""

import hmac
import json
import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import ConfigDict, TypeAdapter

from connector_spi.errors import VaultForbiddenError
from vault_adapters.local.errors import VaultKeyUnknownError
from vault_adapters.local.key import VaultKey

_MAGIC: Final = b"DSVAULT\x01"
_CHECK_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = len(_MAGIC) + _CHECK_BYTES + _NONCE_BYTES

_SECRETS: Final = TypeAdapter(dict[str, str], config=ConfigDict(hide_input_in_errors=True))


class Sealer:
    """Seals and opens messages under one key."""

    def __init__(self, key: VaultKey) -> None:
        self._cipher = AESGCM(_derived(key, b"sealing", 32))
        self._check = _derived(key, b"check value", _CHECK_BYTES)

    def seal(self, secrets: Mapping[str, str]) -> bytes:
        """The content of the file."""
        nonce = os.urandom(_NONCE_BYTES)
        header = _MAGIC + self._check + nonce
        message = json.dumps(dict(secrets), ensure_ascii=False, separators=(",", ":")).encode()
        return header + self._cipher.encrypt(nonce, message, header)

    def has_sealed(self, content: bytes) -> bool:
        """Whether this key is the one that the header names; tells nothing about what comes after it."""
        return hmac.compare_digest(content[len(_MAGIC) : len(_MAGIC) + _CHECK_BYTES], self._check)

    def unseal(self, content: bytes) -> dict[str, str]:
        """The secrets by alias.

        Raises:
            VaultForbiddenError: this is no vault file, or it was sealed with another key, or changed since.
        """
        header, message = content[:_HEADER_BYTES], content[_HEADER_BYTES:]
        if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
            raise VaultForbiddenError("The vault file is damaged: it is not a vault file of a known format.")
        if not self.has_sealed(content):
            raise VaultKeyUnknownError("The vault file was sealed with another key than the one that was given.")
        try:
            opened = self._cipher.decrypt(header[-_NONCE_BYTES:], message, header)
        except InvalidTag:
            raise VaultForbiddenError("The vault file was changed or damaged since it was sealed.") from None
        return _SECRETS.validate_json(opened)


def _derived(key: VaultKey, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"dataspace connector vault 1: " + purpose).derive(key.secret)
