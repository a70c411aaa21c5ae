"""Whether a message is accepted: the product's short answer against every way in which things may go on.

The model plays every way to go on, in which acknowledged messages are applied in order. It knows the tables of moves,
and nothing of how the answer is computed.
"""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.domain.contract_negotiation import (
    NEGOTIATION_MACHINES,
    NEGOTIATION_SENDING,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
    negotiation_will_accept,
)
from control_plane.domain.transfer_process import TransferProcessState, TransferProcessType
from control_plane.domain.transfer_state_machine import MACHINES, TransferEvent, will_accept
from tests.control_plane_entities import negotiation, transfer_process

_S = TransferProcessState
_E = TransferEvent
_NEGOTIATION_MESSAGES = [e for e in NegotiationEvent if not e.name.startswith("FINISH_")]
_ACKNOWLEDGED = {
    (TransferProcessType.CONSUMER, _S.REQUESTING): _S.REQUESTED,
    (TransferProcessType.CONSUMER, _S.STARTUP_REQUESTED): _S.STARTED,
    (TransferProcessType.CONSUMER, _S.RESUMING): _S.RESUMED,
    (TransferProcessType.PROVIDER, _S.STARTING): _S.STARTED,
    (TransferProcessType.PROVIDER, _S.RESUMING): _S.STARTED,
    **{
        (side, before): after
        for side in TransferProcessType
        for before, after in {
            _S.SUSPENDING: _S.SUSPENDED,
            _S.SUSPENDING_REQUESTED: _S.SUSPENDED,
            _S.RESUMING_REQUESTED: _S.STARTED,
            _S.COMPLETING: _S.COMPLETED,
            _S.COMPLETING_REQUESTED: _S.COMPLETED,
            _S.TERMINATING: _S.TERMINATED,
            _S.TERMINATING_REQUESTED: _S.TERMINATED,
        }.items()
    },
}
_TRANSFER_MESSAGES = [
    _E.SUSPEND,
    _E.SUSPEND_BY_COUNTERPARTY,
    _E.RESUME,
    _E.RESUME_BY_COUNTERPARTY,
    _E.START,
    _E.COMPLETE_BY_COUNTERPARTY,
    _E.COMPLETE_BY_EVIDENCE,
    _E.ARRIVE,
    _E.TERMINATE,
    _E.TERMINATE_BY_COUNTERPARTY,
]
"""COMPLETE is not among them: that of a fast data plane is kept before the table allows it."""


def negotiation_happens(side: NegotiationType, state: NegotiationState, inbox: tuple[NegotiationEvent, ...]) -> bool:
    """Whether the whole inbox can be applied, in order; the step under way may end before any of it, or not."""
    machine = NEGOTIATION_MACHINES[side]

    def applied(state: NegotiationState, inbox: tuple[NegotiationEvent, ...], *, under_way: bool) -> bool:
        if not inbox:
            return True
        if under_way and state in NEGOTIATION_SENDING and applied(NEGOTIATION_SENDING[state], inbox, under_way=False):
            return True
        after = machine.next_state(state, inbox[0])
        return after is not None and applied(after, inbox[1:], under_way=False)

    return applied(state, inbox, under_way=True)


def transfer_happens(side: TransferProcessType, state: TransferProcessState, inbox: tuple[TransferEvent, ...]) -> bool:
    """Whether the whole inbox can be applied, in order; every step may end in between, or not."""
    if not inbox:
        return True
    acknowledged = _ACKNOWLEDGED.get((side, state))
    if acknowledged is not None and transfer_happens(side, acknowledged, inbox):
        return True
    after = MACHINES[side].next_state(state, inbox[0])
    return after is not None and transfer_happens(side, after, inbox[1:])


@settings(max_examples=500, deadline=None)
@given(
    side=st.sampled_from(NegotiationType),
    state=st.sampled_from(NegotiationState),
    wishes=st.lists(st.sampled_from(_NEGOTIATION_MESSAGES), max_size=4),
    event=st.sampled_from(_NEGOTIATION_MESSAGES),
)
def test_a_negotiation_accepts_what_can_still_happen_and_nothing_else(
    side: NegotiationType, state: NegotiationState, wishes: Sequence[NegotiationEvent], event: NegotiationEvent
) -> None:
    entity = negotiation(type=side, state=state)
    waiting: list[NegotiationEvent] = []
    for wish in wishes:
        if negotiation_will_accept(entity, waiting, wish):
            waiting.append(wish)
    assert negotiation_will_accept(entity, waiting, event) == negotiation_happens(side, state, (*waiting, event))


@settings(max_examples=500, deadline=None)
@given(
    side=st.sampled_from(TransferProcessType),
    state=st.sampled_from(TransferProcessState),
    wishes=st.lists(st.sampled_from(_TRANSFER_MESSAGES), max_size=4),
    event=st.sampled_from(_TRANSFER_MESSAGES),
)
def test_a_transfer_accepts_nothing_that_can_never_happen(
    side: TransferProcessType, state: TransferProcessState, wishes: Sequence[TransferEvent], event: TransferEvent
) -> None:
    entity = transfer_process(type=side, state=state)
    waiting: list[TransferEvent] = []
    for wish in wishes:
        if will_accept(entity, waiting, wish):
            waiting.append(wish)
    if will_accept(entity, waiting, event):
        assert transfer_happens(side, state, (*waiting, event))


@given(
    side=st.sampled_from(TransferProcessType),
    state=st.sampled_from(TransferProcessState),
    event=st.sampled_from(_TRANSFER_MESSAGES),
)
def test_a_transfer_on_which_nothing_waits_accepts_all_that_can_happen(
    side: TransferProcessType, state: TransferProcessState, event: TransferEvent
) -> None:
    entity = transfer_process(type=side, state=state)
    assert will_accept(entity, [], event) == transfer_happens(side, state, (event,))
