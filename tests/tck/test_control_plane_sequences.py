"""The ten control-plane tests of the conformance kit of Data Plane Signaling (dps-tck 1.2.0), sequence by sequence."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.tck.control_plane_under_test import control_plane_under_test
from tests.tck.kit_peer import KitPeer

START = ("start", "TransferStartMessage")
COMPLETION = ("completion", "TransferCompletionMessage")
SUSPENSION = ("suspension", "TransferSuspensionMessage")
TERMINATION = ("termination", "TransferTerminationMessage")


@pytest.fixture(params=["memory", "sqlite"])
async def kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[KitPeer]:
    database_url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/control-plane.db"
    async with (
        KitPeer().open() as peer,
        control_plane_under_test(peer.url, database_url=database_url) as peer.cut,
    ):
        yield peer
        assert peer.problems == []


async def consumer_started(kit: KitPeer) -> None:
    kit.expect("prepare", {"state": "PREPARED"})
    await kit.trigger()
    await kit.told("prepare")
    await started_after_request(kit)


async def started_after_request(kit: KitPeer) -> None:
    await kit.requested()
    await kit.reached("REQUESTED")
    kit.expect("started")
    await kit.tell(*START)
    await kit.told("started")
    await kit.reached("STARTED")


async def provider_started(kit: KitPeer) -> None:
    kit.expect("start", {"state": "STARTED"})
    await kit.request()
    await kit.told("start")


async def signalled(kit: KitPeer, message: tuple[str, str], signal: str, state: str = "") -> None:
    kit.expect(signal, {"state": "STARTED"} if signal == "resume" else {})
    await kit.tell(*message)
    await kit.told(signal)
    if state:
        await kit.reached(state)


async def test_cp_c_01_01_prepare_start_completion(kit: KitPeer) -> None:
    await consumer_started(kit)
    await signalled(kit, COMPLETION, "completed", "COMPLETED")
    assert kit.signals == ["prepare", "started", "completed"]


async def test_cp_c_01_02_prepare_start_termination(kit: KitPeer) -> None:
    await consumer_started(kit)
    await signalled(kit, TERMINATION, "terminate", "TERMINATED")


async def test_cp_c_02_01_suspension_and_resumption_by_the_provider(kit: KitPeer) -> None:
    await consumer_started(kit)
    await signalled(kit, SUSPENSION, "suspend")
    await signalled(kit, START, "resume")
    await signalled(kit, COMPLETION, "completed", "COMPLETED")
    assert kit.signals == ["prepare", "started", "suspend", "resume", "completed"]


async def test_cp_c_02_02_termination_of_a_suspended_transfer(kit: KitPeer) -> None:
    await consumer_started(kit)
    await signalled(kit, SUSPENSION, "suspend")
    await signalled(kit, TERMINATION, "terminate", "TERMINATED")


async def test_cp_c_03_01_asynchronous_preparation(kit: KitPeer) -> None:
    flow_id = str(uuid4())
    kit.expect("prepare", {"dataFlowId": flow_id, "state": "PREPARING"}, status=202)
    await kit.trigger()
    await kit.told("prepare")
    await kit.call_back("prepared", dataFlowId=flow_id, state="PREPARED")
    await started_after_request(kit)
    await signalled(kit, COMPLETION, "completed", "COMPLETED")
    assert kit.bodies["completed"]["path"] == f"{flow_id}/completed", "the data plane's own name of the flow"


async def test_cp_p_01_01_start_completion(kit: KitPeer) -> None:
    await provider_started(kit)
    await signalled(kit, COMPLETION, "completed", "COMPLETED")
    assert kit.signals == ["start", "completed"]


async def test_cp_p_01_02_start_termination(kit: KitPeer) -> None:
    await provider_started(kit)
    await signalled(kit, TERMINATION, "terminate", "TERMINATED")


async def test_cp_p_02_01_suspension_and_resumption_by_the_consumer(kit: KitPeer) -> None:
    await provider_started(kit)
    await signalled(kit, SUSPENSION, "suspend")
    await signalled(kit, START, "resume")
    await signalled(kit, COMPLETION, "completed", "COMPLETED")


async def test_cp_p_02_02_termination_of_a_suspended_transfer(kit: KitPeer) -> None:
    await provider_started(kit)
    await signalled(kit, SUSPENSION, "suspend")
    await signalled(kit, TERMINATION, "terminate", "TERMINATED")


async def test_cp_p_03_01_asynchronous_start(kit: KitPeer) -> None:
    kit.expect("start", {"dataFlowId": "flow-1", "state": "STARTING"}, status=202)
    await kit.request()
    await kit.told("start")
    await kit.call_back("started", dataFlowId="flow-1", state="STARTED")
    await kit.reached("STARTED")
    await signalled(kit, COMPLETION, "completed", "COMPLETED")
