"""What permits use: permissions, prohibitions, duties and obligations, and everything that cannot be told denies."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_spi.errors import ConfigurationError, InvalidInputError, PermanentError, StoreUnavailableError
from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.odrl import AtomicConstraint
from control_plane.domain.odrl_truth import Truth, every, exactly_one, some
from control_plane.domain.policy import Policy
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.policy_functions import built_in
from tests.control_plane_entities import NOW, USE
from tests.unit.control_plane.policy_rig import Told, constraint, context, permitting, rule

ENGINE = PolicyEngine([Told()])
YES, NO, UNKNOWN = (constraint("fact", "eq", answer) for answer in ("yes", "no", "unknown"))
NEVER_HEARD_OF = constraint("spatial", "eq", "DE")


async def permitted(policy: Policy, engine: PolicyEngine = ENGINE) -> bool:
    return await engine.denial(policy, context()) is None


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (USE, True),
        (Policy(), False),
        (permitting(YES), True),
        (permitting(NO), False),
        (permitting(UNKNOWN), False),
        (permitting(NEVER_HEARD_OF), False),
        (permitting(YES, NO), False),
        # Every permission counts, as in EDC: one that does not hold is not replaced by one that does.
        (Policy(permissions=(rule(YES), rule(YES))), True),
        (Policy(permissions=(rule(YES), rule(NO))), False),
        # A prohibition applies when all its constraints do, and when that cannot be told.
        (Policy(permissions=(rule(),), prohibitions=(rule(),)), False),
        (Policy(permissions=(rule(),), prohibitions=(rule(YES),)), False),
        (Policy(permissions=(rule(),), prohibitions=(rule(NO),)), True),
        (Policy(permissions=(rule(),), prohibitions=(rule(UNKNOWN),)), False),
        (Policy(permissions=(rule(),), prohibitions=(rule(NEVER_HEARD_OF),)), False),
        (Policy(permissions=(rule(),), prohibitions=(rule(YES, NO),)), True),
        (Policy(permissions=(rule(),), prohibitions=(rule(UNKNOWN, NO),)), True),
        (Policy(permissions=(rule(),), prohibitions=(rule(NO), rule(YES))), False),
        # Duties and obligations have to hold.
        (Policy(permissions=(rule(duty=[rule(YES)]),)), True),
        (Policy(permissions=(rule(duty=[rule(NO)]),)), False),
        (Policy(permissions=(rule(),), obligations=(rule(YES),)), True),
        (Policy(permissions=(rule(),), obligations=(rule(YES), rule(UNKNOWN))), False),
        # What is not understood denies, wherever it stands.
        (Policy(permissions=({"action": "sell"},)), False),
        (Policy(permissions=(rule(),), prohibitions=({"action": "sell"},)), False),
        (Policy(permissions=(rule(),), obligations=({"action": "delete"},)), False),
        (Policy(permissions=(rule(),), extra={"inheritFrom": "p"}), False),
        (permitting({"leftOperand": "fact"}), False),
        # Logic.
        (permitting({"or": [NO, YES]}), True),
        (permitting({"or": [NO, UNKNOWN]}), False),
        (permitting({"or": [NEVER_HEARD_OF, YES]}), True),
        (permitting({"and": [YES, YES]}), True),
        (permitting({"andSequence": [YES, UNKNOWN]}), False),
        (permitting({"xone": [YES, NO]}), True),
        (permitting({"xone": [YES, YES]}), False),
        # Were the unknown one taken for False, this would be permitted though both may hold.
        (permitting({"xone": [YES, UNKNOWN]}), False),
        (Policy(permissions=(rule(),), prohibitions=(rule({"xone": [YES, YES]}),)), True),
    ],
)
async def test_what_permits_use(policy: Policy, expected: bool) -> None:
    assert await permitted(policy) is expected


trees: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.sampled_from([YES, NO, UNKNOWN]),
    lambda inner: st.builds(
        lambda name, operands: {name: operands},
        st.sampled_from(["and", "or", "xone", "andSequence"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=10,
)


def truth_of(tree: Mapping[str, Any]) -> Truth:
    if "rightOperand" in tree:
        return {"yes": True, "no": False}.get(tree["rightOperand"])
    [(name, operands)] = tree.items()
    return {"and": every, "or": some, "xone": exactly_one, "andSequence": every}[name](map(truth_of, operands))


def depth(tree: Mapping[str, Any]) -> int:
    return 1 if "rightOperand" in tree else 1 + max(depth(inner) for inner in next(iter(tree.values())))


@given(trees.filter(lambda tree: depth(tree) <= 8))
async def test_permissions_and_prohibitions_are_each_safe(tree: dict[str, Any]) -> None:
    truth = truth_of(tree)
    assert await permitted(permitting(tree)) is (truth is True)
    assert await permitted(Policy(permissions=(rule(),), prohibitions=(rule(tree),))) is (truth is False)


async def test_the_reason_names_the_constraint_and_no_claim() -> None:
    engine = PolicyEngine(built_in(memory_stores().transfer_processes))
    policy = permitting(constraint("claim:level", "gteq", 3))
    reason = await engine.denial(policy, context(claims={"level": 1, "secret": "PLANTED"}))
    assert reason == "The permission does not apply: claim:level gteq 3 does not hold."
    assert await engine.denial(policy, context()) == (
        "The permission does not apply: claim:level gteq 3 cannot be evaluated."
    )
    prohibited = Policy(permissions=(rule(),), prohibitions=(rule(constraint("participantId", "eq", "did:web:them")),))
    assert await engine.denial(prohibited, context()) == "Use is prohibited: participantId eq did:web:them."


async def test_a_reason_has_a_limit() -> None:
    many = permitting({"or": [constraint("fact", "isAnyOf", ["no" * 300])] * 100})
    assert len(await ENGINE.denial(many, context()) or "") == 1000


async def test_a_function_that_cannot_read_its_fact_now_is_asked_again_later() -> None:
    engine = PolicyEngine([Told(error=StoreUnavailableError("The database does not answer."))])
    with pytest.raises(StoreUnavailableError):
        await engine.denial(permitting(YES), context())


@pytest.mark.parametrize("error", [ValueError("PLANTED"), PermanentError("PLANTED")])
async def test_a_function_that_fails_denies_and_is_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    engine = PolicyEngine([Told(error=error)])
    with caplog.at_level(logging.ERROR):
        reason = await engine.denial(permitting(YES), context())
    assert reason is not None
    assert "PLANTED" not in reason
    assert "a policy function failed" in caplog.text


class Careless(Told):
    """Answers with anything, and cannot tell when that changes."""

    async def holds(self, constraint: AtomicConstraint, context: PolicyContext) -> Any:
        del context
        return constraint.right

    def changes_at(self, constraint: AtomicConstraint, context: PolicyContext) -> datetime | None:
        raise ValueError("PLANTED")


@pytest.mark.parametrize("answer", ["yes", "", 1, 0])
async def test_whatever_is_no_truth_value_cannot_be_told(answer: Any) -> None:
    engine = PolicyEngine([Careless()])
    asked = {"or": [constraint("fact", "eq", answer)]}
    assert not await permitted(permitting(asked), engine)
    assert not await permitted(Policy(permissions=(rule(),), prohibitions=(rule(asked),)), engine)


def test_a_function_that_fails_to_tell_when_its_answer_changes_hides_no_other() -> None:
    engine = PolicyEngine([*built_in(memory_stores().transfer_processes), Careless()])
    soon = constraint("inForceDate", "lt", (NOW + timedelta(days=1)).isoformat())
    assert engine.changes_at(permitting(YES, soon), context()) == NOW + timedelta(days=1)


async def test_a_function_is_asked_only_where_its_fact_is_known() -> None:
    engine = PolicyEngine([Told(scopes=frozenset({PolicyScope.CATALOG}))])
    assert await engine.denial(permitting(YES), context(PolicyScope.CATALOG)) is None
    assert await engine.denial(permitting(YES), context(PolicyScope.TRANSFER)) is not None


async def test_a_prefix_answers_to_what_begins_with_it_and_the_longest_one_counts() -> None:
    engine = PolicyEngine([Told("a:"), Told("a:b:", error=ValueError()), Told("a:exact", error=ValueError())])
    assert await engine.denial(permitting(constraint("a:x", "eq", "yes")), context()) is None
    assert await engine.denial(permitting(constraint("a:b:x", "eq", "yes")), context()) is not None
    assert await engine.denial(permitting(constraint("a:exact", "eq", "yes")), context()) is not None


def test_a_name_belongs_to_one_function() -> None:
    with pytest.raises(ConfigurationError, match="'shared'"):
        PolicyEngine([Told("one", "shared"), Told("shared")])


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        (permitting(YES, NEVER_HEARD_OF), "policy.permission[0].constraint[1].leftOperand"),
        (
            Policy(permissions=(rule(),), prohibitions=(rule({"or": [YES, NEVER_HEARD_OF]}),)),
            "policy.prohibition[0].constraint[0].or[1].leftOperand",
        ),
        (
            Policy(permissions=(rule(duty=rule(NEVER_HEARD_OF)),)),
            "policy.permission[0].duty[0].constraint[0].leftOperand",
        ),
        (
            Policy(permissions=(rule(),), obligations=(rule(NEVER_HEARD_OF),)),
            "policy.obligation[0].constraint[0].leftOperand",
        ),
        (Policy(permissions=({"action": "sell"},)), "policy.permission[0].action"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_at_definition(policy: Policy, place: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        ENGINE.check_understood(policy)
    assert caught.value.field == place


def test_an_unknown_left_operand_is_told_what_is_known() -> None:
    with pytest.raises(InvalidInputError, match="Use one of: fact"):
        ENGINE.check_understood(permitting(NEVER_HEARD_OF))


@pytest.mark.parametrize(
    ("policy", "conditional"),
    [
        (USE, False),
        (permitting(YES), True),
        (Policy(permissions=(rule(),), prohibitions=(rule(NO),)), True),
        (Policy(permissions=(rule(duty=rule(NO)),)), True),
        (Policy(permissions=({"action": "sell"},)), True),
    ],
)
def test_only_constraints_make_a_policy_conditional(policy: Policy, conditional: bool) -> None:
    assert ENGINE.is_conditional(policy) is conditional


def test_the_next_change_is_the_earliest_one_to_come() -> None:
    engine = PolicyEngine(built_in(memory_stores().transfer_processes))
    window = [
        constraint("inForceDate", "gteq", (NOW - timedelta(days=1)).isoformat()),
        {"or": [constraint("inForceDate", "lteq", (NOW + timedelta(days=n)).isoformat()) for n in (3, 2)]},
    ]
    assert engine.changes_at(permitting(*window), context()) == NOW + timedelta(days=2)
    assert engine.changes_at(USE, context()) is None
    assert engine.changes_at(Policy(permissions=({"action": "sell"},)), context()) is None
