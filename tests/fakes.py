"""Complete stand-ins for what a control plane meets outside: a clock, a counterparty, storage and a data plane."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from connector_spi.data_address import DataAddress
from connector_spi.errors import PeerUnavailableError
from connector_spi.signaling import DataFlowProgress, DataFlowState
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.transfer_process import ProvisionedResource, TransferError, TransferProcess
from control_plane.ports.completion_evidence import Evidence, Pending
from control_plane.ports.data_flow_controller import FlowStatus, StartedFlow
from control_plane.ports.dataspace_client import Counterparty
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
        self.destinations: list[DataAddress] = []
        self.reasons: list[TransferError | str | None] = []
        self.progress: DataFlowProgress | None = None

    async def request_catalog(self, counterparty: Counterparty) -> dict[str, Any]:
        await self.called("request_catalog")
        return {"@type": "Catalog", "participantId": counterparty.id}

    async def request_dataset(self, counterparty: Counterparty, dataset_id: str) -> dict[str, Any]:
        await self.called("request_dataset")
        return {"@type": "Dataset", "@id": dataset_id, "participantId": counterparty.id}

    async def request_contract(self, negotiation: ContractNegotiation) -> str:
        await self._sent("request_contract", negotiation)
        return f"provider-pid-of-{negotiation.id}"

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

    async def request_transfer(self, process: TransferProcess, destination: DataAddress) -> str:
        self.destinations.append(destination)
        await self._sent("request_transfer", process)
        return f"provider-pid-of-{process.id}"

    async def start_transfer(self, process: TransferProcess) -> None:
        await self._sent("start_transfer", process)

    async def complete_transfer(self, process: TransferProcess) -> None:
        await self._sent("complete_transfer", process)

    async def suspend_transfer(self, process: TransferProcess) -> None:
        await self._sent("suspend_transfer", process)

    async def terminate_transfer(self, process: TransferProcess, error: TransferError) -> None:
        self.reasons.append(error)
        await self._sent("terminate_transfer", process)

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
        return ProvisionedResource(
            account=process.data_destination.get("account"),
            container=f"for-{process.id}",
            folder="",
            secret_alias=f"transfer-process-{process.id}-data-address",
            sas_expires_at=None,
        )

    async def provision(self, process: TransferProcess) -> Provisioned:
        assert process.provisioned is not None
        self.containers.add(process.provisioned.container)
        self.valid.add(process.provisioned.container)
        await self.called("provision")
        made = replace(process.provisioned, sas_expires_at=NOW)
        return Provisioned(resource=made, secret=f"sas-of-{process.id}")

    async def revoke(self, process: TransferProcess) -> None:
        assert process.provisioned is not None
        await self.called("revoke")
        self.valid.discard(process.provisioned.container)

    async def deprovision(self, process: TransferProcess) -> None:
        assert process.provisioned is not None
        await self.called("deprovision")
        self.containers.discard(process.provisioned.container)


class FakeDataPlane(Script):
    """A DataFlowController of one data plane. `state`: what it answers to `start`."""

    def __init__(self) -> None:
        super().__init__()
        self.state = DataFlowState.STARTED
        self.running: set[str] = set()
        self.statuses: dict[str, FlowStatus] = {}
        self.sources: list[DataAddress] = []

    def transfer_types(self) -> tuple[str, ...]:
        return ("AzureStorage-PUSH",)

    async def start(self, process: TransferProcess, *, source: DataAddress, provider_id: str) -> StartedFlow:
        assert provider_id == process.participant_id
        self.sources.append(source)
        self.running.add(process.id)
        await self.called("start")
        return StartedFlow(data_plane_id="plane-1", state=self.state)

    async def status(self, process: TransferProcess) -> FlowStatus | None:
        await self.called("status")
        return self.statuses.get(process.id)

    async def suspend(self, process: TransferProcess) -> None:
        await self.called("suspend")
        self.running.discard(process.id)

    async def resume(self, process: TransferProcess) -> None:
        await self.called("resume")
        self.running.add(process.id)

    async def terminate(self, process: TransferProcess) -> None:
        await self.called("terminate")
        self.running.discard(process.id)


class FakeEvidence(Script):
    """What the destination shows, by process id; nothing, as long as the test does not say otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Evidence] = {}

    async def look(self, process: TransferProcess) -> Evidence:
        await self.called(f"look {process.id}")
        return self.found.get(process.id, Pending())


def unavailable(retry_after_seconds: float | None = None) -> PeerUnavailableError:
    """A counterparty or data plane that does not answer now."""
    return PeerUnavailableError("It does not answer.", retry_after_seconds=retry_after_seconds)
