"""An alias has one name in the engine, and one alias alone has it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_adapters.hashicorp.names import alias_of, name_of

ALIASES = st.text(string.ascii_letters + string.digits + "._/-", min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("provideraccount", "provideraccount"),
        ("transfer-process-1-data-address", "transfer-process-1-data-address"),
        ("a.b_c-d", "a.b_c-d"),
        ("team/key", "team~2Fkey"),
        ("/a//b/", "~2Fa~2F~2Fb~2F"),
        (".", "~2E"),
        ("..", "~2E~2E"),
        ("../a", "~2E~2E~2Fa"),
        ("a..b", "a.~2Eb"),
    ],
)
def test_aliases_stay_readable_where_a_path_allows_it(alias: str, name: str) -> None:
    assert name_of(alias) == name
    assert alias_of(name) == alias


@given(ALIASES)
def test_a_name_is_one_plain_path_segment_and_leads_back(alias: str) -> None:
    name = name_of(alias)
    assert "/" not in name
    assert ".." not in name
    assert name != "."
    assert alias_of(name) == alias


@given(ALIASES, ALIASES)
def test_two_aliases_never_share_a_name(one: str, other: str) -> None:
    assert (name_of(one) == name_of(other)) == (one == other)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("transfers/", id="somebody's folder"),
        pytest.param("a b", id="not an alias"),
        pytest.param("", id="empty"),
        pytest.param("~61", id="escaped without need"),
        pytest.param("a~2fb", id="other case"),
        pytest.param("a~", id="half an escape"),
        pytest.param("a~7E2F", id="an escaped tilde"),
        pytest.param("..", id="not escaped"),
        pytest.param("x" * 201, id="too long"),
    ],
)
def test_what_is_not_ours_has_no_alias(name: str) -> None:
    assert alias_of(name) is None


@given(st.text(max_size=50))
def test_whatever_has_an_alias_is_found_under_it(name: str) -> None:
    alias = alias_of(name)
    assert alias is None or name_of(alias) == name
