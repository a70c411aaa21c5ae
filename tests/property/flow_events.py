"""What the provider's data plane does by itself, and its call-backs: repeated until heard, in any order, and again."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from connector_spi.signaling import DataFlowState
from control_plane.domain.transfer_process import TransferError
from control_plane.ports.completion_evidence import Arrived, Failed
from control_plane.services.data_flow_service import DataFlowService
from tests.property.dataspace import Dataspace
from tests.property.scripted_flows import PLANE

_PLANES: Final = frozenset({PLANE})
_S = DataFlowState


@dataclass(frozen=True)
class Report:
    """One call-back that the data plane owes. `number`: tells repeated parkings apart."""

    name: str
    process_id: str
    number: int


class FlowEvents:
    """Moves the scripted flows of the provider. Each method says whether it was possible."""

    def __init__(self, dataspace: Dataspace) -> None:
        self.owed: list[Report] = []
        self._dataspace = dataspace
        self._flows = dataspace.provider.flows
        self._count = 0

    def start(self, process_id: str) -> bool:
        """A flow that was promised has started."""
        return self._moved(process_id, _S.STARTING, _S.STARTED, "started")

    def finish(self, process_id: str) -> bool:
        """Everything is published; of a push, the marker stands."""
        if not self._moved(process_id, _S.STARTED, _S.COMPLETED, "completed"):
            return False
        self._leave_marker(process_id, Arrived(object_count=1, bytes_total=10))
        return True

    def fail(self, process_id: str) -> bool:
        """The flow is given up."""
        state = self._flows.flows[process_id]
        if not self._moved(process_id, state, _S.TERMINATED, "errored"):
            return False
        self._leave_marker(process_id, Failed(TransferError(code="ScriptedFailure", message="It failed.")))
        return True

    def park(self, process_id: str) -> bool:
        """The flow waits for its control plane to resume it."""
        return self._moved(process_id, _S.STARTED, _S.SUSPENDED, "suspended")

    def report(self, report: Report, *, heard: bool = True) -> None:
        """A call-back arrives; one that is not `heard` will come again."""
        if not self._dataspace.provider.is_up:
            return
        self._dataspace.run(self._told(self._dataspace.provider.run.flow_service, report))
        if heard:
            self.owed.remove(report)

    def _moved(self, process_id: str, before: DataFlowState, after: DataFlowState, name: str) -> bool:
        if self._flows.flows[process_id] is not before:
            return False
        self._flows.flows[process_id] = after
        self._count += 1
        self.owed.append(Report(name, process_id, self._count))
        return True

    def _leave_marker(self, process_id: str, marker: Arrived | Failed) -> None:
        process = self._flows.processes[process_id]
        if not process.is_pull and process.correlation_id is not None:
            self._dataspace.consumer.evidence.found[process.correlation_id] = marker

    def _told(self, service: DataFlowService, report: Report) -> Awaitable[None]:
        process_id = report.process_id
        match report.name:
            case "started":
                address = self._flows.served_at(self._flows.processes[process_id])
                return service.on_started(_PLANES, process_id, address)
            case "completed":
                return service.on_completed(_PLANES, process_id)
            case "errored":
                return service.on_errored(_PLANES, process_id, code="ScriptedFailure", message="It failed.")
            case _:
                number = str(report.number)
                return service.on_suspended(_PLANES, process_id, message_id=number, reason="The credential ran out.")
