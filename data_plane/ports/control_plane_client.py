"""ControlPlaneClient: what a data plane tells its control plane."""

from typing import Protocol

from connector_spi.signaling import DataFlowStatusMessage


class ControlPlaneClient(Protocol):
    """Call-backs of Data Plane Signaling. `base` is the control plane's signaling URL; empty: the configured one.

    Every call is bounded in time and raises PeerUnavailableError (no answer, 401, 403, 404, 408, 409, 425, 429, 5xx:
    try again, with patience that ends) or PeerRefusedError (any other answer). What our own side lacks to make the call
    is a ConfigurationError or an error of the vault.
    """

    async def completed(self, base: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        """Everything was published."""
        ...

    async def errored(self, base: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        """A final error ended the flow."""
        ...

    async def progress(self, base: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        """How far the flow is (this project's extension).

        Raises:
            PeerRefusedError: the control plane does not know the extension (404, 405, 501) or refuses.
        """
        ...
