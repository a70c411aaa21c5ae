"""Every (state, event) pair of a transfer, on both sides: in the table written down here, or refused."""

import itertools
from typing import Any

import pytest

from connector_spi.errors import InvalidTransitionError
from control_plane.domain.transfer_process import (
    OUTCOMES,
    ResourcePhase,
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import (
    WAITING,
    ResourceEvent,
    TransferEvent,
    can_fire,
    fire,
    fire_resource,
    state_to_come,
    will_accept,
)
from tests.control_plane_entities import moment, transfer_process

S = TransferProcessState
E = TransferEvent
P = ResourcePhase
R = ResourceEvent
CONSUMER, PROVIDER = TransferProcessType.CONSUMER, TransferProcessType.PROVIDER

CODES = {
    "INITIAL": 100,
    "PROVISIONING": 200,
    "PREPARATION_REQUESTED": 250,
    "PROVISIONED": 300,
    "REQUESTING": 400,
    "REQUESTED": 500,
    "STARTING": 550,
    "STARTUP_REQUESTED": 570,
    "STARTED": 600,
    "SUSPENDING": 650,
    "SUSPENDING_REQUESTED": 675,
    "SUSPENDED": 700,
    "RESUMING": 720,
    "RESUMING_REQUESTED": 722,
    "RESUMED": 725,
    "COMPLETING": 750,
    "COMPLETING_REQUESTED": 775,
    "COMPLETED": 800,
    "TERMINATING": 825,
    "TERMINATING_REQUESTED": 840,
    "TERMINATED": 850,
}

TABLES = {
    CONSUMER: """
        INITIAL               PROVISION                  PROVISIONING
        INITIAL               TERMINATE                  TERMINATING
        INITIAL               TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        PROVISIONING          AWAIT_PREPARATION          PREPARATION_REQUESTED
        PROVISIONING          FINISH_PROVISIONING        PROVISIONED
        PREPARATION_REQUESTED FINISH_PROVISIONING        PROVISIONED
        PREPARATION_REQUESTED TERMINATE                  TERMINATING
        PREPARATION_REQUESTED TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        PROVISIONING          TERMINATE                  TERMINATING
        PROVISIONING          TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        PROVISIONED           REQUEST                    REQUESTING
        PROVISIONED           TERMINATE                  TERMINATING
        PROVISIONED           TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        REQUESTING            FINISH_REQUEST             REQUESTED
        REQUESTING            TERMINATE                  TERMINATING
        REQUESTING            TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        REQUESTED             START                      STARTUP_REQUESTED
        STARTUP_REQUESTED     CONFIRM_STARTUP            STARTED
        STARTUP_REQUESTED     COMPLETE_BY_EVIDENCE       COMPLETED
        STARTUP_REQUESTED     ARRIVE                     COMPLETING_REQUESTED
        STARTUP_REQUESTED     TERMINATE                  TERMINATING
        STARTUP_REQUESTED     TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        REQUESTED             TERMINATE                  TERMINATING
        REQUESTED             TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        STARTED               SUSPEND                    SUSPENDING
        STARTED               SUSPEND_BY_COUNTERPARTY    SUSPENDING_REQUESTED
        STARTED               COMPLETE_BY_COUNTERPARTY   COMPLETING_REQUESTED
        STARTED               COMPLETE_BY_EVIDENCE       COMPLETED
        STARTED               ARRIVE                     COMPLETING_REQUESTED
        SUSPENDING            COMPLETE_BY_COUNTERPARTY   COMPLETING_REQUESTED
        SUSPENDING            COMPLETE_BY_EVIDENCE       COMPLETED
        SUSPENDING            ARRIVE                     COMPLETING_REQUESTED
        SUSPENDING_REQUESTED  COMPLETE_BY_EVIDENCE       COMPLETED
        SUSPENDING_REQUESTED  ARRIVE                     COMPLETING_REQUESTED
        SUSPENDED             COMPLETE_BY_EVIDENCE       COMPLETED
        SUSPENDED             ARRIVE                     COMPLETING_REQUESTED
        RESUMING              COMPLETE_BY_EVIDENCE       COMPLETED
        RESUMING              ARRIVE                     COMPLETING_REQUESTED
        RESUMING_REQUESTED    CONFIRM_STARTUP            STARTED
        RESUMING_REQUESTED    COMPLETE_BY_EVIDENCE       COMPLETED
        RESUMING_REQUESTED    ARRIVE                     COMPLETING_REQUESTED
        RESUMING_REQUESTED    TERMINATE                  TERMINATING
        RESUMING_REQUESTED    TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        RESUMED               COMPLETE_BY_EVIDENCE       COMPLETED
        RESUMED               ARRIVE                     COMPLETING_REQUESTED
        STARTED               TERMINATE                  TERMINATING
        STARTED               TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        SUSPENDING            FINISH_SUSPENSION          SUSPENDED
        SUSPENDING            TERMINATE                  TERMINATING
        SUSPENDING            TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        SUSPENDING_REQUESTED  FINISH_SUSPENSION          SUSPENDED
        SUSPENDING_REQUESTED  TERMINATE                  TERMINATING
        SUSPENDING_REQUESTED  TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        SUSPENDED             RESUME                     RESUMING
        SUSPENDED             START                      RESUMING_REQUESTED
        SUSPENDED             TERMINATE                  TERMINATING
        SUSPENDED             TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        RESUMING              FINISH_RESUME_REQUEST      RESUMED
        RESUMING              START                      RESUMING_REQUESTED
        RESUMING              TERMINATE                  TERMINATING
        RESUMING              TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        RESUMED               START                      RESUMING_REQUESTED
        RESUMED               TERMINATE                  TERMINATING
        RESUMED               TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        STARTED               COMPLETE                   COMPLETING
        COMPLETING            FINISH_COMPLETION          COMPLETED
        COMPLETING            TERMINATE                  TERMINATING
        COMPLETING            TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        COMPLETING_REQUESTED  FINISH_COMPLETION          COMPLETED
        COMPLETING_REQUESTED  COMPLETE_BY_EVIDENCE       COMPLETED
        COMPLETING_REQUESTED  ARRIVE                     COMPLETING_REQUESTED
        COMPLETING_REQUESTED  TERMINATE                  TERMINATING
        COMPLETING_REQUESTED  TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        TERMINATING           FINISH_TERMINATION         TERMINATED
        TERMINATING           YIELD_TO_COMPLETION        COMPLETED
        TERMINATING           TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        TERMINATING_REQUESTED FINISH_TERMINATION         TERMINATED
    """,
    PROVIDER: """
        INITIAL               ALLOW_START                PROVISIONED
        INITIAL               AWAIT_STARTUP              STARTUP_REQUESTED
        INITIAL               CONFIRM_STARTUP            STARTING
        PROVISIONED           AWAIT_STARTUP              STARTUP_REQUESTED
        PROVISIONED           CONFIRM_STARTUP            STARTING
        PROVISIONED           TERMINATE                  TERMINATING
        PROVISIONED           TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        INITIAL               TERMINATE                  TERMINATING
        INITIAL               TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        STARTUP_REQUESTED     CONFIRM_STARTUP            STARTING
        STARTUP_REQUESTED     TERMINATE                  TERMINATING
        STARTUP_REQUESTED     TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        STARTING              START                      STARTED
        STARTING              TERMINATE                  TERMINATING
        STARTING              TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        STARTED               SUSPEND                    SUSPENDING
        STARTED               SUSPEND_BY_COUNTERPARTY    SUSPENDING_REQUESTED
        STARTED               COMPLETE                   COMPLETING
        SUSPENDING            COMPLETE                   COMPLETING
        SUSPENDING_REQUESTED  COMPLETE                   COMPLETING
        SUSPENDED             COMPLETE                   COMPLETING
        RESUMING              COMPLETE                   COMPLETING
        RESUMING_REQUESTED    COMPLETE                   COMPLETING
        STARTED               TERMINATE                  TERMINATING
        STARTED               TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        SUSPENDING            FINISH_SUSPENSION          SUSPENDED
        SUSPENDING            TERMINATE                  TERMINATING
        SUSPENDING            TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        SUSPENDING_REQUESTED  FINISH_SUSPENSION          SUSPENDED
        SUSPENDING_REQUESTED  TERMINATE                  TERMINATING
        SUSPENDING_REQUESTED  TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        SUSPENDED             RESUME                     RESUMING
        SUSPENDED             RESUME_BY_COUNTERPARTY     RESUMING_REQUESTED
        SUSPENDED             TERMINATE                  TERMINATING
        SUSPENDED             TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        RESUMING              START                      STARTED
        RESUMING              TERMINATE                  TERMINATING
        RESUMING              TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        RESUMING_REQUESTED    START                      STARTED
        RESUMING_REQUESTED    TERMINATE                  TERMINATING
        RESUMING_REQUESTED    TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        STARTED               COMPLETE_BY_COUNTERPARTY   COMPLETING_REQUESTED
        SUSPENDING            COMPLETE_BY_COUNTERPARTY   COMPLETING_REQUESTED
        COMPLETING_REQUESTED  FINISH_COMPLETION          COMPLETED
        COMPLETING_REQUESTED  TERMINATE                  TERMINATING
        COMPLETING_REQUESTED  TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        COMPLETING            FINISH_COMPLETION          COMPLETED
        COMPLETING            TERMINATE                  TERMINATING
        COMPLETING            TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        TERMINATING           FINISH_TERMINATION         TERMINATED
        TERMINATING           YIELD_TO_COMPLETION        COMPLETED
        TERMINATING           TERMINATE_BY_COUNTERPARTY  TERMINATING_REQUESTED
        TERMINATING_REQUESTED FINISH_TERMINATION         TERMINATED
    """,
}
RESOURCE_TABLE = {
    (P.NONE, R.HOLD): P.HELD,
    (P.HELD, R.HOLD): P.HELD,
    (P.REVOKING, R.FINISH_REVOKING): P.REVOKED,
    (P.NONE, R.DEPROVISION): P.DEPROVISIONING,
    (P.REVOKING, R.DEPROVISION): P.DEPROVISIONING,
    (P.REVOKED, R.DEPROVISION): P.DEPROVISIONING,
    (P.DEPROVISIONING, R.FINISH_DEPROVISIONING): P.DEPROVISIONED,
}
PAIRS = list(itertools.product(TransferProcessType, S, E))


def expected(side: TransferProcessType) -> dict[tuple[S, E], S]:
    rows = [line.split() for line in TABLES[side].strip().splitlines()]
    return {
        (TransferProcessState[source], TransferEvent(event)): TransferProcessState[target]
        for source, event, target in rows
    }


EXPECTED = {side: expected(side) for side in TransferProcessType}


def process_in(side: TransferProcessType, state: S, **changes: Any) -> TransferProcess:
    return transfer_process(type=side, state=state, **changes)


def test_names_and_codes_are_edcs() -> None:
    assert {state.name: state.value for state in S} == CODES


@pytest.mark.parametrize(("side", "state", "event"), PAIRS)
def test_each_pair_is_a_move_of_the_table_or_is_refused(side: TransferProcessType, state: S, event: E) -> None:
    process, target = process_in(side, state), EXPECTED[side].get((state, event))
    assert can_fire(process, event) is (target is not None)
    if target is None:
        with pytest.raises(InvalidTransitionError, match=f"{event.value} is not possible in state {state.name}"):
            fire(process, event, at=moment(1))
    else:
        assert fire(process, event, at=moment(1)).state is target


@pytest.mark.parametrize("side", TransferProcessType)
def test_an_outcome_has_no_move_and_every_other_reachable_state_can_reach_one(side: TransferProcessType) -> None:
    sources = {source for source, _ in EXPECTED[side]}
    targets = set(EXPECTED[side].values())
    assert targets - sources == OUTCOMES == {S.COMPLETED, S.TERMINATED}
    reaching = set(OUTCOMES)
    while grown := {a for (a, _), b in EXPECTED[side].items() if b in reaching} - reaching:
        reaching |= grown
    assert reaching == sources | targets


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(P, R)))
def test_each_pair_of_resources_is_a_move_of_the_table_or_is_refused(phase: P, event: R) -> None:
    ended = process_in(CONSUMER, S.COMPLETED, resources=phase)
    target = RESOURCE_TABLE.get((phase, event))
    if target is None:
        with pytest.raises(InvalidTransitionError):
            fire_resource(ended, event, at=moment(1))
    else:
        after = fire_resource(ended, event, at=moment(1))
        assert (after.resources, after.state) == (target, S.COMPLETED)


@pytest.mark.parametrize("state", [state for state in S if state not in OUTCOMES])
def test_nothing_is_deprovisioned_before_the_outcome(state: S) -> None:
    with pytest.raises(InvalidTransitionError):
        fire_resource(process_in(CONSUMER, state), R.DEPROVISION, at=moment(1))


def test_a_move_forgets_what_belonged_to_the_state_before() -> None:
    before = process_in(
        CONSUMER, S.REQUESTING, message_id="m", attempt=3, next_attempt_at=moment(5), deadline_at=moment(9)
    )
    after = fire(before, E.FINISH_REQUEST, at=moment(1))
    assert (after.message_id, after.attempt, after.next_attempt_at, after.deadline_at) == (None, 0, None, None)
    assert (after.state_timestamp, after.updated_at, after.state_count) == (moment(1), moment(1), 1)


@pytest.mark.parametrize("event", [E.COMPLETE_BY_EVIDENCE, E.TERMINATE])
def test_what_is_held_is_revoked_at_the_outcome_and_not_before(event: E) -> None:
    held = fire(process_in(CONSUMER, S.STARTED, resources=P.HELD), event, at=moment(1))
    if not held.is_outcome:
        assert held.resources is P.HELD
        held = fire(held, E.FINISH_TERMINATION, at=moment(2))
    assert held.resources is P.REVOKING


def test_the_shown_state_is_the_outcome_until_deprovisioning_begins() -> None:
    shown = {p: process_in(CONSUMER, S.COMPLETED, resources=p).shown_state for p in P}
    own = {P.DEPROVISIONING: "DEPROVISIONING", P.DEPROVISIONED: "DEPROVISIONED"}
    assert shown == {phase: own.get(phase, "COMPLETED") for phase in P}


def test_the_first_reason_stays() -> None:
    first, second = TransferError(code="A", message="a"), TransferError(code="B", message="b")
    assert process_in(CONSUMER, S.STARTED).failed_with(first).failed_with(second).error == first


@pytest.mark.parametrize(
    ("side", "state", "pending", "to_come"),
    [
        (CONSUMER, S.REQUESTING, [], S.REQUESTED),
        (CONSUMER, S.REQUESTING, [E.START], S.STARTED),
        (CONSUMER, S.REQUESTING, [E.START, E.COMPLETE_BY_COUNTERPARTY], S.COMPLETED),
        (CONSUMER, S.REQUESTING, [E.START, E.SUSPEND_BY_COUNTERPARTY], S.SUSPENDED),
        (CONSUMER, S.STARTUP_REQUESTED, [E.COMPLETE_BY_COUNTERPARTY], S.COMPLETED),
        (CONSUMER, S.RESUMING_REQUESTED, [E.COMPLETE_BY_COUNTERPARTY], S.COMPLETED),
        (CONSUMER, S.SUSPENDING_REQUESTED, [E.START], S.STARTED),
        (CONSUMER, S.RESUMING, [], S.RESUMED),
        (CONSUMER, S.STARTED, [E.SUSPEND, E.RESUME], S.RESUMED),
        (CONSUMER, S.STARTED, [E.FINISH_REQUEST], S.STARTED),
        (PROVIDER, S.INITIAL, [E.COMPLETE], S.COMPLETED),
        (PROVIDER, S.STARTUP_REQUESTED, [E.COMPLETE], S.COMPLETED),
        (PROVIDER, S.STARTING, [E.COMPLETE], S.COMPLETED),
        (PROVIDER, S.SUSPENDING, [E.RESUME_BY_COUNTERPARTY], S.STARTED),
        (PROVIDER, S.STARTED, [E.SUSPEND_BY_COUNTERPARTY, E.RESUME], S.STARTED),
        (PROVIDER, S.STARTED, [E.COMPLETE, E.TERMINATE], S.TERMINATED),
    ],
)
def test_the_state_to_come_counts_the_step_under_way_and_what_waits(
    side: TransferProcessType, state: S, pending: list[E], to_come: S
) -> None:
    assert state_to_come(process_in(side, state), pending) is to_come


@pytest.mark.parametrize(
    ("side", "state", "pending", "event", "accepted"),
    [
        (CONSUMER, S.REQUESTING, [], E.START, True),
        (CONSUMER, S.REQUESTING, [E.START], E.START, False),
        (CONSUMER, S.REQUESTING, [E.START], E.COMPLETE_BY_COUNTERPARTY, True),
        (CONSUMER, S.REQUESTING, [], E.COMPLETE_BY_COUNTERPARTY, False),
        (CONSUMER, S.STARTED, [E.TERMINATE], E.COMPLETE_BY_EVIDENCE, False),
        (CONSUMER, S.STARTED, [E.COMPLETE_BY_EVIDENCE], E.TERMINATE_BY_COUNTERPARTY, False),
        (CONSUMER, S.INITIAL, [], E.START, False),
        (CONSUMER, S.INITIAL, [], E.COMPLETE, False),
        (PROVIDER, S.INITIAL, [], E.COMPLETE, True),
        (PROVIDER, S.PROVISIONED, [], E.COMPLETE, True),
        (PROVIDER, S.STARTUP_REQUESTED, [], E.COMPLETE, True),
        (PROVIDER, S.STARTING, [], E.COMPLETE, True),
        (PROVIDER, S.RESUMING_REQUESTED, [], E.COMPLETE, True),
        (PROVIDER, S.SUSPENDED, [], E.COMPLETE, True),
        (PROVIDER, S.COMPLETING, [], E.COMPLETE, False),
        (CONSUMER, S.SUSPENDED, [], E.COMPLETE_BY_COUNTERPARTY, False),
        (PROVIDER, S.STARTING, [], E.SUSPEND_BY_COUNTERPARTY, True),
        (PROVIDER, S.SUSPENDING, [], E.RESUME_BY_COUNTERPARTY, True),
    ],
)
def test_a_message_is_accepted_when_its_turn_has_come_or_will_come(
    side: TransferProcessType, state: S, pending: list[E], event: E, accepted: bool
) -> None:
    assert will_accept(process_in(side, state), pending, event) is accepted


@pytest.mark.parametrize(("side", "state", "event"), [pair for pair in PAIRS if pair[1] in OUTCOMES])
def test_an_outcome_accepts_nothing(side: TransferProcessType, state: S, event: E) -> None:
    assert not will_accept(process_in(side, state), [], event)


@pytest.mark.parametrize("side", TransferProcessType)
def test_a_side_waits_only_in_states_of_its_own(side: TransferProcessType) -> None:
    wanted = {
        CONSUMER: {S.PREPARATION_REQUESTED, S.REQUESTED, S.STARTED, S.SUSPENDED},
        PROVIDER: {S.STARTUP_REQUESTED, S.STARTED, S.SUSPENDED},
    }
    assert WAITING[side] == wanted[side]
