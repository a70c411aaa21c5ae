"""How an object is cut into blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.domain.object_copy import MAX_BLOCKS, MEBIBYTE, CopyMode, block_ranges, block_size_for


@pytest.mark.parametrize(
    ("size", "block_size"),
    [
        (0, 8 * MEBIBYTE),
        (1, 8 * MEBIBYTE),
        (8 * MEBIBYTE, 8 * MEBIBYTE),
        (2048 * MEBIBYTE, 8 * MEBIBYTE),
        (MAX_BLOCKS * 8 * MEBIBYTE, 8 * MEBIBYTE),
        (MAX_BLOCKS * 8 * MEBIBYTE + 1, 9 * MEBIBYTE),
        (MAX_BLOCKS * 4000 * MEBIBYTE, 4000 * MEBIBYTE),
    ],
)
def test_the_block_size_grows_only_when_the_object_does_not_fit_into_fifty_thousand(size: int, block_size: int) -> None:
    assert block_size_for(size) == block_size


def test_blocks_that_a_service_copies_are_larger() -> None:
    assert block_size_for(1, CopyMode.SERVER_SIDE) == 32 * MEBIBYTE
    assert block_size_for(MAX_BLOCKS * 32 * MEBIBYTE + 1, CopyMode.SERVER_SIDE) == 33 * MEBIBYTE


def test_an_object_that_fits_into_no_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        block_size_for(MAX_BLOCKS * 4000 * MEBIBYTE + 1)


@given(st.integers(min_value=0, max_value=2**34), st.sampled_from(CopyMode))
def test_the_blocks_cover_the_object_without_gap_or_overlap(size: int, mode: CopyMode) -> None:
    end = 0
    for count, (index, offset, length) in enumerate(block_ranges(size, mode)):
        assert (index, offset) == (count, end)
        assert length > 0
        end += length
    assert end == size
