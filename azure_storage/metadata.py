"""Blob metadata: names and values that survive being HTTP headers.

The service takes printable ASCII only. What is not is percent-encoded as UTF-8, so that a name such as `Übersicht`
never stops a transfer.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from connector_spi.errors import InvalidInputError

MAX_METADATA_BYTES: Final = 8 * 1024
HEADER_PREFIX: Final = "x-ms-meta-"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F)))


def percent_encoded(text: str) -> str:
    """ASCII that `percent_decoded` turns back into exactly this text."""
    return quote(text, safe="")


def percent_decoded(value: str) -> str:
    """The text of a value that `percent_encoded` wrote."""
    return unquote(value)


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Request headers. Printable ASCII goes as it is, so that a source's own metadata arrives unchanged.

    Raises:
        InvalidInputError: a name is not an identifier, or names and values exceed MAX_METADATA_BYTES.
    """
    headers = {}
    for name, value in metadata.items():
        if not _NAME.fullmatch(name):
            raise InvalidInputError(
                field="metadata",
                value=name,
                problem="is not a name that the service accepts",
                remedy="Use letters, digits and underscores, not starting with a digit.",
            )
        headers[HEADER_PREFIX + name] = quote(value, safe=_PRINTABLE)
    size = sum(len(name) - len(HEADER_PREFIX) + len(value) for name, value in headers.items())
    if size > MAX_METADATA_BYTES:
        raise InvalidInputError(
            field="metadata",
            value=size,
            problem="is larger than the service accepts",
            remedy=f"Names and values together take at most {MAX_METADATA_BYTES} bytes.",
        )
    return headers
