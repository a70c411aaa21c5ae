"""A whole data plane over memory: signaling API, manager, worker, owed work."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from connector_spi.clock import SystemClock
from connector_spi.data_address import DataAddress, DataAddressMessage
from connector_spi.errors import UnauthenticatedError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from data_plane.adapters.configured_datasets import ConfiguredDatasets
from data_plane.adapters.memory_control_plane_registry import MemoryControlPlaneRegistry
from data_plane.adapters.memory_data_flow_store import MemoryDataFlowStore, MemoryObjectJournal
from data_plane.adapters.memory_secret_ledger import MemorySecretLedger
from data_plane.domain.transfer_profile import TransferProfile
from data_plane.ports.access_granter import AccessGranter
from data_plane.ports.client_identity import ClientIdentity
from data_plane.ports.destination_preparer import PreparedDestination
from data_plane.services.bandwidth import Bandwidth
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.callers import CallerCheck, SharedToken
from data_plane.services.control_plane_registration import ControlPlaneRegistration
from data_plane.services.copy_engine import CopyEngine, CopyRules
from data_plane.services.credential_intake import CredentialIntake
from data_plane.services.data_flow_manager import DataFlowManager
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.flow_creation import FlowCreation
from data_plane.services.flow_readiness import FlowReadiness
from data_plane.services.flow_worker import FlowWorker, WorkerLimits
from data_plane.services.inbox_grants import InboxGrants
from data_plane.services.inbox_records import InboxRecords
from data_plane.services.inbox_writes import InboxLimits, InboxWrites
from data_plane.services.keyed_locks import KeyedLocks
from data_plane.services.new_flows import NewFlows
from data_plane.services.owed_pieces import OwedPieces, Patience
from data_plane.services.owed_work import OwedWorkLoop
from data_plane.services.profile_registry import ProfileRegistry
from data_plane.services.progress_reporter import ProgressReporter
from data_plane.services.public_grants import PublicGranter
from data_plane.services.public_reads import PublicReads
from data_plane.services.received_addresses import ReceivedAddresses
from data_plane.services.registry import FactoryRegistry
from data_plane.services.renewed_secret import RenewedSecrets
from data_plane.services.retry import Backoff
from data_plane.services.token_renewal import TokenRenewal
from data_plane.services.wake_up import WakeUp
from data_plane.signaling_api.app import GateRules, UseCases, create_app
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


class NobodysIdentity:
    """Knows nobody."""

    async def claims(self, token: str, *, client: str, audience: str) -> Mapping[str, Any]:
        raise UnauthenticatedError("Nobody is known here.")


@dataclass
class PlaneInMemory:
    source: MemorySource = field(default_factory=MemorySource)
    sink: MemorySink = field(default_factory=MemorySink)
    control_plane: MemoryControlPlane = field(default_factory=MemoryControlPlane)
    preparer: MemoryPreparer = field(default_factory=MemoryPreparer)
    secrets: dict[str, str] = field(default_factory=dict)
    limits: WorkerLimits = field(default_factory=lambda: WorkerLimits(lease=5, heartbeat=0.02, no_progress=20, flow=60))
    callback_patience: timedelta = timedelta(minutes=1)
    readiness_patience: timedelta = timedelta(minutes=1)
    answer_within_seconds: float = 5
    start_resumes_suspended: bool = False
    max_reads_each: int = 4
    profiles: tuple[TransferProfile, ...] = ()
    inbox_limits: InboxLimits = field(
        default_factory=lambda: InboxLimits(uploads=4, object_bytes=64 * 1024 * 1024, block_seconds=5)
    )
    inbox_budget: ByteBudget = field(default_factory=lambda: ByteBudget(32 * 1024 * 1024))
    identity: ClientIdentity = field(default_factory=NobodysIdentity)
    callers: CallerCheck | None = None
    body_seconds: float = 30
    token: str | None = TOKEN

    def __post_init__(self) -> None:
        self.clock, self.vault = SystemClock(), InMemoryVault(self.secrets)
        self.store = MemoryDataFlowStore(self.clock)
        self.journal = MemoryObjectJournal(self.store)
        self.control_planes = MemoryControlPlaneRegistry()
        self.sources = FactoryRegistry("source", {"Memory": self.source})
        self.sinks = FactoryRegistry("sink", {"Memory": self.sink})
        self.preparers = FactoryRegistry("preparer", {"Memory": self.preparer})
        self.owed_wake_up = WakeUp()
        self.readiness = FlowReadiness(
            profiles=ProfileRegistry(self.profiles),
            preparers=self.preparers,
            granters=FactoryRegistry("granter", self._granters()),
            inboxes=InboxGrants(
                public_url="https://public.example", longest_life=timedelta(minutes=1), clock=self.clock
            ),
            vault=self.vault,
            clock=self.clock,
        )
        self.ledger = MemorySecretLedger(self.clock)
        self.intake = CredentialIntake(self.vault, self.store, self.ledger)
        self._build_loops()
        self.use_cases = self._use_cases()

    def _granters(self) -> dict[str, AccessGranter]:
        life = timedelta(minutes=1)
        return {"HttpData": PublicGranter(public_url="https://public.example", token_life=life, clock=self.clock)}

    def _worker(self) -> FlowWorker:
        return FlowWorker(
            store=self.store,
            engine=CopyEngine(
                sources=self.sources,
                sinks=self.sinks,
                store=self.store,
                journal=self.journal,
                budget=ByteBudget(32 * 1024 * 1024),
                bandwidth=Bandwidth(0),
                lease_seconds=self.limits.lease,
                rules=CopyRules(max_objects=2, max_blocks=2),
            ),
            reporter=ProgressReporter(self.control_plane, 0.01),
            clock=self.clock,
            limits=self.limits,
            backoff=QUICK,
        )

    def _build_loops(self) -> None:
        self.manager = DataFlowManager(
            self.store,
            self._worker(),
            worker_id="worker",
            max_flows=2,
            poll_seconds=0.02,
            on_flow_ended=self.owed_wake_up.set,
        )
        self.owed_work = OwedWorkLoop(
            store=self.store,
            pieces=OwedPieces(
                control_plane=self.control_plane,
                sinks=self.sinks,
                readiness=self.readiness,
                intake=self.intake,
                journal=self.journal,
                clock=self.clock,
                patience=Patience(
                    marker=timedelta(seconds=5), callback=self.callback_patience, readiness=self.readiness_patience
                ),
                on_ready=self.manager.wake,
            ),
            clock=self.clock,
            backoff=QUICK,
            poll_seconds=0.02,
            wake_up=self.owed_wake_up,
        )

    def _use_cases(self) -> UseCases:
        new_flows = NewFlows(
            profiles=self.readiness.profiles,
            sources=self.sources,
            sinks=self.sinks,
            preparers=self.preparers,
            granters=self.readiness.granters,
            inboxes=self.readiness.inboxes,
            datasets=ConfiguredDatasets({"known-dataset": DataAddress("Memory", {"place": "known"})}, {}),
            clock=self.clock,
            accepted_callback=lambda sent: sent or "",
        )
        flows = DataFlowService(
            store=self.store,
            intake=self.intake,
            received=ReceivedAddresses(new_flows),
            readiness=self.readiness,
            manager=self.manager,
            owed_wake_up=self.owed_wake_up,
            clock=self.clock,
        )
        creation = FlowCreation(
            store=self.store,
            intake=self.intake,
            new_flows=new_flows,
            readiness=self.readiness,
            flows=flows,
            clock=self.clock,
            creating=KeyedLocks(),
            answer_within_seconds=self.answer_within_seconds,
            start_resumes_suspended=self.start_resumes_suspended,
        )
        policy = OutboundAddressPolicy(allowed_hosts=("control-plane.example",))
        registration = ControlPlaneRegistration(
            known=self.control_planes, vault=self.vault, ledger=self.ledger, policy=policy
        )
        reads = PublicReads(
            store=self.store, sources=self.sources, clock=self.clock, max_reads=4, max_reads_each=self.max_reads_each
        )
        return UseCases(
            creation=creation,
            flows=flows,
            registration=registration,
            reads=reads,
            writes=self._writes(),
            renewal=self._renewal(),
        )

    def _writes(self) -> InboxWrites:
        return InboxWrites(
            store=self.store,
            sinks=self.sinks,
            records=InboxRecords(self.journal),
            budget=self.inbox_budget,
            clock=self.clock,
            limits=self.inbox_limits,
            backoff=QUICK,
        )

    def _renewal(self) -> TokenRenewal:
        return TokenRenewal(
            store=self.store,
            kept=RenewedSecrets(self.vault, self.store),
            identity=self.identity,
            clock=self.clock,
            token_life=timedelta(minutes=1),
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

        callers = self.callers or SharedToken(token)
        return create_app(
            self.use_cases,
            checks={"database": self.store.ping},
            gate=GateRules(
                callers=callers if self.token else None, max_body_bytes=4096, body_seconds=self.body_seconds
            ),
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
