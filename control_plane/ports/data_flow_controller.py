"""DataFlowController: tells a data plane what to do, by Data Plane Signaling."""

from dataclasses import dataclass
from typing import Protocol

from connector_spi.data_address import DataAddress
from connector_spi.signaling import DataFlowError, DataFlowState
from control_plane.domain.transfer_process import TransferProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedFlow:
    """A data plane's answer to `start`."""

    data_plane_id: str
    state: DataFlowState
    """STARTED, or STARTING when the data plane will say later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStatus:
    """A data plane's answer to a question: the flow's state and, when it failed and the data plane tells, why."""

    state: DataFlowState
    failure: DataFlowError | None = None


class DataFlowController(Protocol):
    """One flow per transfer process, under the process's id. Every call may be repeated.

    Every method raises

        PeerUnavailableError: the data plane did not answer; the same call may work later.
        PeerRefusedError: it refused, or no data plane serves this transfer type.
        SecretNotFoundError, VaultUnavailableError: the destination's secret could not be read from the vault.
    """

    def transfer_types(self) -> tuple[str, ...]:
        """What the configured data planes can do, for the catalog."""
        ...

    async def start(self, process: TransferProcess, *, source: DataAddress, provider_id: str) -> StartedFlow:
        """Start the flow; when it runs already, its present state is returned."""
        ...

    async def status(self, process: TransferProcess) -> FlowStatus | None:
        """How the flow is; None when the data plane does not know it."""
        ...

    async def suspend(self, process: TransferProcess) -> None:
        """Stop the bytes for now."""
        ...

    async def resume(self, process: TransferProcess) -> None:
        """Go on."""
        ...

    async def terminate(self, process: TransferProcess) -> None:
        """Stop for good; does nothing when the data plane does not know the flow."""
        ...
