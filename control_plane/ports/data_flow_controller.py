"""DataFlowController: tells a data plane what to do, by Data Plane Signaling."""

from dataclasses import dataclass
from typing import Protocol

from connector_spi.data_address import DataAddress
from connector_spi.signaling import DataFlowError, DataFlowState
from control_plane.domain.transfer_process import TransferProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowAnswer:
    """A data plane's answer to `prepare`, `start` or `resume`."""

    pending: bool
    """True: it will say later, by a call-back."""
    data_flow_id: str | None = None
    """Its name of the flow, where that is not the process's id."""
    data_address: DataAddress | None = None
    """Where the data goes (prepared push) or is served (started pull), secrets included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStatus:
    """A data plane's answer to a question: the flow's state and, when it failed and the data plane tells, why."""

    state: DataFlowState
    failure: DataFlowError | None = None


class DataFlowController(Protocol):
    """One flow per transfer process, on the process's `data_plane_id`. Every call may be repeated.

    Every method that takes a process raises

        PeerUnavailableError: the data plane did not answer; the same call may work later.
        PeerRefusedError: it refused, or is not known any more.
        ForbiddenAddressError: its address may not be called.
        SecretNotFoundError, VaultUnavailableError: a secret of the message could not be read from the vault.
    """

    async def transfer_types(self, source_type: str | None = None) -> tuple[str, ...]:
        """What the data planes that are known now can do, for the catalog; with data of this DataAddress type.

        Raises:
            StoreUnavailableError: the registered ones could not be read.
        """
        ...

    async def data_plane_for(self, transfer_type: str, source_type: str | None = None) -> str:
        """The id of a data plane that serves this transfer type, of data of this DataAddress type, as the provider's.

        Raises:
            PeerRefusedError: there is none; names the type and what there is.
            StoreUnavailableError: the registered ones could not be read.
        """
        ...

    async def preparing_data_plane_for(self, transfer_type: str) -> str | None:
        """The id of a data plane that prepares this transfer type as the consumer's; None: the control plane does.

        Raises:
            StoreUnavailableError: the registered ones could not be read.
        """
        ...

    async def prepare(self, process: TransferProcess) -> FlowAnswer:
        """Consumer: make ready to receive or to fetch."""
        ...

    async def start(self, process: TransferProcess, *, source: DataAddress) -> FlowAnswer:
        """Provider: start the flow; when it runs already, its present state is returned."""
        ...

    async def destination(self, process: TransferProcess) -> DataAddress:
        """A push's destination as its data plane gets it: with the vault alias of the secret, or with the secret."""
        ...

    async def notify_started(self, process: TransferProcess) -> None:
        """Consumer: the provider has started; a pull's data address goes along."""
        ...

    async def status(self, process: TransferProcess) -> FlowStatus | None:
        """How the flow is; None when the data plane does not know it."""
        ...

    async def suspend(self, process: TransferProcess) -> None:
        """Stop the bytes for now."""
        ...

    async def resume(self, process: TransferProcess) -> FlowAnswer:
        """Go on; to a consumer's pull the data address goes along."""
        ...

    async def renew_credential(self, process: TransferProcess) -> FlowAnswer:
        """Consumer: have the credential of what the data plane prepared prolonged (an extension of ours).

        A data plane that does not know the extension refuses with 404, 405 or 501.
        """
        ...

    async def complete(self, process: TransferProcess) -> None:
        """The other side says that everything is done."""
        ...

    async def terminate(self, process: TransferProcess) -> None:
        """Stop for good; does nothing when the data plane does not know the flow."""
        ...
