"""Both sides of a negotiation: each message sent once it is on record, repeated when it fails, ended in time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from connector_spi.errors import PeerRefusedError, StoreUnavailableError
from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.contract_negotiation import (
    NEGOTIATION_OUTCOMES,
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
)
from control_plane.domain.inbox import InboxMessage
from control_plane.services.negotiation_manager import ContractNegotiationManager
from control_plane.services.pending_guards import HoldsNothing
from tests.control_plane_entities import NOW, USE, agreement, moment, negotiation
from tests.fakes import FakeCounterparty, ManualClock, unavailable
from tests.unit.control_plane.transfer_rig import LIMIT, PATIENCE

S = NegotiationState
E = NegotiationEvent
CONSUMER, PROVIDER = NegotiationType.CONSUMER, NegotiationType.PROVIDER
AGREED = {"agreementId": "agreement-1", "timestamp": NOW.isoformat()}


@dataclass
class NegotiationRig:
    """One side's manager over a memory store."""

    clock: ManualClock = field(default_factory=ManualClock)
    client: FakeCounterparty = field(default_factory=FakeCounterparty)
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = memory_stores(self.clock).contract_negotiations
        self.manager = ContractNegotiationManager(
            client=self.client, patience=PATIENCE, guard=HoldsNothing(), clock=self.clock
        )

    async def begin(self, **changes: Any) -> None:
        await self.store.create(negotiation(**changes), due_at=self.clock.now())

    async def provider(self) -> None:
        await self.begin(type=PROVIDER, state=S.REQUESTED, correlation_id="consumer-pid")

    async def now(self) -> ContractNegotiation:
        found = await self.store.find("n-1")
        assert found is not None
        return found

    async def step(self) -> bool:
        due = await self.store.lease_due(now=self.clock.now(), limit=1, lease_seconds=60, owner="rig")
        for leased in due:
            step = await self.manager.take_step(leased)
            await self.store.save(step.entity, epoch=leased.epoch, applied=step.applied, due_at=step.due_at)
            if self.history[-1:] != [step.entity.state.name]:
                self.history.append(step.entity.state.name)
        return bool(due)

    async def run(self) -> S:
        for _ in range(30):
            if not await self.step():
                return (await self.now()).state
        raise AssertionError("the negotiation never comes to rest")

    async def told(self, event: E, payload: Mapping[str, Any] | None = None) -> S:
        await self.tell(event, payload)
        return await self.run()

    async def tell(self, event: E, payload: Mapping[str, Any] | None = None) -> None:
        note = InboxMessage(id=str(uuid4()), kind=event.value, payload=payload or {}, received_at=self.clock.now())
        await self.store.append("n-1", note, lambda _negotiation, _pending: None)


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
    await rig.provider()
    await rig.step()
    await rig.tell(E.VERIFY)
    assert await rig.run() is S.FINALIZED


async def test_a_refusal_ends_it_and_the_reason_is_kept(rig: NegotiationRig) -> None:
    rig.client.fail("request_contract", PeerRefusedError("They answered 401.", status=401))
    await rig.begin()
    assert await rig.run() is S.TERMINATED
    assert (await rig.now()).error_detail == "They answered 401."
    assert rig.client.count("terminate_negotiation") == 0, "there is nobody who would know it"


async def test_a_provider_that_is_refused_tells_why_it_ends(rig: NegotiationRig) -> None:
    rig.client.fail("send_agreement", PeerRefusedError("They answered 400.", status=400))
    await rig.provider()
    assert await rig.run() is S.TERMINATED
    assert rig.client.reasons == ["They answered 400."]


async def test_the_counterpartys_reason_is_kept(rig: NegotiationRig) -> None:
    await rig.begin()
    await rig.run()
    assert await rig.told(E.TERMINATE_BY_COUNTERPARTY, {"message": "We changed our mind."}) is S.TERMINATED
    assert (await rig.now()).error_detail == "We changed our mind."


@pytest.mark.parametrize(
    ("side", "state"),
    [
        *((CONSUMER, s) for s in (S.INITIAL, S.REQUESTING, S.REQUESTED, S.AGREED, S.VERIFYING, S.VERIFIED)),
        *((PROVIDER, s) for s in (S.REQUESTED, S.AGREEING, S.AGREED, S.VERIFIED, S.FINALIZING, S.TERMINATING)),
    ],
)
async def test_every_state_ends_once_it_has_lasted_too_long(
    rig: NegotiationRig, side: NegotiationType, state: S
) -> None:
    calls = ("request_contract", "send_agreement", "send_verification", "send_finalization", "terminate_negotiation")
    rig.client.always = dict.fromkeys(calls, unavailable())
    await rig.begin(type=side, state=state, correlation_id="pid", deadline_at=moment(LIMIT), agreement=agreement())
    for _ in range(4):
        await rig.run()
        rig.clock.advance(LIMIT)
    ended = await rig.now()
    assert ended.state is S.TERMINATED
    assert "lasted longer than the configured limit" in (ended.error_detail or "")


@pytest.mark.parametrize("state", list(NEGOTIATION_OUTCOMES))
@pytest.mark.parametrize("event", list(E))
async def test_what_comes_after_the_end_changes_nothing(rig: NegotiationRig, state: S, event: E) -> None:
    await rig.begin(state=state)
    before = await rig.now()
    assert await rig.told(event, AGREED) is state
    assert await rig.now() == before
    assert rig.client.calls == []


async def test_a_store_that_is_down_is_the_loops_matter(rig: NegotiationRig) -> None:
    rig.client.fail("request_contract", StoreUnavailableError("down"))
    await rig.begin()
    await rig.step()
    with pytest.raises(StoreUnavailableError):
        await rig.step()
