"""How long states may last, by the settings."""

import pytest

from control_plane.bootstrap.patience import patience_of
from control_plane.domain.contract_negotiation import (
    NEGOTIATION_DECISIONS,
    NEGOTIATION_OUTCOMES,
    NEGOTIATION_WAITING,
    NegotiationState,
    NegotiationType,
)
from control_plane.settings import NegotiationSettings, TransferSettings


@pytest.mark.parametrize("state", [state for state in NegotiationState if state not in NEGOTIATION_OUTCOMES])
def test_people_get_longer_to_decide_than_a_message_to_arrive(state: NegotiationState) -> None:
    timing = TransferSettings(handshake_seconds=10)
    patience = patience_of(timing, NegotiationSettings(decision_seconds=1000))
    decided = {s for side in NegotiationType for s in NEGOTIATION_DECISIONS[side] | NEGOTIATION_WAITING[side]}
    assert patience.negotiation_seconds[state] == (1000 if state in decided else 10)
