"""How long progress is reported."""

import asyncio
from dataclasses import dataclass, field

import pytest

from connector_spi.errors import ConnectorError, PeerRefusedError, PeerUnavailableError, SecretNotFoundError
from connector_spi.signaling import DataFlowStatusMessage
from data_plane.domain.data_flow import Counters, DataFlow
from data_plane.services.progress_meter import ProgressMeter
from data_plane.services.progress_reporter import ProgressReporter
from tests.unit.data_plane.fakes import MemoryControlPlane, a_data_flow


@dataclass
class FailingOnce(MemoryControlPlane):
    """Answers the first report with an error."""

    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def progress(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        await super().progress(flow, message)
        self.heard.set()


@pytest.mark.parametrize("error", [PeerUnavailableError("HTTP 401"), SecretNotFoundError(alias="callback-token")])
async def test_a_report_that_fails_is_followed_by_the_next(error: ConnectorError) -> None:
    control_plane = FailingOnce(error=error)
    meter = ProgressMeter(Counters(bytes_copied=1), monotonic=lambda: 0.0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        reporting = group.create_task(ProgressReporter(control_plane, 0.001).run(a_data_flow(), meter))
        await control_plane.heard.wait()
        reporting.cancel()
    assert [kind for kind, _, _ in control_plane.told] == ["progress"]


async def test_a_control_plane_that_refuses_reports_gets_no_more() -> None:
    control_plane = FailingOnce(error=PeerRefusedError("unknown", status=404))
    meter = ProgressMeter(Counters(bytes_copied=1), monotonic=lambda: 0.0)
    async with asyncio.timeout(5):
        await ProgressReporter(control_plane, 0.001).run(a_data_flow(), meter)
    assert control_plane.told == []
