"""One side's transfer manager over memory stores, with everything outside faked and the clock in the test's hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from control_plane.adapters.memory_stores import memory_stores
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.inbox import FROM_COUNTERPARTY, InboxMessage, heard
from control_plane.domain.transfer_process import (
    OUTCOMES,
    ResourcePhase,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.stores import Leased, Stores
from control_plane.services.consumer_acts import ConsumerActs
from control_plane.services.destination_doors import DestinationDoors
from control_plane.services.entity_loop import Step
from control_plane.services.patience import Backoff, Patience
from control_plane.services.pending_guards import HoldsNothing
from control_plane.services.provider_acts import ProviderActs
from control_plane.services.staged_arrivals import StagedArrivals
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.services.transfer_inbox import accepting
from control_plane.services.transfer_manager import TransferProcessManager
from tests.control_plane_entities import asset, moment, transfer_process
from tests.fakes import FakeCounterparty, FakeDataPlane, FakeEvidence, FakePlacement, FakeProvisioner, ManualClock
from vault_adapters.memory import InMemoryVault

LIMIT: Final = 1000.0
"""Seconds that every state may last."""
STEP_SECONDS: Final = 0.2
PATIENCE: Final = Patience(
    backoff=Backoff(base_seconds=1, cap_seconds=60),
    cleanup_backoff=Backoff(base_seconds=60, cap_seconds=3600),
    transfer_seconds={state: LIMIT for state in TransferProcessState if state not in OUTCOMES},
    negotiation_seconds=dict.fromkeys(NegotiationState, LIMIT),
    step_seconds=STEP_SECONDS,
)
TRUSTED: Final = "did:web:writes-no-marker"
ALIAS: Final = "transfer-process-t-1-data-address"
SAS: Final = "sas-of-t-1"
THEIRS: Final = frozenset({TransferEvent.START, *(e for e in TransferEvent if e.name.endswith("_BY_COUNTERPARTY"))})
"""What counterparties say; the rest comes from this side."""
_STEPS_MAX: Final = 50


@dataclass
class TransferRig:
    """Use `run` to take every step that is due now."""

    clock: ManualClock = field(default_factory=ManualClock)
    client: FakeCounterparty = field(default_factory=FakeCounterparty)
    provisioner: FakeProvisioner = field(default_factory=FakeProvisioner)
    data_plane: FakeDataPlane = field(default_factory=FakeDataPlane)
    evidence: FakeEvidence = field(default_factory=FakeEvidence)
    placement: FakePlacement = field(default_factory=FakePlacement)
    secrets: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    """Shown states of all processes as they were saved, repetitions left out."""

    def __post_init__(self) -> None:
        self.stores: Stores = memory_stores(self.clock)
        self.vault = InMemoryVault(self.secrets)
        self.addresses = TransferAddresses(self.vault, self.stores.transfer_processes)
        self.consumer_acts = ConsumerActs(
            processes=self.stores.transfer_processes,
            doors=DestinationDoors(
                provisioners={"AzureStorage": self.provisioner},
                data_flows=self.data_plane,
                addresses=self.addresses,
                vault=self.vault,
                clock=self.clock,
            ),
            data_flows=self.data_plane,
            client=self.client,
            evidence=self.evidence,
            staged=StagedArrivals(self.placement, self.clock),
            trusting=frozenset({TRUSTED}),
            clock=self.clock,
        )
        self.provider_acts = ProviderActs(
            assets=self.stores.assets,
            data_flows=self.data_plane,
            addresses=self.addresses,
            client=self.client,
            vault=self.vault,
            clock=self.clock,
        )
        self.manager = TransferProcessManager(
            acts={**self.consumer_acts.acts(), **self.provider_acts.acts()},
            resource_acts={**self.consumer_acts.resource_acts(), **self.provider_acts.resource_acts()},
            patience=PATIENCE,
            guard=HoldsNothing(),
            clock=self.clock,
        )

    async def consumer(self, **changes: Any) -> TransferProcess:
        """A new consumer process, not worked on yet."""
        process = transfer_process(nonce="nonce-1", **changes)
        await self.stores.transfer_processes.create(process, due_at=self.clock.now())
        return process

    async def provider(self, **changes: Any) -> TransferProcess:
        """A new provider process whose secret is in the vault, and its asset."""
        if await self.stores.assets.find("asset-1") is None:
            await self.stores.assets.create(asset())
        facts: dict[str, Any] = {
            "type": TransferProcessType.PROVIDER,
            "correlation_id": "consumer-pid",
            "resources": ResourcePhase.HELD,
            "secret_alias": ALIAS,
        }
        process = transfer_process(**{**facts, **changes})
        if process.secret_alias is not None:
            await self.vault.store(ALIAS, SAS)
        await self.stores.transfer_processes.create(process, due_at=self.clock.now())
        return process

    async def now(self, process_id: str = "t-1") -> TransferProcess:
        """The process as it is stored."""
        found = await self.stores.transfer_processes.find(process_id)
        assert found is not None
        return found

    async def shown(self, process_id: str = "t-1") -> str:
        """Its shown state."""
        return (await self.now(process_id)).shown_state

    async def lease(self, *, limit: int = 100, seconds: float = 600) -> list[Leased[TransferProcess]]:
        """What is due now."""
        return await self.stores.transfer_processes.lease_due(
            now=self.clock.now(), limit=limit, lease_seconds=seconds, owner="rig"
        )

    async def save(self, leased: Leased[TransferProcess], step: Step[TransferProcess]) -> None:
        """Save a step as the loop does."""
        await self.stores.transfer_processes.save(
            step.entity, epoch=leased.epoch, applied=step.applied, due_at=step.due_at
        )
        if self.history[-1:] != [step.entity.shown_state]:
            self.history.append(step.entity.shown_state)

    async def step(self) -> int:
        """One step of each process that is due now; returns how many."""
        due = await self.lease()
        for leased in due:
            await self.save(leased, await self.manager.take_step(leased))
        return len(due)

    async def run(self) -> str:
        """Every step that is due now; returns the shown state of the process `t-1`."""
        for _ in range(_STEPS_MAX):
            if not await self.step():
                return await self.shown()
        raise AssertionError("the process never comes to rest")

    async def tell(
        self,
        event: TransferEvent,
        payload: Mapping[str, Any] | None = None,
        *,
        process_id: str = "t-1",
        message_id: str = "",
    ) -> bool:
        """Put a message into the inbox, under the rule that the services put it under."""
        theirs = event in THEIRS
        note = InboxMessage(
            id=message_id or f"{FROM_COUNTERPARTY if theirs else 'test-'}{uuid4()}",
            kind=event.value,
            payload=payload or {},
            received_at=self.clock.now(),
        )

        def accept(process: TransferProcess, pending: Sequence[InboxMessage]) -> None:
            accepting(event)(process, heard(pending) if theirs else pending)

        return await self.stores.transfer_processes.append(process_id, note, accept)

    async def told(self, *events: TransferEvent) -> str:
        """Tell and run, one after the other; returns the shown state in the end."""
        for event in events:
            await self.tell(event)
            await self.run()
        return await self.shown()

    async def deprovision(self) -> str:
        """What a client's wish to deprovision leads to."""
        note = InboxMessage(id="DEPROVISION", kind="DEPROVISION", received_at=self.clock.now())
        await self.stores.transfer_processes.append("t-1", note, accept_all)
        return await self.run()

    async def due_at(self) -> float | None:
        """Seconds after the start at which something is due again."""
        due = await self.stores.transfer_processes.next_due_at()
        return None if due is None else (due - moment(0)).total_seconds()


def accept_all(_process: TransferProcess, _pending: Sequence[InboxMessage]) -> None:
    """Refuses nothing."""
