"""The built-in left operands: time windows, who the counterparty is, what it was proven to be, how often it came."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_spi.errors import InvalidInputError
from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.odrl import AtomicConstraint, Operator
from control_plane.domain.odrl_truth import Truth
from control_plane.domain.policy_context import PolicyScope
from control_plane.domain.transfer_process import TransferProcess, TransferProcessType
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.policy_functions import built_in
from control_plane.services.policy_functions.time_window import TimeWindow
from control_plane.services.policy_functions.usage_count import COUNT_MAX, UsageCount
from tests import control_plane_entities as examples
from tests.control_plane_entities import NOW, moment
from tests.unit.control_plane.policy_rig import constraint, context, permitting

SIGNED_YESTERDAY = examples.agreement(signed_at=NOW - timedelta(days=1))
THEM = "did:web:them"


def engine(store: TransferProcessStore | None = None) -> PolicyEngine:
    return PolicyEngine(built_in(store or memory_stores().transfer_processes))


async def holds(left: str, operator: str, right: Any, **facts: Any) -> bool:
    return await engine().denial(permitting(constraint(left, operator, right)), context(**facts)) is None


@pytest.mark.parametrize("left", ["inForceDate", "https://w3id.org/edc/v0.0.1/ns/inForceDate", "odrl:dateTime"])
@pytest.mark.parametrize(
    ("operator", "seconds", "expected"),
    [("gteq", 0, True), ("gt", 0, False), ("lteq", 0, True), ("lt", 1, True), ("lt", -1, False), ("neq", 5, True)],
)
async def test_an_absolute_window(left: str, operator: str, seconds: int, expected: bool) -> None:
    assert await holds(left, operator, moment(seconds).isoformat()) is expected


@pytest.mark.parametrize(
    ("operator", "right", "expected"),
    [
        ("lteq", "contractAgreement+2d", True),
        ("lteq", "contractAgreement + 24h", True),
        ("lteq", "contractAgreement+1439m", False),
        ("lt", "contractagreement + 86400 s", False),
        ("gteq", "contractAgreement+0s", True),
        ("gteq", "contractAgreement+-1h", True),
        ("gteq", "contractAgreement - 1h", True),
        ("lteq", "contractAgreement-1h", False),
    ],
)
async def test_a_window_that_counts_from_the_agreement(operator: str, right: str, expected: bool) -> None:
    assert await holds("inForceDate", operator, right, agreement=SIGNED_YESTERDAY) is expected


@pytest.mark.parametrize("scope", [PolicyScope.CATALOG, PolicyScope.NEGOTIATION])
async def test_before_there_is_an_agreement_the_window_counts_from_now(scope: PolicyScope) -> None:
    assert await holds("inForceDate", "lteq", "contractAgreement+1s", scope=scope)
    assert not await holds("inForceDate", "lteq", "contractAgreement-1s", scope=scope)


@pytest.mark.parametrize(
    "right",
    [
        "2027-01-01",
        "2027-01-01T00:00:00",
        "2027-13-01T00:00:00Z",
        "contractAgreement",
        "contractAgreement+30",
        "contractAgreement+30w",
        "contractAgreement+1.5d",
        "contractAgreement+99999999d",
        "tomorrow",
        5,
        True,
        ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"],
    ],
)
def test_what_is_no_instant_is_refused_at_definition(right: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        engine().check_understood(permitting(constraint("inForceDate", "lteq", right)))
    assert caught.value.field == "policy.permission[0].constraint[0].rightOperand"


@given(
    st.sampled_from([Operator.LT, Operator.LTEQ, Operator.GT, Operator.GTEQ, Operator.EQ, Operator.NEQ]),
    st.integers(-5, 5) | st.integers(-(10**12), 10**12),
)
async def test_no_answer_changes_before_the_next_change(operator: Operator, seconds: int) -> None:
    window = TimeWindow()
    window_bound = AtomicConstraint("inForceDate", operator, f"contractAgreement+{seconds}s")
    facts = context(agreement=examples.agreement(signed_at=NOW))
    changes_at = window.changes_at(window_bound, facts)
    now = await window.holds(window_bound, facts)
    far = context(agreement=facts.agreement, now=NOW + timedelta(days=200_000))
    if changes_at is None:
        assert await window.holds(window_bound, far) is now
        return
    assert changes_at > NOW
    before = context(agreement=facts.agreement, now=changes_at - timedelta(microseconds=1))
    assert await window.holds(window_bound, before) is now


@pytest.mark.parametrize(
    ("left", "operator", "right", "expected"),
    [
        ("participantId", "eq", THEM, True),
        ("https://w3id.org/edc/v0.0.1/ns/participantId", "eq", THEM, True),
        ("odrl:assignee", "eq", {"@id": THEM}, True),
        ("https://w3id.org/dspace/2025/1/participantId", "eq", "did:web:others", False),
        ("participantId", "neq", "did:web:others", True),
        ("participantId", "isAnyOf", ["did:web:others", THEM], True),
        ("participantId", "isPartOf", ["did:web:others"], False),
        ("participantId", "isNoneOf", [THEM], False),
    ],
)
async def test_who_the_counterparty_is(left: str, operator: str, right: Any, expected: bool) -> None:
    assert await holds(left, operator, right, participant_id=THEM) is expected


CLAIMS = {
    "role": "processor",
    "roles": ["a", "b"],
    "level": 3,
    "trusted": True,
    "membership": {"since": "2026-01-01T00:00:00Z", "of": {"name": "a dataspace"}},
    "https://example.org/claims/role": "auditor",
    "membership.level": 7,
    "nothing": None,
}


@pytest.mark.parametrize(
    ("path", "operator", "right", "expected"),
    [
        ("role", "eq", "processor", True),
        ("roles", "hasPart", "b", True),
        ("roles", "isAnyOf", ["c", "b"], True),
        ("level", "gteq", "3", True),
        ("trusted", "eq", True, True),
        ("trusted", "eq", "true", False),
        ("membership.since", "lt", "2026-06-01T00:00:00Z", True),
        ("membership.of.name", "eq", "a dataspace", True),
        ("membership.level", "eq", 7, True),
        ("https://example.org/claims/role", "eq", "auditor", True),
        ("membership", "neq", "a", False),
        ("nothing", "neq", "a", False),
        ("absent", "eq", "a", False),
        ("absent", "neq", "a", False),
        ("absent", "isNoneOf", ["a"], False),
        ("role.name", "eq", "a", False),
        ("membership.of.absent", "neq", "a", False),
    ],
)
async def test_what_was_proven_about_the_counterparty(path: str, operator: str, right: Any, expected: bool) -> None:
    assert await holds(f"claim:{path}", operator, right, claims=CLAIMS) is expected


@pytest.mark.parametrize(
    ("left", "operator", "right", "member"),
    [
        ("claim:", "eq", "a", "leftOperand"),
        ("claim:...", "eq", "a", "leftOperand"),
        ("claim:" + "a" * 300, "eq", "a", "leftOperand"),
        ("claim:" + "a." * 16 + "a", "eq", "a", "leftOperand"),
        ("participantId", "gt", "a", "operator"),
        ("participantId", "eq", 5, "rightOperand"),
        ("participantId", "isAnyOf", ["a", ""], "rightOperand"),
        ("inForceDate", "isAnyOf", "2027-01-01T00:00:00Z", "operator"),
        ("count", "eq", 3, "operator"),
        ("count", "lteq", "three", "rightOperand"),
        ("count", "lteq", -1, "rightOperand"),
        ("count", "lteq", COUNT_MAX + 1, "rightOperand"),
        ("count", "lteq", 1.5, "rightOperand"),
        ("count", "lteq", True, "rightOperand"),
    ],
)
def test_constraints_that_could_never_be_evaluated_are_refused(
    left: str, operator: str, right: Any, member: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        engine().check_understood(permitting(constraint(left, operator, right)))
    assert caught.value.field == f"policy.permission[0].constraint[0].{member}"


AGREEMENT = examples.agreement("a-1")


async def counted(begun: int) -> tuple[TransferProcessStore, list[TransferProcess]]:
    """So many transfers under the agreement, in the order in which they began, beside some that do not count."""
    store = memory_stores().transfer_processes
    others = [
        examples.transfer_process("of-another-agreement", type=TransferProcessType.PROVIDER, contract_id="a-2"),
        examples.transfer_process("as-consumer", type=TransferProcessType.CONSUMER, contract_id="a-1"),
    ]
    ours = [
        examples.transfer_process(
            f"t-{begun - n}", type=TransferProcessType.PROVIDER, contract_id="a-1", created_at=moment(n // 2)
        )
        for n in range(begun)
    ]
    for process in (*ours, *others):
        await store.create(process, due_at=None)
    return store, sorted(ours, key=lambda process: (process.created_at, process.id))


async def place_is(store: TransferProcessStore, operator: str, number: Any, **facts: Any) -> Truth:
    asked = AtomicConstraint("count", Operator(operator), number)
    return await UsageCount(store).holds(asked, context(agreement=AGREEMENT, **facts))


@pytest.mark.parametrize("begun", [0, 2, 3, 4])
async def test_so_many_transfers_may_begin_and_no_more(begun: int) -> None:
    store, _ = await counted(begun)
    assert await place_is(store, "lteq", 3) is (begun < 3)
    assert await place_is(store, "lt", "3") is (begun < 2)
    assert await place_is(store, "gt", 3) is (begun >= 3)
    assert await place_is(store, "gteq", 3) is (begun >= 2)
    assert await place_is(store, "lteq", 0) is False


@pytest.mark.parametrize("scope", [PolicyScope.TRANSFER, PolicyScope.MONITOR])
async def test_a_transfer_keeps_its_place(scope: PolicyScope) -> None:
    store, processes = await counted(5)
    allowed = [await place_is(store, "lteq", 3, transfer=process, scope=scope) for process in processes]
    assert allowed == [True, True, True, False, False]
    forbidden = [await place_is(store, "gteq", 4, transfer=process, scope=scope) for process in processes]
    assert forbidden == [False, False, False, True, True]


async def test_before_there_is_an_agreement_the_first_place_is_free() -> None:
    store, _ = await counted(5)
    asked = AtomicConstraint("count", Operator.LTEQ, 1)
    assert await UsageCount(store).holds(asked, context(PolicyScope.CATALOG)) is True


@given(st.sampled_from(["inForceDate", "participantId", "claim:a", "count"]), st.sampled_from(Operator), st.data())
async def test_a_constraint_that_was_never_checked_raises_nothing(left: str, operator: Operator, data: Any) -> None:
    scalar = st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
    right = data.draw(scalar | st.lists(scalar, min_size=1, max_size=3).map(tuple))
    for function in built_in(memory_stores().transfer_processes):
        asked = AtomicConstraint(left, operator, right)
        facts = context(claims={"a": data.draw(scalar)}, agreement=AGREEMENT)
        assert await function.holds(asked, facts) in {True, False, None}
        function.changes_at(asked, facts)
