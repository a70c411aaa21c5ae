"""A refused message of a negotiation: the counterparty's own message decides, or what it shows; both end the same."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from connector_spi.errors import PeerRefusedError
from control_plane.domain.contract_negotiation import NegotiationEvent, NegotiationState, NegotiationType
from tests.control_plane_entities import USE, agreement
from tests.fakes import unavailable
from tests.unit.control_plane.negotiation_rig import NegotiationRig

S = NegotiationState
E = NegotiationEvent
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
REFUSED: Final = PeerRefusedError("They answered 403.", status=403)
ASKED: Final = "fetch_negotiation_state n-1"
SENDING: Final[Mapping[S, tuple[NegotiationType, str]]] = {
    S.REQUESTING: (CONSUMER, "send_counter_request"),
    S.OFFERING: (PROVIDER, "send_counter_offer"),
    S.ACCEPTING: (CONSUMER, "send_acceptance"),
    S.AGREEING: (PROVIDER, "send_agreement"),
    S.VERIFYING: (CONSUMER, "send_verification"),
    S.FINALIZING: (PROVIDER, "send_finalization"),
}
THEIRS: Final = {"code": "Theirs", "message": "their reason"}


@pytest.fixture
def rig() -> NegotiationRig:
    return NegotiationRig()


async def sending(rig: NegotiationRig, state: S) -> str:
    """A negotiation whose message is on its way; the name of the call that sends it."""
    side, call = SENDING[state]
    facts: dict[str, Any] = {"agreement": agreement()} if state in {S.AGREEING, S.VERIFYING, S.FINALIZING} else {}
    await rig.begin(type=side, state=state, correlation_id="theirs", message_id="m-1", own_policy=USE, **facts)
    return call


async def again(rig: NegotiationRig) -> S:
    """After the back-off."""
    rig.clock.advance(10)
    return await rig.run()


@pytest.mark.parametrize("state", SENDING)
async def test_a_refusal_is_repeated_once_under_the_same_id(rig: NegotiationRig, state: S) -> None:
    call = await sending(rig, state)
    rig.client.fail(call, REFUSED)
    assert await rig.run() is state
    await again(rig)
    assert rig.history[1] not in {"TERMINATING", "TERMINATED"}
    assert (rig.client.message_ids[call][:2], rig.client.count(ASKED)) == (["m-1", "m-1"], 0)


@pytest.mark.parametrize("state", SENDING)
async def test_the_end_that_crossed_a_message_decides_with_its_own_reason(rig: NegotiationRig, state: S) -> None:
    rig.client.always[await sending(rig, state)] = REFUSED
    assert await rig.run() is state
    assert await rig.told(E.TERMINATE_BY_COUNTERPARTY, THEIRS) is S.TERMINATED
    ended = await rig.now()
    assert (ended.error_code, ended.error_detail) == ("Theirs", "their reason")
    assert (rig.client.count(ASKED), rig.client.count("terminate_negotiation")) == (0, 0)


@pytest.mark.parametrize("state", SENDING)
async def test_an_end_that_the_counterparty_shows_is_followed(rig: NegotiationRig, state: S) -> None:
    rig.client.always[await sending(rig, state)] = REFUSED
    rig.client.shows = "TERMINATED"
    await rig.run()
    assert await again(rig) is S.TERMINATED
    ended = await rig.now()
    assert (ended.error_code, rig.client.count("terminate_negotiation")) == ("TerminatedByCounterparty", 0)
    assert await rig.store.find_agreement(agreement().id) is None


@pytest.mark.parametrize(
    ("state", "shows", "after"),
    [
        (S.ACCEPTING, "ACCEPTED", S.ACCEPTED),
        (S.ACCEPTING, "AGREED", S.ACCEPTED),
        (S.AGREEING, "AGREED", S.AGREED),
        (S.AGREEING, "VERIFIED", S.AGREED),
        (S.VERIFYING, "VERIFIED", S.VERIFIED),
        (S.VERIFYING, "FINALIZED", S.VERIFIED),
        (S.FINALIZING, "FINALIZED", S.FINALIZED),
    ],
)
async def test_a_message_that_the_counterparty_shows_to_have_heard_counts(
    rig: NegotiationRig, state: S, shows: str, after: S
) -> None:
    rig.client.always[await sending(rig, state)] = REFUSED
    rig.client.shows = shows
    await rig.run()
    assert await again(rig) is after


async def test_a_finalisation_whose_answer_was_lost_and_whose_repetition_is_refused_binds(rig: NegotiationRig) -> None:
    rig.client.fail(await sending(rig, S.FINALIZING), unavailable(), REFUSED)
    rig.client.shows = "FINALIZED"
    await rig.run()
    assert await again(rig) is S.FINALIZED
    assert await rig.store.find_agreement(agreement().id) is not None


@pytest.mark.parametrize(
    ("state", "shows"),
    [
        (S.FINALIZING, "VERIFIED"),
        (S.FINALIZING, ""),
        (S.FINALIZING, "finalized"),
        (S.AGREEING, "REQUESTED"),
        (S.AGREEING, "FINALIZED"),
        (S.REQUESTING, "REQUESTED"),
        (S.OFFERING, "OFFERED"),
    ],
)
async def test_what_explains_nothing_ends_it_with_the_refusal(rig: NegotiationRig, state: S, shows: str) -> None:
    rig.client.always[await sending(rig, state)] = REFUSED
    rig.client.shows = shows
    await rig.run()
    assert await again(rig) is S.TERMINATED
    ended = await rig.now()
    assert (ended.error_code, rig.client.reasons) == ("PeerRefused", ["They answered 403."])


async def test_a_counterparty_that_refuses_to_show_it_too_ends_it(rig: NegotiationRig) -> None:
    rig.client.always[await sending(rig, S.FINALIZING)] = REFUSED
    rig.client.always[ASKED] = PeerRefusedError("They answered 404.", status=404)
    await rig.run()
    assert await again(rig) is S.TERMINATED
    assert rig.client.reasons == ["They answered 403."]


async def test_a_counterparty_that_cannot_be_asked_now_is_asked_later(rig: NegotiationRig) -> None:
    rig.client.always[await sending(rig, S.FINALIZING)] = REFUSED
    rig.client.fail(ASKED, unavailable(), unavailable())
    rig.client.shows = "FINALIZED"
    await rig.run()
    assert await again(rig) is S.FINALIZING
    assert await again(rig) is S.FINALIZING
    assert await again(rig) is S.FINALIZED
