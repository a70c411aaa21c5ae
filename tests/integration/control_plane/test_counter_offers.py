"""Two control planes that want different things: counter-offers, offers unasked, people who decide, and early ends."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from control_plane.bootstrap import ControlPlane
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState
from control_plane.domain.policy import Policy
from control_plane.domain.query import QuerySpec
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.negotiation_service import ContractOfferCommand, ContractRequest
from control_plane.settings import NegotiationSettings
from tests import control_plane_entities as examples
from tests.eventually import eventually
from tests.integration.control_plane.participants import CONSUMER, PROVIDER, Participant, offer, reached

S = NegotiationState
OFFER = str(OfferId(definition_id="c-1", asset_id="asset-1"))
MANUAL = NegotiationSettings(manual_decisions=True)


def use_until(year: int) -> Policy:
    constraint = {"leftOperand": "inForceDate", "operator": "lt", "rightOperand": f"{year}-01-01T00:00:00Z"}
    return Policy(permissions=({"action": "use", "constraint": [constraint]},))


ASKED, WANTED = use_until(2090), use_until(2095)


@dataclass
class Pair:
    """Both sides at work."""

    ours: ControlPlane
    theirs: ControlPlane
    participants: dict[str, Participant]

    async def request(self, policy: Policy = ASKED) -> None:
        """The consumer asks, under the name `n-1`."""
        await self.ours.negotiations.initiate(
            ContractRequest(
                id="n-1",
                counter_party_id=PROVIDER,
                counter_party_address=self.participants[PROVIDER].address,
                protocol=PROTOCOL,
                offer_id=OFFER,
                asset_id="asset-1",
                policy=policy,
            )
        )

    async def offer(self, policy: Policy = ASKED, **changes: Any) -> None:
        """The provider offers, under the name `n-1`."""
        facts = {
            "id": "n-1",
            "counter_party_id": CONSUMER,
            "counter_party_address": self.participants[CONSUMER].address,
            "protocol": PROTOCOL,
            "asset_id": "asset-1",
            "policy": policy,
        }
        await self.theirs.negotiations.offer_to(ContractOfferCommand(**{**facts, **changes}))

    async def counterpart(self, of: ControlPlane, on: ControlPlane) -> str:
        """The id under which the other side has the negotiation `n-1`."""

        async def is_known() -> bool:
            return (await of.negotiations.get("n-1")).correlation_id is not None

        await eventually(is_known, seconds=20)
        return (await of.negotiations.get("n-1")).correlation_id or ""

    async def both(self, state: S, *, began: str = CONSUMER) -> tuple[ContractNegotiation, ContractNegotiation]:
        """The consumer's and the provider's negotiation, once both are in this state."""
        first, second = (self.ours, self.theirs) if began == CONSUMER else (self.theirs, self.ours)
        name = await self.counterpart(first, second)
        found = await reached(first, state), await reached(second, state, name)
        return found if began == CONSUMER else (found[1], found[0])


@pytest.fixture
def settings() -> NegotiationSettings:
    return NegotiationSettings()


@pytest.fixture
async def pair(tmp_path: Path, settings: NegotiationSettings) -> AsyncIterator[Pair]:
    consumer = Participant(CONSUMER, tmp_path, knows={PROVIDER: PROVIDER}, negotiation=settings)
    provider = Participant(PROVIDER, tmp_path, knows={CONSUMER: CONSUMER}, negotiation=settings)
    async with AsyncExitStack() as stack:
        theirs = await stack.enter_async_context(provider.running())
        ours = await stack.enter_async_context(consumer.running())
        await offer(theirs)
        yield Pair(ours, theirs, {CONSUMER: consumer, PROVIDER: provider})


def agreed(*negotiations: ContractNegotiation) -> Policy:
    """What both agreed to, one and the same."""
    agreements = [one.agreement for one in negotiations]
    assert agreements[0] is not None
    assert len({agreement.id for agreement in agreements if agreement}) == 1
    assert len({agreement.signed_at for agreement in agreements if agreement}) == 1
    assert all(agreement is not None and agreement.policy == agreements[0].policy for agreement in agreements)
    return agreements[0].policy


async def test_a_request_for_other_terms_is_answered_by_an_offer_that_the_client_may_accept(pair: Pair) -> None:
    await pair.request()
    ours, theirs = await pair.both(S.OFFERED)
    assert (ours.policy, ours.own_policy, ours.offer_id) == (examples.USE, ASKED, OFFER)

    async def is_pending() -> bool:
        return (await pair.ours.negotiations.get("n-1")).pending

    await eventually(is_pending, seconds=20)
    await pair.ours.negotiations.accept("n-1")
    assert agreed(*await pair.both(S.FINALIZED)) == examples.USE
    assert theirs.own_policy == examples.USE


async def test_a_counter_request_for_what_is_offered_is_agreed_to(pair: Pair) -> None:
    await pair.request()
    await pair.both(S.OFFERED)
    await pair.ours.negotiations.request("n-1", examples.USE)
    assert agreed(*await pair.both(S.FINALIZED)) == examples.USE


async def test_a_counter_request_for_something_else_is_answered_again(pair: Pair) -> None:
    await pair.request()
    await pair.both(S.OFFERED)
    for wanted in (WANTED, ASKED):
        await pair.ours.negotiations.request("n-1", wanted)

        async def is_answered(wanted: Policy = wanted) -> bool:
            ours = await pair.ours.negotiations.get("n-1")
            return (ours.state, ours.own_policy, ours.policy) == (S.OFFERED, wanted, examples.USE)

        await eventually(is_answered, seconds=20)
    await pair.ours.negotiations.accept("n-1")
    assert agreed(*await pair.both(S.FINALIZED)) == examples.USE


@pytest.mark.parametrize("named", ["", OFFER])
async def test_an_offer_unasked_waits_for_the_consumers_client(pair: Pair, named: str) -> None:
    policy = examples.USE if named else ASKED
    await pair.offer(policy, offer_id=named)
    ours, theirs = await pair.both(S.OFFERED, began=PROVIDER)
    assert ours.offer_id == theirs.offer_id
    assert (ours.asset_id, ours.policy, ours.own_policy) == ("asset-1", policy, None)
    await pair.ours.negotiations.accept(ours.id)
    assert agreed(*await pair.both(S.FINALIZED, began=PROVIDER)) == policy


async def test_a_counter_request_to_an_offer_unasked_is_answered_by_the_offer(pair: Pair) -> None:
    await pair.offer(ASKED)
    ours, _ = await pair.both(S.OFFERED, began=PROVIDER)
    await pair.ours.negotiations.request(ours.id, WANTED)

    async def is_answered() -> bool:
        found = await pair.ours.negotiations.get(ours.id)
        return (found.state, found.own_policy, found.policy) == (S.OFFERED, WANTED, ASKED)

    await eventually(is_answered, seconds=20)
    await pair.ours.negotiations.request(ours.id, ASKED)
    assert agreed(*await pair.both(S.FINALIZED, began=PROVIDER)) == ASKED


@pytest.mark.parametrize("settings", [MANUAL])
async def test_people_on_both_sides_decide_each_step(pair: Pair) -> None:
    ours, theirs = pair.ours.negotiations, pair.theirs.negotiations
    await pair.request(WANTED)
    _, provider = await pair.both(S.REQUESTED)
    await theirs.offer(provider.id, ASKED)
    await pair.both(S.OFFERED)
    await ours.request("n-1", WANTED)
    await pair.both(S.REQUESTED)
    await theirs.offer(provider.id, ASKED)
    await pair.both(S.OFFERED)
    await ours.accept("n-1")
    await pair.both(S.ACCEPTED)
    await theirs.agree(provider.id)
    await pair.both(S.AGREED)
    await ours.verify("n-1")
    await pair.both(S.VERIFIED)
    await theirs.finalize(provider.id)
    assert agreed(*await pair.both(S.FINALIZED)) == ASKED


REASON = "Because the auditors said so."


async def _to_requested(pair: Pair) -> None:
    await pair.request(WANTED)


async def _to_offered(pair: Pair) -> None:
    await pair.request(WANTED)
    _, provider = await pair.both(S.REQUESTED)
    await pair.theirs.negotiations.offer(provider.id, ASKED)


async def _to_offered_unasked(pair: Pair) -> None:
    await pair.offer(ASKED, id="n-2")

    async def is_there() -> bool:
        return bool(await pair.ours.negotiations.query(QuerySpec()))

    await eventually(is_there, seconds=20)


async def _to_accepted(pair: Pair) -> None:
    await _to_offered(pair)
    await pair.both(S.OFFERED)
    await pair.ours.negotiations.accept("n-1")


async def _to_agreed(pair: Pair) -> None:
    await _to_accepted(pair)
    _, provider = await pair.both(S.ACCEPTED)
    await pair.theirs.negotiations.agree(provider.id)


async def _to_verified(pair: Pair) -> None:
    await _to_agreed(pair)
    await pair.both(S.AGREED)
    await pair.ours.negotiations.verify("n-1")


WAYS = {
    "requested": (_to_requested, S.REQUESTED),
    "offered": (_to_offered, S.OFFERED),
    "offered unasked": (_to_offered_unasked, S.OFFERED),
    "accepted": (_to_accepted, S.ACCEPTED),
    "agreed": (_to_agreed, S.AGREED),
    "verified": (_to_verified, S.VERIFIED),
}


@pytest.mark.parametrize("settings", [MANUAL])
@pytest.mark.parametrize("who", [CONSUMER, PROVIDER])
@pytest.mark.parametrize("way", WAYS)
async def test_either_side_ends_it_in_any_open_state_and_both_know_why(pair: Pair, who: str, way: str) -> None:
    go, state = WAYS[way]
    await go(pair)
    planes = {CONSUMER: pair.ours, PROVIDER: pair.theirs}
    names = {}
    for side, plane in planes.items():
        [found] = await plane.negotiations.query(QuerySpec())
        names[side] = found.id
        await reached(plane, state, found.id)
    await planes[who].negotiations.terminate(names[who], REASON)
    for side, plane in planes.items():
        ended = await reached(plane, S.TERMINATED, names[side])
        assert (ended.error_code, ended.error_detail) == ("Terminated", REASON)
    assert await pair.ours.negotiations.query_agreements(QuerySpec()) == []
    assert await pair.theirs.negotiations.query_agreements(QuerySpec()) == []
