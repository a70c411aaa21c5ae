"""One participant under test: its real control plane over stores that stay, and a network in the test's hand."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, cast

import httpx

from azure_storage.endpoints import AZURE_PUBLIC_CLOUD, StorageEndpoints
from connector_spi.data_address import AZURE_STORAGE
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.dsp_client import DspClient
from control_plane.adapters.memory_stores import memory_stores
from control_plane.adapters.version_directory import VersionDirectory
from control_plane.bootstrap import ControlPlane, control_plane_of, entity_loops, policy_monitor_of
from control_plane.bootstrap.guards import PendingGuards
from control_plane.bootstrap.parts import Parts
from control_plane.bootstrap.policies import plugin_contexts, policy_engine
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.transfer_process import TransferProcess
from control_plane.ports.provisioner import Provisioned
from control_plane.ports.stores import Stores
from control_plane.services.data_flow_service import DataFlowService
from control_plane.services.flow_reconciler import FlowReconciler
from control_plane.services.status_checker import StatusChecker
from control_plane.services.transfer_addresses import TransferAddresses
from control_plane.settings import ControlPlaneSettings, NegotiationSettings, TransferSettings
from tests.control_plane_entities import NOW
from tests.fakes import FakeEvidence, FakeProvisioner, ManualClock
from tests.property.network import Network
from tests.property.scripted_flows import ScriptedFlows
from tests.property.stepped_loop import SteppedLoop
from tests.property.watched_stores import WatchedStore, Witness
from tests.unit.control_plane.keys import KEY_ALIAS, identity, key_of, private_pem
from vault_adapters.memory import InMemoryVault

LEASE_SECONDS: Final = 30.0
CALL_SECONDS: Final = 8.0
LONGEST_LIMIT_SECONDS: Final = 3600.0
TIMING: Final = TransferSettings(
    lease_seconds=LEASE_SECONDS,
    call_seconds=CALL_SECONDS,
    retry_base_seconds=1,
    retry_cap_seconds=20,
    provisioning_seconds=300,
    handshake_seconds=300,
    requested_seconds=600,
    started_seconds=LONGEST_LIMIT_SECONDS,
    suspended_seconds=LONGEST_LIMIT_SECONDS,
    evidence_seconds=300,
    termination_seconds=300,
)
_TOKEN_SECONDS: Final = 600.0


class SasProvisioner(FakeProvisioner):
    """One whose secrets pass the provider's checks."""

    async def provision(self, process: TransferProcess) -> Provisioned:
        made = await super().provision(process)
        return replace(made, secret=f"sv=2026-01-01&sr=c&sp=cw&se=2030-01-01T00%3A00%3A00Z&sig={process.id}")


@dataclass
class Decisions:
    """A guard that holds everything while `manual` is set: its people decide."""

    manual: bool = False

    def holds(self, _entity: Any, /) -> bool:
        return self.manual


@dataclass(frozen=True)
class _Run:
    """What is gone when the control plane goes down."""

    plane: ControlPlane
    flow_service: DataFlowService
    checker: StatusChecker
    reconciler: FlowReconciler
    transfers: WatchedStore[TransferProcess]
    negotiations: WatchedStore[ContractNegotiation]
    http: httpx.AsyncClient
    application: httpx.ASGITransport
    loops: "tuple[asyncio.Task[None], ...]"


class ParticipantUnderTest:
    """Runs, goes down and comes back; stores, vault, data plane and storage stay."""

    def __init__(
        self, participant_id: str, *, knows: tuple[str, ...], loop: SteppedLoop, network: Network, clock: ManualClock
    ) -> None:
        self.id = participant_id
        self.host = f"{participant_id.rpartition(':')[2]}.example"
        self.address = f"https://{self.host}/2025-1"
        self.decisions = Decisions()
        self.secrets = {KEY_ALIAS: private_pem(key_of(participant_id))}
        self.lease_clock_ahead = 0.0
        """Seconds by which the database's clock runs ahead of this participant's."""
        self.stores = memory_stores(clock, monotonic=self._lease_clock)
        self.flows = ScriptedFlows()
        self.provisioner = SasProvisioner()
        self.evidence = FakeEvidence()
        self._knows = knows
        self._loop = loop
        self._network = network
        self._clock = clock
        self._run: _Run | None = None
        self._sweeps: list[asyncio.Task[None]] = []
        signs = identity(participant_id, knows=knows, clock=clock, token_seconds=_TOKEN_SECONDS)
        network.join(participant_id, self.host, lambda: self._run.application if self._run else None, signs)

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self._run is not None

    @property
    def run(self) -> _Run:
        """The control plane at work."""
        assert self._run is not None
        return self._run

    def start(self, witness: Witness) -> None:
        """Come up, with nothing but what was stored."""
        self._run = self._loop.result_of(self._started(witness))
        self._loop.settle()

    def go_down(self) -> None:
        """Stop at once, as `kill -9` does: nothing is written any more, no answer is heard."""
        gone, self._run = self.run, None
        gone.transfers.die()
        gone.negotiations.die()
        for task in (*gone.loops, *self._sweeps):
            task.cancel()
        self._sweeps.clear()
        self._loop.settle()
        self._loop.result_of(gone.http.aclose())

    def sweep(self) -> None:
        """Look for markers, and ask the data plane, as APScheduler would have it done."""
        self._sweeps += [
            self._loop.create_task(self.run.checker.sweep()),
            self._loop.create_task(self.run.reconciler.sweep()),
        ]
        self._loop.settle()
        for ended in [sweep for sweep in self._sweeps if sweep.done()]:
            self._sweeps.remove(ended)
            ended.result()

    @property
    def is_busy(self) -> bool:
        """Whether one of its loops would lease something now."""
        return self._run is not None and (self.has_work(self.run.negotiations) or self.has_work(self.run.transfers))

    def has_work(self, store: WatchedStore[Any]) -> bool:
        """Whether the loop of this store would lease something now."""
        due_at = self._loop.result_of(store.next_due_at())
        return store.is_at_gate and due_at is not None and due_at <= self._clock.now()

    def step(self) -> bool:
        """Let each loop lease one entity that is due; whether there was one."""
        if not self.is_up:
            return False
        stores: tuple[WatchedStore[Any], ...] = (self.run.negotiations, self.run.transfers)
        busy = [store for store in stores if self.has_work(store)]
        for store in busy:
            store.let_pass()
        self._loop.settle()
        return bool(busy)

    def _lease_clock(self) -> float:
        return (self._clock.now() - NOW) / timedelta(seconds=1) + self.lease_clock_ahead

    def _settings(self) -> ControlPlaneSettings:
        return ControlPlaneSettings(
            participant_id=self.id,
            database_url="memory://",
            protocol_url=f"https://{self.host}",
            signaling_url=f"https://signaling.{self.host}",
            transfer=TIMING,
            negotiation=NegotiationSettings(decision_seconds=LONGEST_LIMIT_SECONDS),
        )

    async def _started(self, witness: Witness) -> _Run:
        transfers = WatchedStore(self.stores.transfer_processes, self._clock, witness)
        negotiations = WatchedStore(self.stores.contract_negotiations, self._clock, witness)
        stores = replace(
            self.stores, transfer_processes=cast(Any, transfers), contract_negotiations=cast(Any, negotiations)
        )
        http = httpx.AsyncClient(transport=self._network.transport(self.id), timeout=CALL_SECONDS)
        parts = self._parts(stores, http)
        settings = self._settings()
        plane = control_plane_of(settings, parts)
        stop = asyncio.Event()
        guards = PendingGuards(negotiations=self.decisions, transfers=self.decisions)
        loops = entity_loops(settings, parts, guards, policy_monitor_of(TIMING, parts))
        return _Run(
            plane=plane,
            flow_service=DataFlowService(stores=stores, addresses=parts.addresses, clock=self._clock),
            checker=StatusChecker(
                processes=stores.transfer_processes,
                evidence=parts.evidence,
                client=parts.client,
                clock=self._clock,
                interval_seconds=TIMING.status_check_seconds,
            ),
            reconciler=FlowReconciler(
                processes=stores.transfer_processes,
                data_flows=parts.data_flows,
                clock=self._clock,
                silence_seconds=TIMING.flow_check_seconds,
            ),
            transfers=transfers,
            negotiations=negotiations,
            http=http,
            application=httpx.ASGITransport(plane.protocol_app),
            loops=tuple(asyncio.ensure_future(loop.run(stop)) for loop in loops),
        )

    def _parts(self, stores: Stores, http: httpx.AsyncClient) -> Parts:
        """The product's wiring, with what lies outside a control plane in the test's hand."""
        vault = InMemoryVault(self.secrets)
        signs = identity(self.id, knows=self._knows, vault=vault, clock=self._clock, token_seconds=_TOKEN_SECONDS)
        outside: dict[str, Any] = {
            "data_flows": self.flows,
            "evidence": self.evidence,
            "provisioners": {AZURE_STORAGE: self.provisioner},
        }
        unused: dict[str, Any] = dict.fromkeys(("storage", "directory", "data_plane_identity", "placement"))
        outbound = OutboundAddressPolicy()
        return Parts(
            **outside,
            **unused,
            stores=stores,
            vault=vault,
            clock=self._clock,
            endpoints=StorageEndpoints(AZURE_PUBLIC_CLOUD),
            outbound=outbound,
            identity=signs,
            client=DspClient(
                http=http,
                identity=signs,
                callback_address=self.address,
                call_seconds=CALL_SECONDS,
                versions=VersionDirectory(http, call_seconds=CALL_SECONDS),
            ),
            addresses=TransferAddresses(vault, stores.transfer_processes),
            policies=policy_engine(stores.transfer_processes, (), plugin_contexts({}, vault, self._clock, outbound)),
        )
