"""Both sides of a negotiation: each message sent once it is on record, repeated when it fails, ended in time."""

import pytest

from connector_spi.errors import PeerRefusedError, StoreUnavailableError
from control_plane.domain.contract_negotiation import (
    NEGOTIATION_OUTCOMES,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
)
from control_plane.services.negotiation_inbox import terms_noted
from tests.control_plane_entities import NOW, USE, agreement, moment
from tests.fakes import unavailable
from tests.unit.control_plane.negotiation_rig import OFFER, NegotiationRig
from tests.unit.control_plane.transfer_rig import LIMIT

S = NegotiationState
E = NegotiationEvent
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
AGREED = {"agreementId": "agreement-1", "timestamp": NOW.isoformat()}
TERMS = terms_noted(USE)
CALLS = (
    "request_contract",
    "send_counter_request",
    "offer_contract",
    "send_counter_offer",
    "send_acceptance",
    "send_agreement",
    "send_verification",
    "send_finalization",
    "terminate_negotiation",
)


@pytest.fixture
def rig() -> NegotiationRig:
    return NegotiationRig()


async def test_a_consumer_comes_to_an_agreement(rig: NegotiationRig) -> None:
    await rig.begin()
    assert await rig.run() is S.REQUESTED
    assert await rig.told(E.AGREE, AGREED) is S.VERIFIED
    assert await rig.store.find_agreement("agreement-1") is None, "not binding yet"
    assert await rig.told(E.FINALIZE) is S.FINALIZED
    assert rig.history == ["REQUESTING", "REQUESTED", "AGREED", "VERIFYING", "VERIFIED", "FINALIZED"]
    assert rig.client.calls == ["request_contract", "send_verification"]
    found = await rig.store.find_agreement("agreement-1")
    assert found is not None
    assert (found.provider_id, found.consumer_id) == ("did:web:them", "did:web:us")
    assert (found.signed_at, found.policy, found.negotiation_id) == (NOW, USE, "n-1")
    assert await rig.store.next_due_at() is None


async def test_a_provider_comes_to_an_agreement(rig: NegotiationRig) -> None:
    await rig.offered()
    await rig.provider()
    assert await rig.run() is S.AGREED
    assert await rig.told(E.VERIFY) is S.FINALIZED
    assert rig.history == ["AGREEING", "AGREED", "VERIFIED", "FINALIZING", "FINALIZED"]
    assert rig.client.calls == ["send_agreement", "send_finalization"]
    reached = (await rig.now()).agreement
    assert reached is not None
    assert (reached.provider_id, reached.consumer_id) == ("did:web:us", "did:web:them")


async def test_the_agreement_is_saved_before_it_is_sent_and_does_not_change_when_it_is_sent_again(
    rig: NegotiationRig,
) -> None:
    rig.client.fail("send_agreement", unavailable(), unavailable())
    await rig.offered()
    await rig.provider()
    await rig.step()
    saved = await rig.now()
    assert saved.agreement is not None
    assert (saved.state, rig.client.calls) == (S.AGREEING, [])
    for _ in range(3):
        await rig.run()
        rig.clock.advance(10)
    agreed = await rig.now()
    assert (agreed.state, agreed.agreement) == (S.AGREED, saved.agreement)
    assert rig.client.message_ids["send_agreement"] == [saved.message_id] * 3


async def test_an_agreement_that_comes_before_the_answer_to_the_request_is_kept(rig: NegotiationRig) -> None:
    await rig.begin()
    await rig.step()
    await rig.tell(E.AGREE, AGREED)
    assert await rig.run() is S.VERIFIED


async def test_a_verification_that_comes_before_the_answer_to_the_agreement_is_kept(rig: NegotiationRig) -> None:
    await rig.offered()
    await rig.provider()
    await rig.step()
    await rig.tell(E.VERIFY)
    assert await rig.run() is S.FINALIZED


async def test_a_refusal_ends_it_and_the_reason_is_kept(rig: NegotiationRig) -> None:
    rig.client.fail("request_contract", PeerRefusedError("They answered 401.", status=401))
    await rig.begin()
    assert await rig.run() is S.TERMINATED
    ended = await rig.now()
    assert (ended.error_code, ended.error_detail) == ("PeerRefused", "They answered 401.")
    assert rig.client.count("terminate_negotiation") == 0, "there is nobody who would know it"


async def test_a_provider_that_is_refused_tells_why_it_ends(rig: NegotiationRig) -> None:
    rig.client.always["send_agreement"] = PeerRefusedError("They answered 400.", status=400)
    await rig.offered()
    await rig.provider()
    await rig.run()
    rig.clock.advance(10)
    assert await rig.run() is S.TERMINATED
    assert rig.client.reasons == ["They answered 400."]


@pytest.mark.parametrize(
    ("payload", "code", "detail"),
    [
        ({"code": "42", "message": "We changed our mind."}, "42", "We changed our mind."),
        ({"code": "", "message": ""}, "Terminated", "No reason was given."),
    ],
)
async def test_the_counterpartys_reason_is_kept(
    rig: NegotiationRig, payload: dict[str, str], code: str, detail: str
) -> None:
    await rig.begin()
    await rig.run()
    assert await rig.told(E.TERMINATE_BY_COUNTERPARTY, payload) is S.TERMINATED
    ended = await rig.now()
    assert (ended.error_code, ended.error_detail) == (code, detail)


async def test_the_first_reason_stays(rig: NegotiationRig) -> None:
    rig.client.always["send_agreement"] = PeerRefusedError("They answered 400.", status=400)
    rig.client.fail("terminate_negotiation", unavailable())
    await rig.offered()
    await rig.provider()
    await rig.run()
    rig.clock.advance(10)
    assert await rig.run() is S.TERMINATING
    assert await rig.told(E.TERMINATE_BY_COUNTERPARTY, {"code": "42", "message": "Too late."}) is S.TERMINATED
    ended = await rig.now()
    assert (ended.error_code, ended.error_detail) == ("PeerRefused", "They answered 400.")


@pytest.mark.parametrize(
    ("side", "state"),
    [
        (CONSUMER, S.INITIAL),
        (CONSUMER, S.REQUESTING),
        (CONSUMER, S.REQUESTED),
        (CONSUMER, S.OFFERED),
        (CONSUMER, S.ACCEPTING),
        (CONSUMER, S.ACCEPTED),
        (CONSUMER, S.AGREED),
        (CONSUMER, S.VERIFYING),
        (CONSUMER, S.VERIFIED),
        (CONSUMER, S.TERMINATING),
        (PROVIDER, S.INITIAL),
        (PROVIDER, S.REQUESTED),
        (PROVIDER, S.OFFERING),
        (PROVIDER, S.OFFERED),
        (PROVIDER, S.ACCEPTED),
        (PROVIDER, S.AGREEING),
        (PROVIDER, S.AGREED),
        (PROVIDER, S.TERMINATING),
    ],
)
async def test_every_state_ends_once_it_has_lasted_too_long(
    rig: NegotiationRig, side: NegotiationType, state: S
) -> None:
    rig.client.always = dict.fromkeys(CALLS, unavailable())
    await rig.offered()
    terms = {"offer_id": OFFER, "own_policy": USE, "agreement": agreement()}
    await rig.begin(type=side, state=state, correlation_id="pid", deadline_at=moment(LIMIT), **terms)
    for _ in range(4):
        await rig.run()
        rig.clock.advance(LIMIT)
    ended = await rig.now()
    assert (ended.state, ended.error_code) == (S.TERMINATED, "DeadlineExceeded")
    assert "lasted longer than the limit of 1000 seconds" in (ended.error_detail or "")


async def test_a_provider_is_bound_by_a_finalisation_that_nobody_acknowledged(rig: NegotiationRig) -> None:
    rig.client.always = dict.fromkeys(CALLS, unavailable())
    await rig.begin(
        type=PROVIDER, state=S.FINALIZING, correlation_id="pid", agreement=agreement(), deadline_at=moment(LIMIT)
    )
    assert await rig.run() is S.FINALIZING
    rig.clock.advance(LIMIT)
    assert await rig.run() is S.FINALIZED
    assert await rig.store.find_agreement(agreement().id) is not None


@pytest.mark.parametrize("state", list(NEGOTIATION_OUTCOMES))
@pytest.mark.parametrize("event", list(E))
async def test_what_comes_after_the_end_changes_nothing(rig: NegotiationRig, state: S, event: E) -> None:
    await rig.begin(state=state)
    before = await rig.now()
    assert await rig.told(event, {**AGREED, **TERMS}) is state
    assert await rig.now() == before
    assert rig.client.calls == []


async def test_a_store_that_is_down_is_the_loops_matter(rig: NegotiationRig) -> None:
    rig.client.fail("request_contract", StoreUnavailableError("down"))
    await rig.begin()
    await rig.step()
    with pytest.raises(StoreUnavailableError):
        await rig.step()
