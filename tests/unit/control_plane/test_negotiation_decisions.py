"""What a connector decides by itself, what it leaves to its people, and what their commands do."""

from dataclasses import replace

import pytest

from control_plane.domain.contract_negotiation import (
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
)
from control_plane.domain.odrl import AtomicConstraint
from control_plane.domain.odrl_truth import Truth
from control_plane.domain.policy import Policy
from control_plane.domain.policy_context import PolicyContext, PolicyScope
from control_plane.services.negotiation_inbox import agreement_noted, claims_noted, terms_noted
from control_plane.services.pending_guards import HoldsEverything
from tests.control_plane_entities import NOW, USE, policy_definition
from tests.fakes import unavailable
from tests.unit.control_plane.negotiation_rig import OFFER, NegotiationRig, use_if
from tests.unit.control_plane.transfer_rig import LIMIT

S = NegotiationState
E = NegotiationEvent
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER


UNTIL_2030 = use_if("inForceDate", "lt", "2030-01-01T00:00:00Z")
UNTIL_2020 = use_if("inForceDate", "lt", "2020-01-01T00:00:00Z")
UNTIL_2040 = use_if("inForceDate", "lt", "2040-01-01T00:00:00Z")


@pytest.fixture
def rig() -> NegotiationRig:
    return NegotiationRig()


@pytest.fixture
def manual() -> NegotiationRig:
    return NegotiationRig(guard=HoldsEverything())


async def test_a_provider_agrees_to_what_it_offers_and_the_agreement_holds_what_was_asked(rig: NegotiationRig) -> None:
    await rig.offered(UNTIL_2030)
    [rule] = UNTIL_2030.permissions
    [constraint] = rule["constraint"]
    asked = Policy(permissions=({**rule, "@type": "Permission", "constraint": constraint},), extra={"@type": "Offer"})
    await rig.provider(policy=asked)
    assert await rig.run() is S.AGREED
    reached = (await rig.now()).agreement
    assert reached is not None
    assert reached.policy == asked


@pytest.mark.parametrize(
    "asked",
    [
        USE,
        UNTIL_2040,
        replace(UNTIL_2030, prohibitions=({"action": "sell"},)),
        replace(UNTIL_2030, extra={"profile": "https://example.org/profile"}),
        replace(UNTIL_2030, permissions=UNTIL_2030.permissions * 2),
        Policy(permissions=({**UNTIL_2030.permissions[0], "duty": [{"action": "inform"}]},)),
    ],
)
async def test_a_provider_answers_other_terms_by_its_own_offer(rig: NegotiationRig, asked: Policy) -> None:
    await rig.offered(UNTIL_2030)
    await rig.provider(policy=asked)
    assert await rig.run() is S.OFFERED
    now = await rig.now()
    assert (now.policy, now.own_policy, now.offer_id) == (UNTIL_2030, UNTIL_2030, OFFER)
    assert rig.client.calls == ["send_counter_offer"]
    assert await rig.told(E.REQUEST, terms_noted(UNTIL_2030)) is S.AGREED


async def test_an_accepted_offer_is_agreed_to(rig: NegotiationRig) -> None:
    await rig.offered(UNTIL_2030)
    await rig.provider(policy=USE)
    await rig.run()
    assert await rig.told(E.ACCEPT) is S.AGREED
    reached = (await rig.now()).agreement
    assert reached is not None
    assert reached.policy == UNTIL_2030


@pytest.mark.parametrize("event", [E.ACCEPT, E.REQUEST])
@pytest.mark.parametrize("change", ["policy", "definition", "asset"])
async def test_an_offer_that_is_not_made_any_more_is_not_agreed_to(
    rig: NegotiationRig, event: NegotiationEvent, change: str
) -> None:
    await rig.offered(UNTIL_2030)
    await rig.provider(policy=USE)
    assert await rig.run() is S.OFFERED
    if change == "policy":
        await rig.stores.policy_definitions.replace(policy_definition("contract", policy=UNTIL_2040))
    elif change == "definition":
        await rig.stores.contract_definitions.delete("c-1")
    else:
        await rig.stores.assets.delete("asset-1")
    state = await rig.told(event, terms_noted(UNTIL_2030) if event is E.REQUEST else {})
    if (event, change) == (E.REQUEST, "policy"):
        assert state is S.OFFERED, "answered by the offer as it is now"
        assert (await rig.now()).policy == UNTIL_2040
    else:
        assert (state, (await rig.now()).error_code) == (S.TERMINATED, "OfferWithdrawn")


@pytest.mark.parametrize("asked", [UNTIL_2020, USE])
async def test_a_policy_that_does_not_permit_it_ends_the_negotiation_with_its_reason(
    rig: NegotiationRig, asked: Policy
) -> None:
    await rig.offered(UNTIL_2020)
    await rig.provider(policy=asked)
    assert await rig.run() is S.TERMINATED
    ended = await rig.now()
    assert ended.error_code == "PolicyDenied"
    assert "inForceDate" in (ended.error_detail or "")
    assert rig.client.reasons == [ended.error_detail]


async def test_what_the_consumer_proved_last_is_what_counts(rig: NegotiationRig) -> None:
    await rig.offered(UNTIL_2030, access=use_if("claim:group", "eq", "members"))
    await rig.provider(policy=USE, counter_party_claims={"group": "members"})
    assert await rig.run() is S.OFFERED
    assert await rig.told(E.ACCEPT, {"claims": {"group": "guests"}}) is S.TERMINATED
    assert (await rig.now()).error_code == "OfferWithdrawn"


async def test_a_counterparty_that_proves_nothing_any_more_keeps_no_claims(rig: NegotiationRig) -> None:
    await rig.offered(UNTIL_2030, access=use_if("claim:group", "eq", "members"))
    await rig.provider(policy=USE, counter_party_claims={"group": "members"})
    assert await rig.run() is S.OFFERED
    assert await rig.told(E.ACCEPT, claims_noted({})) is S.TERMINATED
    assert (await rig.now()).error_code == "OfferWithdrawn"


class Unsure:
    """A policy function that tells only when it is asked for the third time."""

    names = frozenset({"registered"})
    scopes = frozenset({PolicyScope.NEGOTIATION})

    def __init__(self) -> None:
        self.asked = 0

    def check(self, constraint: AtomicConstraint) -> None: ...

    async def holds(self, _constraint: AtomicConstraint, _context: PolicyContext) -> Truth:
        self.asked += 1
        if self.asked < 3:
            raise unavailable()
        return True

    def changes_at(self, _constraint: AtomicConstraint, _context: PolicyContext) -> None: ...


async def test_an_evaluation_that_fails_for_now_is_repeated() -> None:
    rig = NegotiationRig(functions=(Unsure(),))
    policy = use_if("registered", "eq", "yes")
    await rig.offered(policy)
    await rig.provider(policy=policy)
    for _ in range(2):
        assert await rig.run() is S.REQUESTED
        rig.clock.advance(60)
    assert await rig.run() is S.AGREED


async def test_a_consumer_accepts_what_it_asked_for(rig: NegotiationRig) -> None:
    await rig.consumer(state=S.REQUESTED)
    assert await rig.told(E.OFFER, terms_noted(USE, "their-offer")) is S.ACCEPTED
    assert rig.client.calls == ["send_acceptance"]
    assert (await rig.now()).offer_id == "their-offer"
    assert await rig.told(E.AGREE, agreement_noted("agreement-1", NOW)) is S.VERIFIED


@pytest.mark.parametrize("own", [USE, None])
async def test_a_consumer_never_accepts_other_terms_by_itself(rig: NegotiationRig, own: Policy | None) -> None:
    await rig.consumer(state=S.REQUESTED, own_policy=own)
    assert await rig.told(E.OFFER, terms_noted(UNTIL_2030, "their-offer")) is S.OFFERED
    now = await rig.now()
    assert (now.pending, now.policy, now.own_policy) == (True, UNTIL_2030, own)
    assert rig.client.calls == []
    assert await rig.store.next_due_at() == now.deadline_at
    rig.clock.advance(LIMIT)
    assert await rig.run() is S.TERMINATED


async def test_a_consumers_client_may_accept_other_terms(rig: NegotiationRig) -> None:
    await rig.consumer(state=S.REQUESTED)
    await rig.told(E.OFFER, terms_noted(UNTIL_2030, "their-offer"))
    await rig.service.accept("n-1")
    assert await rig.run() is S.ACCEPTED
    assert not (await rig.now()).pending


async def test_a_consumers_client_may_ask_for_other_terms(rig: NegotiationRig) -> None:
    await rig.consumer(state=S.REQUESTED)
    await rig.told(E.OFFER, terms_noted(UNTIL_2030, "their-offer"))
    await rig.service.request("n-1", UNTIL_2040)
    assert await rig.run() is S.REQUESTED
    now = await rig.now()
    assert (now.policy, now.own_policy, now.offer_id, now.pending) == (UNTIL_2040, UNTIL_2040, "their-offer", False)
    assert rig.client.calls == ["send_counter_request"]
    assert await rig.told(E.AGREE, agreement_noted("agreement-1", NOW)) is S.VERIFIED


async def test_a_manual_provider_waits_in_each_of_its_decisions(manual: NegotiationRig) -> None:
    await manual.offered()
    await manual.provider()
    assert await manual.run() is S.REQUESTED
    assert (await manual.now()).pending
    await manual.service.offer("n-1", UNTIL_2030)
    assert await manual.run() is S.OFFERED
    offered = await manual.now()
    assert (offered.policy, offered.pending) == (UNTIL_2030, False)
    assert offered.offer_id.startswith("urn:uuid:"), "it is not the catalog's"
    assert await manual.told(E.ACCEPT) is S.ACCEPTED
    assert (await manual.now()).pending
    await manual.service.agree("n-1")
    assert await manual.run() is S.AGREED
    assert await manual.told(E.VERIFY) is S.VERIFIED
    assert (await manual.now()).pending
    await manual.service.finalize("n-1")
    assert await manual.run() is S.FINALIZED


async def test_an_offer_of_the_catalogs_terms_keeps_the_catalogs_id(manual: NegotiationRig) -> None:
    await manual.offered()
    await manual.provider(policy=UNTIL_2030)
    await manual.run()
    await manual.service.offer("n-1", USE)
    await manual.run()
    assert (await manual.now()).offer_id == OFFER


async def test_a_manual_consumer_waits_in_each_of_its_decisions(manual: NegotiationRig) -> None:
    await manual.consumer()
    assert await manual.run() is S.REQUESTED, "the request is the client's already"
    assert await manual.told(E.OFFER, terms_noted(USE)) is S.OFFERED
    assert (await manual.now()).pending, "although it is what was asked for"
    await manual.service.accept("n-1")
    assert await manual.run() is S.ACCEPTED
    assert await manual.told(E.AGREE, agreement_noted("agreement-1", NOW)) is S.AGREED
    assert (await manual.now()).pending
    await manual.service.verify("n-1")
    assert await manual.run() is S.VERIFIED
    assert await manual.told(E.FINALIZE) is S.FINALIZED


@pytest.mark.parametrize("state", [S.REQUESTED, S.ACCEPTED, S.VERIFIED])
async def test_a_decision_that_nobody_takes_ends_the_negotiation(manual: NegotiationRig, state: S) -> None:
    await manual.provider(state=state)
    assert await manual.run() is state
    manual.clock.advance(LIMIT - 1)
    assert await manual.run() is state
    manual.clock.advance(1)
    assert await manual.run() is S.TERMINATED
    assert (await manual.now()).error_code == "DeadlineExceeded"


async def test_commands_and_messages_that_come_during_a_step_have_their_turn_after_it(rig: NegotiationRig) -> None:
    await rig.offered()
    await rig.provider(policy=UNTIL_2030)

    async def meanwhile(call: str) -> None:
        if call == "send_counter_offer":
            await rig.tell(E.REQUEST, terms_noted(UNTIL_2040))
            await rig.service.offer("n-1", UNTIL_2040)
            rig.client.during = None

    rig.client.during = meanwhile
    assert await rig.run() is S.OFFERED
    assert (await rig.now()).policy == UNTIL_2040
    assert rig.client.calls == ["send_counter_offer", "send_counter_offer"]


async def test_what_waits_for_an_answer_keeps_its_order(rig: NegotiationRig) -> None:
    rig.client.fail("send_counter_offer", unavailable())
    await rig.provider(state=S.OFFERING)
    await rig.run()
    await rig.tell(E.REQUEST, terms_noted(UNTIL_2040))
    await rig.service.offer("n-1", UNTIL_2030)
    assert await rig.run() is S.OFFERING, "not answered yet"
    rig.clock.advance(60)
    assert await rig.run() is S.OFFERED
    assert (await rig.now()).policy == UNTIL_2030
    assert rig.client.count("send_counter_offer") == 3


async def test_a_negotiation_that_a_client_ends_is_not_kept_by_what_waits(rig: NegotiationRig) -> None:
    rig.client.always["send_counter_offer"] = unavailable()
    await rig.provider(state=S.OFFERING)
    await rig.tell(E.REQUEST, terms_noted(UNTIL_2040))
    await rig.run()
    await rig.service.terminate("n-1", "why")
    assert await rig.run() is S.TERMINATED
