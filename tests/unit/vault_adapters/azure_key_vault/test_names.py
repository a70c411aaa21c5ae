"""Names in Key Vault: every alias has one, no two share one, and the alias can be told from it."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_adapters.azure_key_vault.names import LONGEST_NAME, alias_of, name_of, operators_name_of

ALIASES = st.text(string.ascii_letters + string.digits + "._/-", min_size=1, max_size=200)
CONFUSABLE = st.text("aAcChHxXdsu-._/1", min_size=1, max_size=12)
"""Letters that escapes are made of, so that neighbours meet."""


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("account-key", "account-key"),
        ("mystorage", "mystorage"),
        ("transfers/42/sas", "transfers--s42--ssas"),
        ("a.b", "a--db"),
        ("a_b", "a--ub"),
        ("A.b", "x-----ca--db"),
        ("a--b", "a--h-b"),
        ("a-", "a--h"),
        ("1a", "x---1a"),
        ("a" * 127, "a" * 127),
    ],
)
def test_a_name_stays_readable(alias: str, name: str) -> None:
    assert name_of(alias) == name
    assert alias_of(name) == alias


@given(ALIASES)
def test_every_alias_has_a_name_that_key_vault_takes(alias: str) -> None:
    assert re.fullmatch(r"[a-z][0-9a-z-]*", name_of(alias))
    assert len(name_of(alias)) <= LONGEST_NAME


@given(st.one_of(CONFUSABLE, ALIASES.filter(lambda alias: len(alias) <= 30)))
def test_the_alias_can_be_told_from_its_name_in_either_case(alias: str) -> None:
    assert alias_of(name_of(alias)) == alias
    assert alias_of(name_of(alias).upper()) == alias


@given(st.one_of(CONFUSABLE, ALIASES), st.one_of(CONFUSABLE, ALIASES))
def test_no_two_aliases_share_a_name(one: str, other: str) -> None:
    assert (name_of(one) == name_of(other)) == (one == other)


@given(st.text("acdhsux-1", min_size=1, max_size=14))
def test_a_name_is_of_one_alias_or_of_none(name: str) -> None:
    alias = alias_of(name)
    assert alias is None or name_of(alias) == name


@pytest.mark.parametrize("alias", ["a" * 128, "a" * 127 + "/", "/" * 43, "A" * 200])
def test_a_long_alias_is_hashed_and_not_told_from_its_name(alias: str) -> None:
    assert name_of(alias).startswith("hashed---")
    assert alias_of(name_of(alias)) is None


def test_long_aliases_that_differ_at_the_end_have_names_of_their_own() -> None:
    assert len({name_of("a" * 199 + last) for last in "ab.AB"}) == 5


@pytest.mark.parametrize(
    ("alias", "name"),
    [("MySecret", "MySecret"), ("1a", "1a"), ("a--b", "a--b"), ("a-", "a-"), ("account-key", None), ("a/b", None)],
)
def test_an_operators_name_is_the_alias_where_key_vault_takes_it(alias: str, name: str | None) -> None:
    assert operators_name_of(alias) == name
