"""What this side has acknowledged is so for its counterparty, though the message still waits to be applied."""

import pytest

from control_plane.domain.contract_negotiation import (
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
    after_waiting,
)
from control_plane.domain.inbox import InboxMessage
from tests.control_plane_entities import NOW, negotiation
from tests.unit.control_plane.negotiation_messages import known, message, path_of
from tests.unit.control_plane.protocol_rig import ProtocolRig

S = NegotiationState
E = NegotiationEvent
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER


@pytest.mark.parametrize(
    ("side", "state", "name", "shown"),
    [
        (PROVIDER, S.OFFERED, "request", "REQUESTED"),
        (PROVIDER, S.OFFERED, "acceptance", "ACCEPTED"),
        (PROVIDER, S.AGREED, "verification", "VERIFIED"),
        (PROVIDER, S.OFFERED, "termination", "TERMINATED"),
        (CONSUMER, S.REQUESTED, "offer", "OFFERED"),
        (CONSUMER, S.ACCEPTED, "agreement", "AGREED"),
        (CONSUMER, S.VERIFIED, "finalization", "FINALIZED"),
    ],
)
async def test_a_message_counts_for_its_sender_from_the_answer_on(
    protocol: ProtocolRig, side: NegotiationType, state: S, name: str, shown: str
) -> None:
    await known(protocol, side, state)
    assert (await protocol.call("POST", path_of(name), json=message(name, side))).status_code == 200
    assert (await protocol.call("GET", "negotiations/n-1")).json()["state"] == shown


@pytest.mark.parametrize(
    ("side", "state", "waiting", "after"),
    [
        # They have answered what we are sending: our part is acknowledged.
        (CONSUMER, S.VERIFYING, [E.FINALIZE], S.FINALIZED),
        (PROVIDER, S.OFFERING, [E.ACCEPT], S.ACCEPTED),
        (CONSUMER, S.REQUESTING, [E.OFFER, E.TERMINATE_BY_COUNTERPARTY], S.TERMINATED),
        # What came too late changes nothing.
        (CONSUMER, S.FINALIZED, [E.FINALIZE], S.FINALIZED),
        (PROVIDER, S.REQUESTED, [], S.REQUESTED),
    ],
)
def test_the_state_after_what_waits(side: NegotiationType, state: S, waiting: list[E], after: S) -> None:
    assert after_waiting(negotiation(type=side, state=state), waiting).state is after


def test_what_this_side_has_only_decided_is_not_shown() -> None:
    decided = after_waiting(negotiation(type=PROVIDER, state=S.ACCEPTED), [E.AGREE])
    assert (decided.state, decided.previous_state) == (S.AGREEING, S.ACCEPTED)


@pytest.mark.parametrize("state", [S.AGREEING, S.AGREED, S.FINALIZING])
async def test_a_wish_of_this_sides_client_that_waits_is_not_shown(protocol: ProtocolRig, state: S) -> None:
    await known(protocol, PROVIDER, state)
    before = (await protocol.call("GET", "negotiations/n-1")).json()["state"]
    wish = InboxMessage(id="command-1", kind=E.TERMINATE.value, received_at=NOW)
    await protocol.stores.contract_negotiations.append("n-1", wish, lambda _negotiation, _pending: None)
    assert (await protocol.call("GET", "negotiations/n-1")).json()["state"] == before
