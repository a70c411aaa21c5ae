"""Complete stand-ins for what a control plane meets outside: a clock, a counterparty, storage and a data plane."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from connector_spi.data_address import DataAddress
from connector_spi.errors import PeerRefusedError, PeerUnavailableError
from connector_spi.signaling import DataFlowProgress
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.participant import Counterparty
from control_plane.domain.placement import DestinationAccess, Placement, PlacementPosition, PlacementStage, TakenBack
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import ProvisionedResource, TransferError, TransferProcess
from control_plane.ports.completion_evidence import Evidence, Pending
from control_plane.ports.data_flow_controller import FlowAnswer, FlowStatus
from control_plane.ports.dataspace_client import CatalogAnswer
from control_plane.ports.provisioner import Provisioned
from tests.control_plane_entities import NOW

Hook = Callable[[str], Awaitable[None]]


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Script:
    """Remembers calls, and fails those that the test wants to fail.

    `failures`: errors by call name, raised one after the other; the last one again and again when it stands alone under
    `always`. `during`: runs inside every call, as things happen while a call is under way.
    """

    calls: list[str] = field(default_factory=list)
    failures: dict[str, deque[Exception]] = field(default_factory=dict)
    always: dict[str, Exception] = field(default_factory=dict)
    during: Hook | None = None

    def fail(self, call: str, *errors: Exception) -> None:
        """The next calls of this name fail, one with each error."""
        self.failures.setdefault(call, deque()).extend(errors)

    def count(self, call: str) -> int:
        """How often it was called."""
        return self.calls.count(call)

    async def called(self, call: str) -> None:
        """Note the call, then fail or go on."""
        self.calls.append(call)
        if self.during is not None:
            await self.during(call)
        if self.failures.get(call):
            raise self.failures[call].popleft()
        if call in self.always:
            raise self.always[call]


class FakeCounterparty(Script):
    """A DataspaceClient whose counterparty acknowledges everything. `message_ids`: of each call, by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.message_ids: dict[str, list[str | None]] = {}
        self.destinations: list[DataAddress | None] = []
        self.served_at: list[DataAddress | None] = []
        self.reasons: list[TransferError | str | None] = []
        self.progress: DataFlowProgress | None = None
        self.shows = ""
        """The state that it answers with when it is asked."""
        self.fresh_secret = "sig=fresh"

    async def request_catalog(
        self, counterparty: Counterparty, query: QuerySpec | None = None, continuation: str | None = None
    ) -> CatalogAnswer:
        await self.called("request_catalog")
        return CatalogAnswer({"@type": "Catalog", "participantId": counterparty.id}, size=0)

    async def request_dataset(self, counterparty: Counterparty, dataset_id: str) -> dict[str, Any]:
        await self.called("request_dataset")
        return {"@type": "Dataset", "@id": dataset_id, "participantId": counterparty.id}

    async def request_contract(self, negotiation: ContractNegotiation) -> str:
        await self._sent("request_contract", negotiation)
        return f"provider-pid-of-{negotiation.id}"

    async def send_counter_request(self, negotiation: ContractNegotiation) -> None:
        await self._sent("send_counter_request", negotiation)

    async def offer_contract(self, negotiation: ContractNegotiation) -> str:
        await self._sent("offer_contract", negotiation)
        return f"consumer-pid-of-{negotiation.id}"

    async def send_counter_offer(self, negotiation: ContractNegotiation) -> None:
        await self._sent("send_counter_offer", negotiation)

    async def send_acceptance(self, negotiation: ContractNegotiation) -> None:
        await self._sent("send_acceptance", negotiation)

    async def send_agreement(self, negotiation: ContractNegotiation) -> None:
        assert negotiation.agreement is not None
        await self._sent("send_agreement", negotiation)

    async def send_verification(self, negotiation: ContractNegotiation) -> None:
        await self._sent("send_verification", negotiation)

    async def send_finalization(self, negotiation: ContractNegotiation) -> None:
        await self._sent("send_finalization", negotiation)

    async def terminate_negotiation(self, negotiation: ContractNegotiation) -> None:
        self.reasons.append(negotiation.error_detail)
        await self._sent("terminate_negotiation", negotiation)

    async def fetch_negotiation_state(self, negotiation: ContractNegotiation) -> str:
        await self.called(f"fetch_negotiation_state {negotiation.id}")
        return self.shows

    async def request_transfer(self, process: TransferProcess, destination: DataAddress | None) -> str:
        self.destinations.append(destination)
        await self._sent("request_transfer", process)
        return f"provider-pid-of-{process.id}"

    async def start_transfer(self, process: TransferProcess, served_at: DataAddress | None = None) -> None:
        self.served_at.append(served_at)
        await self._sent("start_transfer", process)

    async def complete_transfer(self, process: TransferProcess) -> None:
        await self._sent("complete_transfer", process)

    async def suspend_transfer(self, process: TransferProcess) -> None:
        await self._sent("suspend_transfer", process)

    async def terminate_transfer(self, process: TransferProcess, error: TransferError) -> None:
        self.reasons.append(error)
        await self._sent("terminate_transfer", process)

    async def renew_credential(self, process: TransferProcess) -> str:
        await self.called("renew_credential")
        return self.fresh_secret

    async def fetch_state(self, process: TransferProcess) -> str:
        await self.called(f"fetch_state {process.id}")
        return self.shows

    async def fetch_progress(self, process: TransferProcess) -> DataFlowProgress | None:
        await self.called(f"fetch_progress {process.id}")
        return self.progress

    async def _sent(self, call: str, entity: TransferProcess | ContractNegotiation) -> None:
        self.message_ids.setdefault(call, []).append(entity.message_id)
        await self.called(call)


class FakeProvisioner(Script):
    """Containers as names in a set; a SAS is a text that tells which process it is for."""

    def __init__(self) -> None:
        super().__init__()
        self.containers: set[str] = set()
        self.valid: set[str] = set()
        """Containers whose SAS still opens them."""

    def plan(self, process: TransferProcess) -> ProvisionedResource:
        planned = ProvisionedResource(
            account=process.data_destination.get("account"),
            container=f"for-{process.id}",
            folder="",
            secret_alias=f"transfer-process-{process.id}-data-address",
            sas_expires_at=None,
        )
        if process.managed_resources:
            return planned
        placement = Placement(container=process.data_destination.get("container"))
        return replace(planned, folder=process.id, access=DestinationAccess.STAGING, placement=placement)

    async def provision(self, process: TransferProcess) -> Provisioned:
        assert process.provisioned is not None
        self.containers.add(process.provisioned.container)
        self.valid.add(process.provisioned.container)
        await self.called("provision")
        made = replace(process.provisioned, sas_expires_at=NOW)
        return Provisioned(resource=made, secret=f"sas-of-{process.id}")

    async def renew(self, process: TransferProcess) -> Provisioned:
        assert process.provisioned is not None
        self.valid.add(process.provisioned.container)
        await self.called("renew")
        made = replace(process.provisioned, sas_expires_at=NOW + timedelta(hours=self.count("renew")))
        return Provisioned(resource=made, secret=f"sas-{self.count('renew')}-of-{process.id}")

    async def revoke(self, process: TransferProcess) -> None:
        assert process.provisioned is not None
        await self.called("revoke")
        self.valid.discard(process.provisioned.container)

    async def deprovision(self, process: TransferProcess) -> None:
        assert process.provisioned is not None
        await self.called("deprovision")
        self.containers.discard(process.provisioned.container)


class FakeDataPlane(Script):
    """A DataFlowController of one data plane.

    `pending`: whether it answers that it will say later. `prepares`: transfer types that it prepares as the consumer's.
    `address`: what its answers name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pending = False
        self.serves: tuple[str, ...] = ("AzureStorage-PUSH", "HttpData-PULL")
        self.prepares: tuple[str, ...] = ()
        self.address: DataAddress | None = None
        self.data_flow_id: str | None = None
        self.running: set[str] = set()
        self.cannot_read: set[str] = set()
        self.statuses: dict[str, FlowStatus] = {}
        self.sources: list[DataAddress] = []
        self.message_ids: dict[str, list[str | None]] = {}

    async def transfer_types(self, source_type: str | None = None) -> tuple[str, ...]:
        return () if source_type in self.cannot_read else self.serves

    async def data_plane_for(self, transfer_type: str, source_type: str | None = None) -> str:
        if transfer_type not in self.serves:
            raise PeerRefusedError(f"No data plane serves {transfer_type!r}.", status=0)
        return "plane-1"

    async def preparing_data_plane_for(self, transfer_type: str) -> str | None:
        return "plane-1" if transfer_type in self.prepares else None

    async def prepare(self, process: TransferProcess) -> FlowAnswer:
        return await self._begun("prepare", process)

    async def start(self, process: TransferProcess, *, source: DataAddress) -> FlowAnswer:
        self.sources.append(source)
        self.running.add(process.id)
        return await self._begun("start", process)

    async def destination(self, process: TransferProcess) -> DataAddress:
        await self.called("destination")
        return process.data_destination

    async def notify_started(self, process: TransferProcess) -> None:
        self.running.add(process.id)
        await self._signalled("notify_started", process)

    async def status(self, process: TransferProcess) -> FlowStatus | None:
        await self._signalled("status", process)
        return self.statuses.get(process.id)

    async def suspend(self, process: TransferProcess) -> None:
        await self._signalled("suspend", process)
        self.running.discard(process.id)

    async def resume(self, process: TransferProcess) -> FlowAnswer:
        answer = await self._begun("resume", process)
        self.running.add(process.id)
        return answer

    async def renew_credential(self, process: TransferProcess) -> FlowAnswer:
        return await self._begun("renew_credential", process)

    async def complete(self, process: TransferProcess) -> None:
        await self._signalled("complete", process)
        self.running.discard(process.id)

    async def terminate(self, process: TransferProcess) -> None:
        await self._signalled("terminate", process)
        self.running.discard(process.id)

    async def _begun(self, call: str, process: TransferProcess) -> FlowAnswer:
        await self._signalled(call, process)
        return FlowAnswer(pending=self.pending, data_flow_id=self.data_flow_id, data_address=self.address)

    async def _signalled(self, call: str, process: TransferProcess) -> None:
        assert process.data_plane_id == "plane-1"
        self.message_ids.setdefault(call, []).append(process.message_id)
        await self.called(call)


class FakeEvidence(Script):
    """What the destination shows, by process id; nothing, as long as the test does not say otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Evidence] = {}

    async def look(self, process: TransferProcess) -> Evidence:
        await self.called(f"look {process.id}")
        return self.found.get(process.id, Pending())


class FakePlacement(Script):
    """A DestinationPlacement that needs `slices` calls, and as many to take its work back."""

    def __init__(self) -> None:
        super().__init__()
        self.slices = 1
        self.placed: set[str] = set()
        """Processes of which something is in the client's container."""
        self.taken_back_from: list[str | None] = []

    async def place(self, process: TransferProcess, *, seconds: float) -> PlacementPosition:
        assert process.placement is not None
        assert process.placement.position is not None
        await self.called("place")
        self.placed.add(process.id)
        done = process.placement.position.placed + 1
        stage = PlacementStage.END if done == self.slices else PlacementStage.OBJECTS
        return PlacementPosition(stage=stage, placed=done)

    async def take_back(self, process: TransferProcess, *, seconds: float) -> TakenBack:
        await self.called("take_back")
        assert process.placement is not None
        self.taken_back_from.append(process.placement.taken_back_to)
        if self.count("take_back") < self.slices:
            return TakenBack(is_done=False, continuation=f"page {self.count('take_back')}")
        self.placed.discard(process.id)
        return TakenBack(is_done=True)


def unavailable(retry_after_seconds: float | None = None) -> PeerUnavailableError:
    """A counterparty or data plane that does not answer now."""
    return PeerUnavailableError("It does not answer.", retry_after_seconds=retry_after_seconds)
