"""A whole data plane over memory: signaling API, manager, worker, owed work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from data_plane.services.destination_service import DestinationService
from fastapi import FastAPI

from connector_spi.clock import SystemClock
from connector_spi.data_address import DataAddress, DataAddressMessage
from data_plane.adapters.memory_data_flow_store import MemoryDataFlowStore, MemoryObjectJournal
from data_plane.ports.data_sink import DataSinkFactory
from data_plane.ports.data_source import DataSourceFactory
from data_plane.ports.destination_preparer import DestinationPreparer, PreparedDestination
from data_plane.services.bandwidth import Bandwidth
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.copy_engine import CopyEngine, CopyRules
from data_plane.services.credential_intake import CredentialIntake
from data_plane.services.data_flow_manager import DataFlowManager
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.flow_worker import FlowWorker, WorkerLimits
from data_plane.services.keyed_locks import KeyedLocks
from data_plane.services.owed_pieces import OwedPieces, Patience
from data_plane.services.owed_work import OwedWorkLoop
from data_plane.services.progress_reporter import ProgressReporter
from data_plane.services.registry import FactoryRegistry
from data_plane.services.retry import Backoff
from data_plane.services.wake_up import WakeUp
from data_plane.signaling_api.app import GateRules, create_app
from tests.eventually import eventually
from tests.unit.data_plane.fakes import MemoryControlPlane, MemorySink, MemorySource
from vault_adapters.memory import InMemoryVault

QUICK = Backoff(first_seconds=0.001, cap_seconds=0.01)
TOKEN = "the-token"


@dataclass
class MemoryPreparer:
    """Hands out made-up signatures."""

    released: list[tuple[str, bool]] = field(default_factory=list)

    async def prepare(self, flow_id: str, wish: DataAddress) -> PreparedDestination:
        return PreparedDestination(wish.with_properties(container="made"), f"signature-for-{flow_id}")

    async def release(self, flow_id: str, _address: DataAddress, *, delivered: bool) -> None:
        self.released.append((flow_id, delivered))


@dataclass
class PlaneInMemory:
    source: MemorySource = field(default_factory=MemorySource)
    sink: MemorySink = field(default_factory=MemorySink)
    control_plane: MemoryControlPlane = field(default_factory=MemoryControlPlane)
    preparer: MemoryPreparer = field(default_factory=MemoryPreparer)
    secrets: dict[str, str] = field(default_factory=dict)
    limits: WorkerLimits = field(default_factory=lambda: WorkerLimits(lease=5, heartbeat=0.02, no_progress=20, flow=60))
    callback_patience: timedelta = timedelta(minutes=1)
    body_seconds: float = 30
    token: str | None = TOKEN

    def __post_init__(self) -> None:
        self.clock, self.vault = SystemClock(), InMemoryVault(self.secrets)
        self.store = MemoryDataFlowStore(self.clock)
        self.journal = MemoryObjectJournal(self.store)
        sources, sinks = (
            FactoryRegistry("source", {"Memory": self.source}),
            FactoryRegistry("sink", {"Memory": self.sink}),
        )
        preparers, self.owed_wake_up = FactoryRegistry("preparer", {"Memory": self.preparer}), WakeUp()
        worker = FlowWorker(
            store=self.store,
            engine=CopyEngine(
                sources=sources,
                sinks=sinks,
                store=self.store,
                journal=self.journal,
                budget=ByteBudget(32 * 1024 * 1024),
                bandwidth=Bandwidth(0),
                rules=CopyRules(max_objects=2, max_blocks=2),
                lease_seconds=self.limits.lease,
            ),
            reporter=ProgressReporter(self.control_plane, 0.01),
            clock=self.clock,
            limits=self.limits,
            backoff=QUICK,
        )
        self._build_loops(worker, sinks, preparers)
        self._build_services(sources, sinks, preparers)

    def _build_loops(
        self,
        worker: FlowWorker,
        sinks: FactoryRegistry[DataSinkFactory],
        preparers: FactoryRegistry[DestinationPreparer],
    ) -> None:
        self.manager = DataFlowManager(
            self.store,
            worker,
            worker_id="worker",
            max_flows=2,
            poll_seconds=0.02,
            on_flow_ended=self.owed_wake_up.set,
        )
        self.owed_work = OwedWorkLoop(
            store=self.store,
            pieces=OwedPieces(
                control_plane=self.control_plane,
                sinks=sinks,
                preparers=preparers,
                journal=self.journal,
                vault=self.vault,
                clock=self.clock,
                patience=Patience(marker=timedelta(seconds=5), callback=self.callback_patience),
            ),
            clock=self.clock,
            backoff=QUICK,
            poll_seconds=0.02,
            wake_up=self.owed_wake_up,
        )

    def _build_services(
        self,
        sources: FactoryRegistry[DataSourceFactory],
        sinks: FactoryRegistry[DataSinkFactory],
        preparers: FactoryRegistry[DestinationPreparer],
    ) -> None:
        creating, intake = KeyedLocks(), CredentialIntake(self.vault, self.store)
        self.flows = DataFlowService(
            store=self.store,
            intake=intake,
            sources=sources,
            sinks=sinks,
            manager=self.manager,
            owed_wake_up=self.owed_wake_up,
            clock=self.clock,
            accepted_callback=lambda sent: sent or "",
            creating=creating,
        )
        self.destinations = DestinationService(
            store=self.store,
            preparers=preparers,
            vault=self.vault,
            intake=intake,
            clock=self.clock,
            accepted_callback=lambda sent: sent or "",
            creating=creating,
        )

    def app(self) -> FastAPI:
        """The app; its lifespan runs the loops."""

        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            async with asyncio.TaskGroup() as group:
                loops = [group.create_task(self.manager.run()), group.create_task(self.owed_work.run())]
                try:
                    yield
                finally:
                    for loop in loops:
                        loop.cancel()

        async def token() -> str:
            return self.token or ""

        return create_app(
            flows=self.flows,
            destinations=self.destinations,
            checks={"database": self.store.ping},
            gate=GateRules(token=token if self.token else None, max_body_bytes=4096, body_seconds=self.body_seconds),
            lifespan=lifespan,
        )

    @asynccontextmanager
    async def client(self, *, working: bool = True, server: str = "data-plane") -> AsyncIterator[httpx.AsyncClient]:
        """A client that holds the token; `working`: whether flows are worked on."""
        app = self.app()
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url=f"http://{server}",
            headers=headers,
        ) as client:
            if working:
                async with app.router.lifespan_context(app):
                    yield client
            else:
                yield client

    async def until(self, flow_id: str, state: str) -> None:
        """Wait until the flow has the state and nothing is owed."""

        async def settled() -> bool:
            flow = await self.store.find(flow_id)
            return flow is not None and flow.state == state and not flow.owed

        await eventually(settled, seconds=10)


def start_message(process_id: str = "process-1", **changes: Any) -> dict[str, Any]:
    """A start message from memory to memory; override members, None takes one away."""
    address = DataAddress(
        "Memory",
        {"place": "there", "secret": "the-signature", "transferNonce": "n1", "consumerProcessId": "consumer-1"},
    )
    message = {
        "messageId": "message-1",
        "participantId": "provider",
        "counterPartyId": "consumer",
        "dataspaceContext": "test",
        "processId": process_id,
        "agreementId": "agreement-1",
        "datasetId": "asset-1",
        "profile": "Memory-PUSH",
        "claims": {},
        "dataAddress": DataAddressMessage.of(address).model_dump(mode="json", by_alias=True, exclude_none=True),
        "metadata": {"source": {"type": "Memory", "properties": {"place": "here"}}},
        **changes,
    }
    return {name: value for name, value in message.items() if value is not None}
