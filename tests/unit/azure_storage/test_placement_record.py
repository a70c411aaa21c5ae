"""The record of what was skipped or renamed: written and read back, and refused where it is not in its format."""

import pytest

from azure_storage.errors import MarkerMalformedError
from azure_storage.markers import is_marker
from azure_storage.placement_record import (
    PLACEMENT,
    PLACEMENT_PAGE_LINES,
    PlacementEntry,
    PlacementRecord,
    parse_placement_page,
    parse_placement_record,
    placed_by,
    placement_page,
    placement_page_name,
)
from azure_storage.relocation import MEBIBYTE, block_size

RECORD = PlacementRecord(
    process_id="t-1", placed_by="t-1%20n", if_exists="rename", objects=1, renamed=2, skipped=3, pages=1
)


def test_it_is_read_back_as_it_was_written() -> None:
    assert parse_placement_record(RECORD.to_bytes()) == RECORD
    entries = [PlacementEntry(name="a\u2028b.csv"), PlacementEntry(name="\u00e9.csv", placed_as="\u00e9.1.csv")]
    assert parse_placement_page(placement_page(entries), number=1) == entries


def test_a_receipt_check_passes_its_names_over() -> None:
    assert is_marker(PLACEMENT)
    assert is_marker(placement_page_name(1))


def test_the_mark_is_printable_whatever_the_client_chose_as_process_id() -> None:
    assert placed_by("\u00dcber trag", "n") == "%C3%9Cber%20trag%20n"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version":2}', RECORD.to_bytes() + b" " * 65536])
def test_a_root_that_is_not_in_the_format_is_refused(content: bytes) -> None:
    with pytest.raises(MarkerMalformedError):
        parse_placement_record(content)


@pytest.mark.parametrize("content", [b"{}\n", b'{"name":""}\n', b'{"name":"a"}\n' * (PLACEMENT_PAGE_LINES + 1)])
def test_a_page_that_is_not_in_the_format_is_refused(content: bytes) -> None:
    with pytest.raises(MarkerMalformedError):
        parse_placement_page(content, number=1)


@pytest.mark.parametrize(
    ("object_bytes", "size"),
    [(1, 64), (64 * MEBIBYTE * 50_000, 64), (64 * MEBIBYTE * 50_000 + 1, 65), (190 * 1024**4, 3985)],
)
def test_blocks_grow_with_the_object_for_there_are_at_most_fifty_thousand(object_bytes: int, size: int) -> None:
    assert block_size(object_bytes, 64 * MEBIBYTE) == size * MEBIBYTE
    assert -(-object_bytes // (size * MEBIBYTE)) <= 50_000
