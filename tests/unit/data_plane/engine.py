"""A copy engine over memory, and the flow that it works on."""

from dataclasses import dataclass, field

from data_plane.adapters.memory_data_flow_store import MemoryDataFlowStore, MemoryObjectJournal
from data_plane.domain.data_flow import DataFlow
from data_plane.ports.data_flow_store import LeasedFlow
from data_plane.services.bandwidth import Bandwidth
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.copy_engine import CopyEngine, CopyRules
from data_plane.services.progress_meter import ProgressMeter
from data_plane.services.registry import FactoryRegistry
from data_plane.services.retry import Backoff, Retrier
from tests.unit.data_plane.fakes import ManualClock, MemorySink, MemorySource, a_data_flow

QUICK = Backoff(first_seconds=0.0001, cap_seconds=0.001)


@dataclass
class EngineInMemory:
    source: MemorySource = field(default_factory=MemorySource)
    sink: MemorySink = field(default_factory=MemorySink)
    clock: ManualClock = field(default_factory=ManualClock)
    budget: ByteBudget = field(default_factory=lambda: ByteBudget(32 * 1024 * 1024))
    rules: CopyRules = field(default_factory=lambda: CopyRules(max_objects=4, max_blocks=4))
    retried: Retrier = field(default_factory=lambda: Retrier(QUICK))

    def __post_init__(self) -> None:
        self.store = MemoryDataFlowStore(self.clock)
        self.journal = MemoryObjectJournal(self.store)
        self.engine = CopyEngine(
            sources=FactoryRegistry("source", {"Memory": self.source}),
            sinks=FactoryRegistry("sink", {"Memory": self.sink}),
            store=self.store,
            journal=self.journal,
            budget=self.budget,
            bandwidth=Bandwidth(0),
            rules=self.rules,
            lease_seconds=10,
        )

    async def leased(self, flow: DataFlow | None = None) -> LeasedFlow:
        """The flow, leased once the last lease has run out; the flow of the test when none is given."""
        self.clock.advance(11)
        flow = flow or a_data_flow()
        if await self.store.find(flow.id) is None:
            await self.store.add(flow)
        [leased] = await self.store.lease_due("worker", limit=1, seconds=10)
        return leased

    async def run(self, leased: LeasedFlow | None = None) -> ProgressMeter:
        """Copy the flow of the test."""
        leased = leased or await self.leased()
        meter = ProgressMeter(leased.flow.counters, monotonic=lambda: 0.0)
        await self.engine.run(leased, meter, self.retried)
        return meter
