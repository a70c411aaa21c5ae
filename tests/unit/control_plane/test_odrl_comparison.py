"""Comparing facts with right operands: a table of what is promised, and that nothing raises."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.odrl import Operator
from control_plane.domain.odrl_comparison import compare
from control_plane.domain.odrl_truth import Truth, every, exactly_one, negation, some

NOON = "2026-03-01T12:00:00Z"
NOON_IN_BERLIN = "2026-03-01T13:00:00+01:00"
LATER = "2026-03-01T12:00:00.5Z"


@pytest.mark.parametrize(
    ("fact", "operator", "right", "truth"),
    [
        # Texts.
        ("a", "eq", "a", True),
        ("a", "eq", "A", False),
        ("a", "neq", "b", True),
        ("a", "neq", "a", False),
        ("007", "eq", "7", False),
        ("a", "lt", "b", None),
        ("10", "gt", "9", True),
        # Numbers, and texts that are numbers.
        (5, "eq", 5.0, True),
        (5, "eq", "5", True),
        ("5", "neq", 5, False),
        ("5.0", "eq", 5, True),
        ("005", "eq", 5, None),
        (0.1, "eq", "0.1", True),
        (3, "lteq", 3, True),
        (3, "lt", 3, False),
        (4, "gteq", "3", True),
        (4, "gt", "x", None),
        (float("nan"), "eq", float("nan"), None),
        (float("inf"), "gt", 3, None),
        # Truth values are no numbers.
        (True, "eq", True, True),
        (True, "eq", 1, None),
        (1, "eq", True, None),
        (True, "gteq", False, None),
        ("true", "eq", True, None),
        # Instants.
        (NOON, "eq", NOON_IN_BERLIN, True),
        (NOON, "neq", NOON_IN_BERLIN, False),
        (NOON, "lt", LATER, True),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "lteq", NOON, True),
        (NOON, "lt", "2026-03-02T00:00:00", None),
        (NOON, "lt", "2026-03-02", None),
        (NOON, "lt", "9999-12-31T23:59:59-23:00", None),
        ("2026-02-30T12:00:00Z", "lt", NOON, None),
        # Lists are sets.
        (["a"], "eq", "a", True),
        (["a", "b"], "eq", ["b", "a"], True),
        (["a", "b"], "eq", "a", False),
        (["a", "b"], "neq", "a", True),
        (["a", "b"], "hasPart", "a", True),
        (["a", "b"], "hasPart", ["a", "c"], False),
        ("abc", "hasPart", "a", False),
        (["a", "b", "c"], "isAllOf", ["a", "b"], True),
        (["a"], "isAllOf", ["a", "b"], False),
        ("a", "isAnyOf", ["a", "b"], True),
        (["c", "a"], "isAnyOf", ["a", "b"], True),
        ("c", "isAnyOf", ["a", "b"], False),
        ("a", "isA", "a", True),
        (["a", "b"], "isA", "b", True),
        ("a", "isNoneOf", ["b", "c"], True),
        (["a", "b"], "isNoneOf", ["b", "c"], False),
        ([], "isNoneOf", ["a"], True),
        ([], "isAnyOf", ["a"], False),
        ([], "isPartOf", ["a"], False),
        ([], "eq", "a", False),
        (["a"], "isPartOf", ["a", "b"], True),
        (["a", "c"], "isPartOf", ["a", "b"], False),
        (["a"], "isAllOf", [], None),
        ([1, 2], "lt", 3, None),
        ([1], "lt", 3, True),
        # What makes no sense.
        (None, "eq", "a", None),
        (None, "neq", "a", None),
        ({"a": 1}, "eq", "a", None),
        ({"a": 1}, "isNoneOf", ["a"], None),
        (5, "isNoneOf", ["a"], None),
    ],
)
def test_what_a_comparison_means(fact: Any, operator: str, right: Any, truth: Truth) -> None:
    assert compare(fact, Operator(operator), right) is truth


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([NOON, LATER, "5", "-0.0", "1e999", "contractAgreement+1d"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, st.sampled_from(Operator), json_values)
def test_anything_may_be_compared_with_anything(fact: Any, operator: Operator, right: Any) -> None:
    assert compare(fact, operator, right) in {True, False, None}


@given(json_values, json_values)
def test_opposite_operators_give_opposite_answers(fact: Any, right: Any) -> None:
    assert compare(fact, Operator.NEQ, right) is negation(compare(fact, Operator.EQ, right))
    assert compare(fact, Operator.IS_NONE_OF, right) is negation(compare(fact, Operator.IS_ANY_OF, right))
    assert compare(fact, Operator.GT, right) is negation(compare(fact, Operator.LTEQ, right))
    assert compare(fact, Operator.LT, right) is negation(compare(fact, Operator.GTEQ, right))


truths = st.lists(st.sampled_from([True, False, None]), max_size=5)


@given(truths)
def test_de_morgan_holds_for_three_values(found: list[Truth]) -> None:
    opposite = [negation(truth) for truth in found]
    assert negation(every(found)) is some(opposite)
    assert negation(some(found)) is every(opposite)


@given(truths)
def test_what_cannot_be_told_is_told_only_when_it_makes_no_difference(found: list[Truth]) -> None:
    unknown = [i for i, truth in enumerate(found) if truth is None]
    completions = [
        [bool(bits >> unknown.index(i) & 1) if truth is None else truth for i, truth in enumerate(found)]
        for bits in range(2 ** len(unknown))
    ]
    plain: list[tuple[Callable[[list[Truth]], Truth], Callable[[list[bool]], bool]]] = [
        (every, all),
        (some, any),
        (exactly_one, lambda values: sum(values) == 1),
    ]
    for of_three, of_two in plain:
        answers = {of_two(completion) for completion in completions}
        assert of_three(found) is (answers.pop() if len(answers) == 1 else None)
