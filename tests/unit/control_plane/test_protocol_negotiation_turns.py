"""Every message about a negotiation in every state, on both sides: whose turn it is, and who may speak at all."""

import pytest

from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from tests.unit.control_plane.negotiation_messages import MESSAGES, known, message, path_of, waiting
from tests.unit.control_plane.protocol_rig import OTHERS, ProtocolRig

S = NegotiationState
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
CONSUMER_STATES = [
    S.INITIAL,
    S.REQUESTING,
    S.REQUESTED,
    S.OFFERED,
    S.ACCEPTING,
    S.ACCEPTED,
    S.AGREED,
    S.VERIFYING,
    S.VERIFIED,
    S.FINALIZED,
    S.TERMINATING,
    S.TERMINATED,
]
PROVIDER_STATES = [
    S.INITIAL,
    S.REQUESTED,
    S.OFFERING,
    S.OFFERED,
    S.ACCEPTED,
    S.AGREEING,
    S.AGREED,
    S.VERIFIED,
    S.FINALIZING,
    S.FINALIZED,
    S.TERMINATING,
    S.TERMINATED,
]
TURN = {
    (CONSUMER, "offer"): {S.REQUESTING, S.REQUESTED},
    (CONSUMER, "agreement"): {S.REQUESTING, S.REQUESTED, S.ACCEPTING, S.ACCEPTED},
    (CONSUMER, "finalization"): {S.VERIFYING, S.VERIFIED},
    (CONSUMER, "termination"): set(CONSUMER_STATES) - {S.FINALIZED, S.TERMINATED},
    (PROVIDER, "request"): {S.OFFERING, S.OFFERED},
    (PROVIDER, "acceptance"): {S.OFFERING, S.OFFERED},
    (PROVIDER, "verification"): {S.AGREEING, S.AGREED},
    (PROVIDER, "termination"): set(PROVIDER_STATES) - {S.FINALIZED, S.TERMINATED},
}
"""States in which a message is taken: it is the sender's turn, or will be after the answer to what is being sent."""
TOLD_BEFORE = {
    (CONSUMER, "agreement"): {S.AGREED, S.VERIFYING, S.VERIFIED, S.FINALIZED},
    (CONSUMER, "finalization"): {S.FINALIZED},
    (CONSUMER, "termination"): {S.TERMINATED},
    (PROVIDER, "acceptance"): {S.ACCEPTED},
    (PROVIDER, "verification"): {S.VERIFIED, S.FINALIZING, S.FINALIZED},
    (PROVIDER, "termination"): {S.TERMINATED},
}
"""States in which a message tells nothing new."""
EVENTS = {
    "request": "REQUEST",
    "offer": "OFFER",
    "acceptance": "ACCEPT",
    "agreement": "AGREE",
    "verification": "VERIFY",
    "finalization": "FINALIZE",
    "termination": "TERMINATE_BY_COUNTERPARTY",
}
CASES = [
    (side, state, name)
    for side, states in ((CONSUMER, CONSUMER_STATES), (PROVIDER, PROVIDER_STATES))
    for state in states
    for name in MESSAGES
]


@pytest.mark.parametrize(("side", "state", "name"), CASES)
async def test_each_message_is_taken_repeated_or_refused_as_role_and_state_say(
    protocol: ProtocolRig, side: NegotiationType, state: S, name: str
) -> None:
    await known(protocol, side, state)
    answer = await protocol.call("POST", path_of(name), json=message(name, side, **{"@id": "m-1"}))
    if state in TURN.get((side, name), set()):
        again = await protocol.call("POST", path_of(name), json=message(name, side, **{"@id": "m-1"}))
        assert [(one.status_code, one.json()) for one in (answer, again)] == [(200, {})] * 2
        assert [kind for kind, _ in await waiting(protocol)] == [EVENTS[name]]
        return
    if state in TOLD_BEFORE.get((side, name), set()):
        assert (answer.status_code, answer.json()) == (200, {})
    else:
        body = answer.json()
        pids = ("n-1", "their-pid") if side is CONSUMER else ("their-pid", "n-1")
        assert (answer.status_code, body["@type"]) == (400, "ContractNegotiationError")
        assert (body["code"], body["consumerPid"], body["providerPid"]) == ("InvalidTransition", *pids)
        assert "is not possible in state" in body["reason"][0]
    assert await waiting(protocol) == []


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("pids", [("n-1", "other"), ("other", "their-pid"), ("their-pid", "n-1")])
async def test_pids_that_are_not_those_of_the_negotiation_are_refused(
    protocol: ProtocolRig, name: str, pids: tuple[str, str]
) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    body = message(name, CONSUMER, consumerPid=pids[0], providerPid=pids[1])
    answer = await protocol.call("POST", path_of(name), json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert (answer.json()["consumerPid"], answer.json()["providerPid"]) == ("n-1", "their-pid")


@pytest.mark.parametrize("name", ["", *MESSAGES])
async def test_the_negotiation_of_somebody_else_does_not_exist(protocol: ProtocolRig, name: str) -> None:
    await known(protocol, CONSUMER, S.REQUESTED)
    method, path, body = ("POST", path_of(name), message(name, CONSUMER)) if name else ("GET", "negotiations/n-1", None)
    answer = await protocol.call(method, path, json=body, sender=OTHERS)
    assert (answer.status_code, answer.json()["@type"]) == (404, "ContractNegotiationError")
