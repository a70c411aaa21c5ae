"""A data plane as its control plane sees it: flows that start late, finish, fail or park when the test says so.

Its answers follow Data Plane Signaling: a repeated signal changes nothing, an impossible one is refused.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from connector_spi.data_address import DataAddress
from connector_spi.errors import PeerRefusedError, PeerUnavailableError
from connector_spi.signaling import DataFlowError, DataFlowState
from control_plane.domain.transfer_process import TransferProcess
from control_plane.ports.data_flow_controller import FlowAnswer, FlowStatus

PLANE: Final = "plane-1"
_S = DataFlowState
_ENDED: Final = frozenset({_S.COMPLETED, _S.TERMINATED})


@dataclass
class ScriptedFlows:
    """The DataFlowController of one data plane."""

    flows: dict[str, DataFlowState] = field(default_factory=dict)
    processes: dict[str, TransferProcess] = field(default_factory=dict)
    """What each flow was started with."""
    starts_late: bool = False
    """Whether a start is answered with a promise."""
    fates: "deque[bool]" = field(default_factory=deque)
    """Of the next calls: False, it gets lost; True, its answer does."""
    tokens: int = 0
    unreached: set[str] = field(default_factory=set)
    """Flows about which a signal got lost."""

    async def transfer_types(self, source_type: str | None = None) -> tuple[str, ...]:
        del source_type
        return ("AzureStorage-PUSH", "HttpData-PULL")

    async def data_plane_for(self, transfer_type: str, source_type: str | None = None) -> str:
        del source_type
        if transfer_type not in await self.transfer_types():
            raise PeerRefusedError(f"No data plane serves {transfer_type!r}.", status=0)
        return PLANE

    async def preparing_data_plane_for(self, transfer_type: str) -> str | None:
        del transfer_type
        return None

    async def prepare(self, process: TransferProcess) -> FlowAnswer:
        raise PeerRefusedError(f"This data plane does not prepare {process.transfer_type}.", status=501)

    async def notify_started(self, process: TransferProcess) -> None:
        """Never called: it prepares nothing, so no consumer's process is its own."""

    async def destination(self, process: TransferProcess) -> DataAddress:
        return process.data_destination

    async def renew_credential(self, process: TransferProcess) -> FlowAnswer:
        raise PeerRefusedError(f"This data plane has prepared nothing for {process.id}.", status=404)

    async def start(self, process: TransferProcess, *, source: DataAddress) -> FlowAnswer:
        del source
        answer_lost = self._reached(process)
        state = self.flows.get(process.id)
        if state is None:
            state = _S.STARTING if self.starts_late else _S.STARTED
            self.flows[process.id] = state
            self.processes[process.id] = process
        elif state is _S.TERMINATED:
            raise PeerRefusedError("The flow has ended.", status=409)
        self._answered(lost=answer_lost)
        return FlowAnswer(pending=state is _S.STARTING, data_address=self.served_at(process))

    async def suspend(self, process: TransferProcess) -> None:
        self._move(process, {_S.STARTED: _S.SUSPENDED, _S.STARTING: _S.SUSPENDED, _S.SUSPENDED: _S.SUSPENDED})

    async def resume(self, process: TransferProcess) -> FlowAnswer:
        self._move(process, {_S.SUSPENDED: _S.STARTED, _S.STARTED: _S.STARTED})
        return FlowAnswer(pending=False, data_address=self.served_at(process))

    async def complete(self, process: TransferProcess) -> None:
        self._move(process, {state: _S.COMPLETED for state in _S if state is not _S.TERMINATED})

    async def terminate(self, process: TransferProcess) -> None:
        if process.id in self.flows:
            self._move(process, {state: _S.TERMINATED for state in _S if state is not _S.COMPLETED})

    async def status(self, process: TransferProcess) -> FlowStatus | None:
        answer_lost = self._reached(process)
        self._answered(lost=answer_lost)
        state = self.flows.get(process.id)
        if state is None:
            return None
        failure = DataFlowError(code="ScriptedFailure", message="It failed.") if state is _S.TERMINATED else None
        return FlowStatus(state=state, failure=failure)

    def running(self) -> list[str]:
        """Flows that may still end."""
        return [flow for flow, state in self.flows.items() if state not in _ENDED]

    def served_at(self, process: TransferProcess) -> DataAddress | None:
        """Where a pull's data is served, under a fresh token."""
        if not process.is_pull:
            return None
        self.tokens += 1
        return DataAddress(
            "HttpData", {"endpoint": "https://data.example/public", "authorization": f"secret-token-{self.tokens}"}
        )

    def _move(self, process: TransferProcess, moves: dict[DataFlowState, DataFlowState]) -> None:
        answer_lost = self._reached(process)
        state = self.flows.get(process.id)
        after = None if state is None else moves.get(state)
        if after is None:
            raise PeerRefusedError(f"The flow is {state}.", status=404 if state is None else 409)
        self.flows[process.id] = after
        self._answered(lost=answer_lost)

    def _reached(self, process: TransferProcess) -> bool:
        answer_lost = self.fates.popleft() if self.fates else None
        if answer_lost is False:
            self.unreached.add(process.id)
            raise PeerUnavailableError("The data plane cannot be reached.")
        return answer_lost is True

    def _answered(self, *, lost: bool) -> None:
        if lost:
            raise PeerUnavailableError("The data plane's answer was lost.")
