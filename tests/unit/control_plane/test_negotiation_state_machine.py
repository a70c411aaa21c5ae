"""Every (state, event) pair of a negotiation, on both sides: in the table written down here, or refused."""

import itertools

import pytest

from connector_spi.errors import InvalidTransitionError
from control_plane.domain.contract_negotiation import (
    NEGOTIATION_OUTCOMES,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
    fire_negotiation,
    negotiation_will_accept,
)
from control_plane.services.negotiation_manager import ContractNegotiationManager
from control_plane.services.pending_guards import HoldsNothing
from tests.control_plane_entities import moment, negotiation
from tests.fakes import FakeCounterparty, ManualClock
from tests.unit.control_plane.transfer_rig import PATIENCE

S = NegotiationState
E = NegotiationEvent
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER

CODES = {
    "INITIAL": 50,
    "REQUESTING": 100,
    "REQUESTED": 200,
    "AGREEING": 825,
    "AGREED": 850,
    "VERIFYING": 1050,
    "VERIFIED": 1100,
    "FINALIZING": 1150,
    "FINALIZED": 1200,
    "TERMINATING": 1300,
    "TERMINATED": 1400,
}
FORWARD = {
    CONSUMER: """
        INITIAL     REQUEST              REQUESTING
        REQUESTING  FINISH_REQUEST       REQUESTED
        REQUESTED   AGREE                AGREED
        AGREED      VERIFY               VERIFYING
        VERIFYING   FINISH_VERIFICATION  VERIFIED
        VERIFIED    FINALIZE             FINALIZED
    """,
    PROVIDER: """
        REQUESTED   AGREE                AGREEING
        AGREEING    FINISH_AGREEMENT     AGREED
        AGREED      VERIFY               VERIFIED
        VERIFIED    FINALIZE             FINALIZING
        FINALIZING  FINISH_FINALIZATION  FINALIZED
    """,
}
OPEN = {
    CONSUMER: (S.INITIAL, S.REQUESTING, S.REQUESTED, S.AGREED, S.VERIFYING, S.VERIFIED),
    PROVIDER: (S.REQUESTED, S.AGREEING, S.AGREED, S.VERIFIED, S.FINALIZING),
}
"""States from which either side may end the negotiation."""


def expected(side: NegotiationType) -> dict[tuple[S, E], S]:
    rows = [line.split() for line in FORWARD[side].strip().splitlines()]
    moves = {
        (NegotiationState[source], NegotiationEvent(event)): NegotiationState[target] for source, event, target in rows
    }
    moves |= {(state, E.TERMINATE): S.TERMINATING for state in OPEN[side]}
    moves |= {(state, E.TERMINATE_BY_COUNTERPARTY): S.TERMINATED for state in (*OPEN[side], S.TERMINATING)}
    return moves | {(S.TERMINATING, E.FINISH_TERMINATION): S.TERMINATED}


EXPECTED = {side: expected(side) for side in NegotiationType}
PAIRS = list(itertools.product(NegotiationType, S, E))


def test_names_and_codes_are_edcs() -> None:
    assert {state.name: state.value for state in S} == CODES


@pytest.mark.parametrize(("side", "state", "event"), PAIRS)
def test_each_pair_is_a_move_of_the_table_or_is_refused(side: NegotiationType, state: S, event: E) -> None:
    before, target = negotiation(type=side, state=state), EXPECTED[side].get((state, event))
    if target is None:
        with pytest.raises(InvalidTransitionError, match=f"{event.value} is not possible in state {state.name}"):
            fire_negotiation(before, event, at=moment(1))
    else:
        assert fire_negotiation(before, event, at=moment(1)).state is target


@pytest.mark.parametrize(("side", "state", "event"), [pair for pair in PAIRS if pair[1] in NEGOTIATION_OUTCOMES])
def test_an_outcome_accepts_nothing(side: NegotiationType, state: S, event: E) -> None:
    assert not negotiation_will_accept(negotiation(type=side, state=state), [], event)


@pytest.mark.parametrize(
    ("side", "state", "pending", "event", "accepted"),
    [
        (CONSUMER, S.REQUESTED, [], E.AGREE, True),
        (CONSUMER, S.REQUESTING, [], E.AGREE, True),
        (CONSUMER, S.REQUESTING, [], E.FINALIZE, False),
        (CONSUMER, S.VERIFYING, [], E.FINALIZE, True),
        (CONSUMER, S.AGREED, [], E.FINALIZE, False),
        (CONSUMER, S.VERIFIED, [E.FINALIZE], E.TERMINATE_BY_COUNTERPARTY, False),
        (CONSUMER, S.VERIFIED, [E.TERMINATE], E.FINALIZE, False),
        (PROVIDER, S.AGREEING, [], E.VERIFY, True),
        (PROVIDER, S.AGREEING, [E.VERIFY], E.VERIFY, False),
        (PROVIDER, S.REQUESTED, [], E.VERIFY, False),
        (PROVIDER, S.FINALIZING, [], E.TERMINATE_BY_COUNTERPARTY, True),
    ],
)
def test_a_message_is_accepted_when_its_turn_has_come_or_will_come(
    side: NegotiationType, state: S, pending: list[E], event: E, accepted: bool
) -> None:
    assert negotiation_will_accept(negotiation(type=side, state=state), pending, event) is accepted


def test_each_side_has_an_act_for_exactly_the_states_in_which_it_is_its_turn() -> None:
    manager = ContractNegotiationManager(
        client=FakeCounterparty(), patience=PATIENCE, guard=HoldsNothing(), clock=ManualClock()
    )
    assert manager.acting_states == {
        *((CONSUMER, s) for s in (S.INITIAL, S.REQUESTING, S.AGREED, S.VERIFYING, S.TERMINATING)),
        *((PROVIDER, s) for s in (S.REQUESTED, S.AGREEING, S.VERIFIED, S.FINALIZING, S.TERMINATING)),
    }
