"""How the protocol shows a negotiation: in seven states, none of which is there before both sides know of it."""

from typing import Any, Final

from control_plane.domain.contract_negotiation import (
    NEGOTIATION_SENDING,
    ContractNegotiation,
    NegotiationState,
    NegotiationType,
)
from control_plane.dsp_messages import message
from control_plane.protocol_api.error_answers import NO_PROCESS

_S = NegotiationState
_SHOWN: Final = frozenset({_S.REQUESTED, _S.OFFERED, _S.ACCEPTED, _S.AGREED, _S.VERIFIED, _S.FINALIZED, _S.TERMINATED})
_BEGINS_WITH: Final = {NegotiationType.CONSUMER: _S.REQUESTED, NegotiationType.PROVIDER: _S.OFFERED}
"""What a side that has not been heard yet is about to say."""


def shown(negotiation: ContractNegotiation) -> dict[str, Any]:
    """The ContractNegotiation as answers hold it."""
    own, other = negotiation.id, negotiation.correlation_id or NO_PROCESS
    consumer = negotiation.type is NegotiationType.CONSUMER
    return message(
        "ContractNegotiation",
        message_id=own,
        consumerPid=own if consumer else other,
        providerPid=other if consumer else own,
        state=shown_state(negotiation).name,
    )


def shown_state(negotiation: ContractNegotiation) -> NegotiationState:
    """While a message is on its way, the state before it holds: it changes with the counterparty's answer.

    A termination needs no answer to hold.
    """
    state = negotiation.state
    if state is _S.TERMINATING:
        return _S.TERMINATED
    if state in _SHOWN:
        return state
    if negotiation.previous_state in _SHOWN:
        return negotiation.previous_state
    return NEGOTIATION_SENDING.get(state, _BEGINS_WITH[negotiation.type])
