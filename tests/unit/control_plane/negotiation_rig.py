"""One side's negotiation manager over memory stores, with the counterparty faked and the clock in the test's hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.contract_definition import OfferId
from control_plane.domain.contract_negotiation import (
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
)
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.policy import Policy
from control_plane.ports.pending_guard import PendingGuard
from control_plane.ports.policy_function import PolicyFunction
from control_plane.services.catalog_service import CatalogService
from control_plane.services.negotiation_consumer_acts import ConsumerNegotiationActs
from control_plane.services.negotiation_decisions import NegotiationDecisions
from control_plane.services.negotiation_manager import ContractNegotiationManager
from control_plane.services.negotiation_provider_acts import ProviderNegotiationActs
from control_plane.services.negotiation_service import NegotiationService
from control_plane.services.pending_guards import HoldsNothing
from control_plane.services.policy_engine import PolicyEngine
from control_plane.services.policy_functions import built_in
from tests import control_plane_entities as examples
from tests.fakes import FakeCounterparty, ManualClock
from tests.unit.control_plane.transfer_rig import PATIENCE

OFFER = str(OfferId(definition_id="c-1", asset_id="asset-1"))
_STEPS_MAX = 50


@dataclass
class NegotiationRig:
    """Use `run` to take every step that is due now."""

    clock: ManualClock = field(default_factory=ManualClock)
    client: FakeCounterparty = field(default_factory=FakeCounterparty)
    guard: PendingGuard[ContractNegotiation] = field(default_factory=HoldsNothing)
    functions: Sequence[PolicyFunction] = ()
    """Left operands of policies beside the built-in ones."""
    history: list[str] = field(default_factory=list)
    """States as they were saved, repetitions left out."""

    def __post_init__(self) -> None:
        self.stores = memory_stores(self.clock)
        self.store = self.stores.contract_negotiations
        policies = PolicyEngine([*built_in(self.stores.transfer_processes), *self.functions])
        catalog = CatalogService(self.stores, self.client, policies, self.clock)
        decisions = NegotiationDecisions(stores=self.stores, catalog=catalog, policies=policies, clock=self.clock)
        self.acts = {
            **ConsumerNegotiationActs(client=self.client, clock=self.clock).acts(),
            **ProviderNegotiationActs(client=self.client, decisions=decisions, clock=self.clock).acts(),
        }
        self.manager = ContractNegotiationManager(acts=self.acts, patience=PATIENCE, guard=self.guard, clock=self.clock)
        self.service = NegotiationService(
            participant_id="did:web:us", stores=self.stores, policies=policies, clock=self.clock
        )

    async def offered(self, policy: Policy = examples.USE, access: Policy = examples.USE) -> None:
        """The catalog offers `asset-1` under the policy."""
        await self.stores.assets.create(examples.asset())
        await self.stores.policy_definitions.create(examples.policy_definition("access", policy=access))
        await self.stores.policy_definitions.create(examples.policy_definition("contract", policy=policy))
        await self.stores.contract_definitions.create(examples.contract_definition())

    async def begin(self, **changes: Any) -> None:
        """A negotiation `n-1`, not worked on yet."""
        await self.store.create(examples.negotiation(**changes), due_at=self.clock.now())

    async def consumer(self, **changes: Any) -> None:
        """One in which this side asked for use, and is known to the provider."""
        facts = {"correlation_id": "provider-pid", "own_policy": examples.USE}
        await self.begin(type=NegotiationType.CONSUMER, **{**facts, **changes})

    async def provider(self, **changes: Any) -> None:
        """One that a consumer has opened by a request for the catalog's offer."""
        facts = {"state": NegotiationState.REQUESTED, "correlation_id": "consumer-pid", "offer_id": OFFER}
        await self.begin(type=NegotiationType.PROVIDER, **{**facts, **changes})

    async def now(self) -> ContractNegotiation:
        """The negotiation as it is stored."""
        found = await self.store.find("n-1")
        assert found is not None
        return found

    async def step(self) -> bool:
        """One step, if one is due."""
        due = await self.store.lease_due(now=self.clock.now(), limit=1, lease_seconds=60, owner="rig")
        for leased in due:
            step = await self.manager.take_step(leased)
            await self.store.save(step.entity, epoch=leased.epoch, applied=step.applied, due_at=step.due_at)
            if self.history[-1:] != [step.entity.state.name]:
                self.history.append(step.entity.state.name)
        return bool(due)

    async def run(self) -> NegotiationState:
        """Every step that is due now; the state in the end."""
        for _ in range(_STEPS_MAX):
            if not await self.step():
                return (await self.now()).state
        raise AssertionError("the negotiation never comes to rest")

    async def told(self, event: NegotiationEvent, payload: Mapping[str, Any] | None = None) -> NegotiationState:
        """Tell and run."""
        await self.tell(event, payload)
        return await self.run()

    async def tell(self, event: NegotiationEvent, payload: Mapping[str, Any] | None = None) -> None:
        """Put a message into the inbox, whether it is legal or not."""
        note = InboxMessage(id=str(uuid4()), kind=event.value, payload=payload or {}, received_at=self.clock.now())
        await self.store.append("n-1", note, lambda _negotiation, _pending: None)


def use_if(left: str, operator: str, right: Any) -> Policy:
    """A policy that permits use under one constraint."""
    constraint = {"leftOperand": left, "operator": operator, "rightOperand": right}
    return Policy(permissions=({"action": "use", "constraint": [constraint]},))
