"""The safety net below the call-backs of data planes."""

import pytest

from connector_spi.signaling import DataFlowError, DataFlowState
from control_plane.domain.transfer_process import TransferError
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.data_flow_controller import FlowStatus
from control_plane.services.flow_reconciler import FlowReconciler
from tests.fakes import unavailable
from tests.unit.control_plane.transfer_rig import TransferRig

E = TransferEvent
SILENCE = 60.0


def reconciler(rig: TransferRig) -> FlowReconciler:
    return FlowReconciler(
        processes=rig.stores.transfer_processes, data_flows=rig.data_plane, clock=rig.clock, silence_seconds=SILENCE
    )


async def silent(rig: TransferRig) -> None:
    """A provider whose flow has run for longer than the silence that is put up with."""
    await rig.provider()
    assert await rig.run() == "STARTED"
    rig.clock.advance(SILENCE)


async def test_a_flow_that_has_completed_unheard_completes_the_transfer(rig: TransferRig) -> None:
    await silent(rig)
    rig.data_plane.statuses["t-1"] = FlowStatus(state=DataFlowState.COMPLETED)
    await reconciler(rig).sweep()
    assert await rig.run() == "COMPLETED"


async def test_a_flow_that_has_failed_unheard_ends_it_with_the_flows_reason(rig: TransferRig) -> None:
    await silent(rig)
    failure = DataFlowError(code="BlobNotFound", message="the blob does not exist")
    rig.data_plane.statuses["t-1"] = FlowStatus(state=DataFlowState.TERMINATED, failure=failure)
    await reconciler(rig).sweep()
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == TransferError(code="BlobNotFound", message="the blob does not exist")


async def test_a_flow_that_the_data_plane_has_lost_ends_with_a_reason(rig: TransferRig) -> None:
    await silent(rig)
    await reconciler(rig).sweep()
    assert await rig.run() == "TERMINATED"
    error = (await rig.now()).error
    assert error is not None
    assert error.code == "DataFlowLost"


@pytest.mark.parametrize("state", [DataFlowState.STARTED, DataFlowState.STARTING])
async def test_a_flow_that_runs_is_left_alone(rig: TransferRig, state: DataFlowState) -> None:
    await silent(rig)
    rig.data_plane.statuses["t-1"] = FlowStatus(state=state)
    await reconciler(rig).sweep()
    assert await rig.run() == "STARTED"


async def test_a_young_flow_is_not_asked_about(rig: TransferRig) -> None:
    await rig.provider()
    await rig.run()
    await reconciler(rig).sweep()
    assert rig.data_plane.count("status") == 0


async def test_a_data_plane_that_does_not_answer_changes_nothing(rig: TransferRig) -> None:
    await silent(rig)
    rig.data_plane.fail("status", unavailable())
    await reconciler(rig).sweep()
    assert await rig.run() == "STARTED"


async def test_a_late_call_back_after_the_finding_is_the_same_message(rig: TransferRig) -> None:
    await silent(rig)
    rig.data_plane.statuses["t-1"] = FlowStatus(state=DataFlowState.COMPLETED)
    await reconciler(rig).sweep()
    assert not await rig.tell(E.COMPLETE, message_id="flow-COMPLETE")
