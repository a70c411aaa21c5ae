import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure_storage.metadata import metadata_headers, percent_decoded, percent_encoded
from connector_spi.errors import InvalidInputError


@given(st.text())
def test_any_text_survives_encoding_as_printable_ascii(text: str) -> None:
    encoded = percent_encoded(text)
    assert all(" " < character <= "~" for character in encoded)
    assert percent_decoded(encoded) == text


def test_printable_ascii_goes_as_it_is() -> None:
    assert metadata_headers({"note": "50% of a b"}) == {"x-ms-meta-note": "50% of a b"}


@given(st.text(max_size=50))
def test_no_value_breaks_out_of_its_header(value: str) -> None:
    (header,) = metadata_headers({"note": value}).values()
    assert all(" " <= character <= "~" for character in header)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "ü", "a\r\nb"])
def test_a_name_that_the_service_refuses_is_refused_here(name: str) -> None:
    with pytest.raises(InvalidInputError, match="metadata"):
        metadata_headers({name: "x"})


def test_more_than_the_service_takes_is_refused() -> None:
    assert metadata_headers({"n": "x" * 8191})
    with pytest.raises(InvalidInputError, match="larger"):
        metadata_headers({"n": "x" * 8192})
