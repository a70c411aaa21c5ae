"""Every (state, event) pair of a negotiation, on both sides: in the table written down here, or refused."""

import itertools

import pytest

from connector_spi.errors import InvalidTransitionError
from control_plane.domain.contract_negotiation import (
    NEGOTIATION_DECISIONS,
    NEGOTIATION_OUTCOMES,
    NEGOTIATION_SENDING,
    NEGOTIATION_WAITING,
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
    fire_negotiation,
    negotiation_will_accept,
)
from control_plane.protocol_api.shown_negotiation import shown_state
from tests.control_plane_entities import moment, negotiation
from tests.unit.control_plane.negotiation_rig import NegotiationRig

S = NegotiationState
E = NegotiationEvent
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER

CODES = {
    "INITIAL": 50,
    "REQUESTING": 100,
    "REQUESTED": 200,
    "OFFERING": 300,
    "OFFERED": 400,
    "ACCEPTING": 700,
    "ACCEPTED": 800,
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
        OFFERED     REQUEST              REQUESTING
        REQUESTING  FINISH_REQUEST       REQUESTED
        REQUESTED   OFFER                OFFERED
        OFFERED     ACCEPT               ACCEPTING
        ACCEPTING   FINISH_ACCEPTANCE    ACCEPTED
        REQUESTED   AGREE                AGREED
        ACCEPTED    AGREE                AGREED
        AGREED      VERIFY               VERIFYING
        VERIFYING   FINISH_VERIFICATION  VERIFIED
        VERIFIED    FINALIZE             FINALIZED
    """,
    PROVIDER: """
        INITIAL     OFFER                OFFERING
        REQUESTED   OFFER                OFFERING
        OFFERING    FINISH_OFFER         OFFERED
        OFFERED     REQUEST              REQUESTED
        OFFERED     ACCEPT               ACCEPTED
        REQUESTED   AGREE                AGREEING
        ACCEPTED    AGREE                AGREEING
        AGREEING    FINISH_AGREEMENT     AGREED
        AGREED      VERIFY               VERIFIED
        VERIFIED    FINALIZE             FINALIZING
        FINALIZING  FINISH_FINALIZATION  FINALIZED
    """,
}
OPEN = {
    CONSUMER: (
        S.INITIAL,
        S.REQUESTING,
        S.REQUESTED,
        S.OFFERED,
        S.ACCEPTING,
        S.ACCEPTED,
        S.AGREED,
        S.VERIFYING,
        S.VERIFIED,
    ),
    PROVIDER: (
        S.INITIAL,
        S.REQUESTED,
        S.OFFERING,
        S.OFFERED,
        S.ACCEPTED,
        S.AGREEING,
        S.AGREED,
        S.VERIFIED,
        S.FINALIZING,
    ),
}
"""States from which either side may end the negotiation."""
OPENED_BY_COUNTERPARTY = {CONSUMER: S.OFFERED, PROVIDER: S.REQUESTED}
DIAGRAM = {
    ("REQUESTED", "OFFERED"),
    ("REQUESTED", "AGREED"),
    ("OFFERED", "REQUESTED"),
    ("OFFERED", "ACCEPTED"),
    ("ACCEPTED", "AGREED"),
    ("AGREED", "VERIFIED"),
    ("VERIFIED", "FINALIZED"),
}
"""The moves of the specification's diagram, beside terminations."""


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
        (CONSUMER, S.REQUESTING, [], E.OFFER, True),
        (CONSUMER, S.OFFERED, [], E.AGREE, False),
        (CONSUMER, S.OFFERED, [E.REQUEST], E.AGREE, False),
        (CONSUMER, S.OFFERED, [E.ACCEPT], E.AGREE, False),
        (CONSUMER, S.ACCEPTING, [], E.AGREE, True),
        (CONSUMER, S.ACCEPTING, [], E.OFFER, False),
        (CONSUMER, S.OFFERED, [E.ACCEPT], E.ACCEPT, False),
        (CONSUMER, S.OFFERED, [E.ACCEPT], E.TERMINATE, True),
        (CONSUMER, S.VERIFIED, [E.FINALIZE], E.TERMINATE_BY_COUNTERPARTY, False),
        (CONSUMER, S.VERIFIED, [E.TERMINATE], E.FINALIZE, False),
        (PROVIDER, S.OFFERING, [], E.ACCEPT, True),
        (PROVIDER, S.OFFERING, [], E.REQUEST, True),
        (PROVIDER, S.OFFERING, [E.REQUEST], E.OFFER, True),
        (PROVIDER, S.OFFERING, [E.REQUEST], E.REQUEST, False),
        (PROVIDER, S.OFFERING, [E.REQUEST], E.ACCEPT, False),
        (PROVIDER, S.REQUESTED, [E.OFFER], E.REQUEST, False),
        (PROVIDER, S.REQUESTED, [E.AGREE], E.VERIFY, False),
        (PROVIDER, S.REQUESTED, [], E.REQUEST, False),
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


def reachable(side: NegotiationType) -> list[ContractNegotiation]:
    """A negotiation in each state, by each way there."""
    found = [negotiation(type=side), negotiation(type=side, state=OPENED_BY_COUNTERPARTY[side])]
    seen = {(one.state, one.previous_state) for one in found}
    for one in found:
        for source, event in EXPECTED[side]:
            if source is one.state:
                after = fire_negotiation(one, event, at=moment(1))
                if (after.state, after.previous_state) not in seen:
                    seen.add((after.state, after.previous_state))
                    found.append(after)
    return found


@pytest.mark.parametrize("side", NegotiationType)
def test_what_the_protocol_shows_moves_as_in_its_diagram(side: NegotiationType) -> None:
    shown = set()
    for before in reachable(side):
        for event in [event for source, event in EXPECTED[side] if source is before.state]:
            after = fire_negotiation(before, event, at=moment(1))
            if shown_state(after) is not shown_state(before):
                shown.add((shown_state(before).name, shown_state(after).name))
    assert {move for move in shown if move[1] != "TERMINATED"} == DIAGRAM
    assert {move[0] for move in shown if move[1] == "TERMINATED"} == {state for move in DIAGRAM for state in move} - {
        "FINALIZED"
    }


@pytest.mark.parametrize("side", NegotiationType)
def test_each_open_state_is_one_to_act_in_or_to_wait_in(side: NegotiationType) -> None:
    acting = {state for of_side, state in NegotiationRig().acts if of_side is side}
    reached = {one.state for one in reachable(side)} - NEGOTIATION_OUTCOMES
    assert acting | NEGOTIATION_WAITING[side] == reached
    assert not acting & NEGOTIATION_WAITING[side]
    assert acting == {S.INITIAL} | NEGOTIATION_DECISIONS[side] | (reached & NEGOTIATION_SENDING.keys())
