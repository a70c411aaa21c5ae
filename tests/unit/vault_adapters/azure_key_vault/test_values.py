"""Values in Key Vault: readable where possible, and always the same text when they come back."""

import base64
import random
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_spi.errors import InvalidInputError, VaultForbiddenError
from vault_adapters.azure_key_vault.values import LONGEST_STORED, stored_form, value_of


@pytest.mark.parametrize(
    "value", ["sv=2025&sig=a%2B", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n", "schlüssel 鍵 🔑"]
)
def test_usual_values_stay_readable(value: str) -> None:
    assert stored_form(value) == value


def test_the_longest_plain_value_stays_readable() -> None:
    assert stored_form("x" * LONGEST_STORED) == "x" * LONGEST_STORED


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_text_comes_back(value: str) -> None:
    assert value_of(stored_form(value), alias="alias") == value


@pytest.mark.parametrize("value", ["\x00", " \t\n", "encoded:abc", "€" * 25_000, "\x7f"])
def test_what_may_be_changed_on_the_way_is_encoded(value: str) -> None:
    stored = stored_form(value)
    assert stored.startswith("encoded:")
    assert stored.isascii()
    assert len(stored) <= LONGEST_STORED
    assert value_of(stored, alias="alias") == value


def test_what_fits_in_no_form_is_refused_without_being_shown() -> None:
    value = "".join(random.Random(1).choices(string.ascii_letters + "\x00äöü€", k=25_000))  # noqa: S311 - a test text
    with pytest.raises(InvalidInputError, match="25000 bytes") as raised:
        stored_form(value)
    assert value[:20] not in str(raised.value)


@pytest.mark.parametrize(
    "stored",
    [
        "encoded:",
        "encoded:not base64",
        "encoded:" + base64.b64encode(b"no stream").decode(),
        "encoded:" + base64.b64encode(zlib.compress(b"cut off")[:-3]).decode(),
        "encoded:" + base64.b64encode(zlib.compress(b"x" * 1_000_000)).decode(),
        "encoded:" + base64.b64encode(zlib.compress(b"\xff\xff")).decode(),
    ],
)
def test_a_damaged_value_is_refused_by_alias(stored: str) -> None:
    with pytest.raises(VaultForbiddenError, match="'alias'"):
        value_of(stored, alias="alias")
