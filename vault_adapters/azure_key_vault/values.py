"""Values as Key Vault takes them: plain text wherever possible, so that operators can read and set it themselves.

Key Vault keeps up to 25,000 bytes. A longer text, a blank one, and one with control characters, which not every tool
on the way leaves alone, is written as `encoded:` and the base64 form of its zlib stream.
"""

import base64
import binascii
import unicodedata
import zlib
from typing import Final

from connector_spi.errors import InvalidInputError, VaultForbiddenError

LONGEST_STORED: Final = 25_000
"""Bytes of UTF-8. Source: learn.microsoft.com/azure/key-vault/secrets/about-secrets."""

_ENCODED: Final = "encoded:"
_LONGEST_DECODED: Final = 100_000
"""Bytes; 25,000 characters have no more. A small stream of a huge text is not unpacked."""


def stored_form(value: str) -> str:
    """The text that is stored for this value.

    Raises:
        InvalidInputError: it does not fit, not even packed; 25,000 bytes always fit plain.
    """
    if _is_plain(value):
        return value
    stored = _ENCODED + base64.b64encode(zlib.compress(value.encode(), level=9)).decode("ascii")
    if len(stored) > LONGEST_STORED:
        raise InvalidInputError(
            field="value",
            value=f"{len(value)} characters",
            problem=f"Key Vault keeps {LONGEST_STORED} bytes, and these are more in every form",
        )
    return stored


def value_of(stored: str, *, alias: str) -> str:
    """The value that was stored as this text.

    Raises:
        VaultForbiddenError: it begins like an encoded value and is none.
    """
    if not stored.startswith(_ENCODED):
        return stored
    try:
        return _unpacked(base64.b64decode(stored.removeprefix(_ENCODED), validate=True)).decode()
    except (binascii.Error, zlib.error, ValueError):
        raise VaultForbiddenError(
            f"The secret {alias!r} in Key Vault is damaged: it begins with {_ENCODED!r} and cannot be decoded."
        ) from None


def _unpacked(stream: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(stream, _LONGEST_DECODED)
    if not unpacker.eof:
        raise ValueError("the stream does not end within the limit")
    return text


def _is_plain(value: str) -> bool:
    if value.startswith(_ENCODED) or not value.strip() or len(value.encode()) > LONGEST_STORED:
        return False
    return all(sign in "\t\r\n" or unicodedata.category(sign) != "Cc" for sign in value)
