"""Azure's CRC64, which the service checks and answers as `x-ms-content-crc64`.

It is CRC-64/NVME (polynomial 0xAD93D23594C93659, reflected, inverted at both ends; the check value of `123456789` is
0xAE8B14860A799888), computed by the processor's own instructions in `awscrt` at memory speed and outside the
interpreter's lock. One number has two written forms, which must not be mixed: on the wire its eight bytes go least
significant first (as base64 in a header), in a manifest it is the number in hexadecimal, most significant digit first.
"""

import base64
import binascii
import re
from typing import Final

from awscrt import checksums

EMPTY_CRC64: Final = 0
"""The CRC64 of no bytes at all."""
_WIRE_BYTES: Final = 8
_HEX: Final = re.compile(r"[0-9a-f]{16}")


def crc64_of(data: bytes | bytearray | memoryview, previous: int = EMPTY_CRC64) -> int:
    """The CRC64 of `data`; with `previous`, the CRC64 of what it was computed of followed by `data`."""
    value: int = checksums.crc64nvme(data, previous)
    return value


def wire_crc64(value: int) -> bytes:
    """The eight bytes as they go on the wire, least significant first; base64 of them stands in the header."""
    return value.to_bytes(_WIRE_BYTES, "little")


def crc64_from_wire(raw: bytes) -> int:
    """The number that `wire_crc64` wrote.

    Raises:
        ValueError: it is not eight bytes.
    """
    if len(raw) != _WIRE_BYTES:
        raise ValueError(f"A CRC64 has {_WIRE_BYTES} bytes, not {len(raw)}.")
    return int.from_bytes(raw, "little")


def crc64_from_header(value: str | None) -> int | None:
    """The CRC64 that an answer's header states; None when it states none, or something else."""
    try:
        return crc64_from_wire(base64.b64decode(value, validate=True)) if value else None
    except (binascii.Error, ValueError):
        return None


def hex_crc64(value: int) -> str:
    """16 lower-case hexadecimal digits of the number, most significant first: the form in a manifest."""
    return f"{value:016x}"
