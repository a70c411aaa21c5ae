"""ProgressReporter: tells the control plane about once a second how far a flow is, while that changes."""

import asyncio
import logging
from dataclasses import dataclass

from connector_spi.errors import ConnectorError, PeerRefusedError
from connector_spi.signaling import DataFlowStatusMessage
from data_plane.domain.data_flow import Counters, DataFlow
from data_plane.ports.control_plane_client import ControlPlaneClient
from data_plane.services.progress_meter import ProgressMeter

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProgressReporter:
    """Reports are a courtesy: a lost one is not repeated, and a control plane that does not know them gets no more."""

    control_plane: ControlPlaneClient
    interval_seconds: float

    async def run(self, flow: DataFlow, meter: ProgressMeter) -> None:
        """Report until cancelled, or until the control plane refuses reports."""
        told: Counters | None = None
        while True:
            await asyncio.sleep(self.interval_seconds)
            counters = meter.counters()
            if counters == told:
                continue
            message = DataFlowStatusMessage(data_flow_id=flow.id, state=flow.state, progress=meter.progress())
            try:
                await self.control_plane.progress(flow, message)
            except PeerRefusedError as error:
                _log.info("progress reports are off for this flow", extra={"reason": error.message})
                return
            except ConnectorError as error:
                # Whatever our own side lacks (its vault, its settings) may be mended while the flow runs.
                _log.debug("a progress report was lost", extra={"reason": error.message})
            else:
                told = counters
