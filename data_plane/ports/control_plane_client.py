"""ControlPlaneClient: what a data plane tells its control plane."""

from typing import Protocol

from connector_spi.data_address import DataAddress
from connector_spi.signaling import DataFlowStatusMessage
from data_plane.domain.data_flow import DataFlow


class ControlPlaneClient(Protocol):
    """Call-backs of Data Plane Signaling, to the control plane that owns the flow.

    Every call is bounded in time and raises PeerUnavailableError (no answer, 401, 403, 404, 408, 409, 425, 429, 5xx:
    try again, with patience that ends) or PeerRefusedError (any other answer). What our own side lacks to make the call
    is a ConfigurationError or an error of the vault.
    """

    async def prepared(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """What is needed to receive is ready; only after a `prepare` that was answered with 202."""
        ...

    async def started(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """The flow has started; only after a `start` that was answered with 202."""
        ...

    async def completed(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """Everything was published."""
        ...

    async def errored(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """A final error ended the flow."""
        ...

    async def progress(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """How far the flow is (this project's extension).

        Raises:
            PeerRefusedError: the control plane does not know the extension (404, 405, 501) or refuses.
        """
        ...

    async def suspended(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """The flow was parked, with the reason (this project's extension).

        Raises:
            PeerRefusedError: the control plane does not know the extension (404, 405, 501) or refuses.
        """
        ...

    async def credential(self, flow: DataFlow, message: DataFlowStatusMessage) -> DataAddress:
        """Ask for a fresh credential for the flow's destination (this project's extension).

        The answer holds the secret, or the alias that it rests under where both planes share a vault.

        Raises:
            PeerRefusedError: the control plane does not know the extension (404, 405, 501), refuses for good (409 and
                other 4xx), or answered no address. Unlike for call-backs, 404 and 409 are final here.
        """
        ...
