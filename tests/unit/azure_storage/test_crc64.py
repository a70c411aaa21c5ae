import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure_storage.crc64 import (
    EMPTY_CRC64,
    crc64_from_header,
    crc64_from_wire,
    crc64_of,
    hex_crc64,
    wire_crc64,
)

CHECK_VALUE = 0xAE8B14860A799888
"""Of `123456789`, as the catalogue of CRC algorithms states it for CRC-64/NVME."""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_check_value_is_the_published_one(kind: type) -> None:
    assert crc64_of(kind(b"123456789")) == CHECK_VALUE
    assert crc64_of(kind(b"")) == EMPTY_CRC64


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_parts_make_the_crc64_of_the_whole_one_after_another(parts: list[bytes]) -> None:
    running = EMPTY_CRC64
    for part in parts:
        running = crc64_of(part, running)
    assert running == crc64_of(b"".join(parts))


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_both_written_forms_are_read_back(value: int) -> None:
    assert crc64_from_wire(wire_crc64(value)) == value
    assert int(hex_crc64(value), 16) == value


def test_the_wire_is_least_significant_first_and_the_manifest_most_significant_first() -> None:
    assert wire_crc64(CHECK_VALUE).hex() == "8898790a86148bae"
    assert hex_crc64(CHECK_VALUE) == "ae8b14860a799888"
    assert hex_crc64(1) == "0000000000000001"


def test_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        crc64_from_wire(b"1234567")


@pytest.mark.parametrize(
    ("header", "value"),
    [("iJh5CoYUi64=", CHECK_VALUE), (None, None), ("", None), ("iJh5CoYUi6", None), ("AAAA", None), ("ü", None)],
)
def test_a_header_that_states_no_crc64_counts_as_none(header: str | None, value: int | None) -> None:
    assert crc64_from_header(header) == value
