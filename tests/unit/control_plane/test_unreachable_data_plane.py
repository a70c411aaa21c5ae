"""A data plane that is down when a transfer ends hears of it later, for its flow holds secrets of its own."""

import pytest

from connector_spi.errors import PeerRefusedError, PeerUnavailableError
from control_plane.domain.transfer_process import ResourcePhase, TransferProcessState, TransferProcessType
from control_plane.domain.transfer_state_machine import TransferEvent
from tests.unit.control_plane.transfer_rig import LIMIT, TransferRig

DOWN = PeerUnavailableError("The data plane does not answer.")
HOUR = 3600.0


async def ended_without_data_plane(rig: TransferRig, side: TransferProcessType) -> None:
    """A transfer with a flow, ended by this side, whose data plane did not answer until it was given up."""
    rig.data_plane.always["terminate"] = DOWN
    running = {"state": TransferProcessState.STARTED, "data_plane_id": "plane-1"}
    if side is TransferProcessType.PROVIDER:
        await rig.provider(**running)
    else:
        await rig.consumer(**running, resources=ResourcePhase.HELD, secret_alias="transfer-process-t-1-data-address")
        await rig.vault.store("transfer-process-t-1-data-address", "secret")
    await rig.run()
    rig.data_plane.running.add("t-1")
    await rig.told(TransferEvent.TERMINATE)
    rig.clock.advance(LIMIT + 1)
    await rig.run()
    assert (await rig.now()).state is TransferProcessState.TERMINATED


@pytest.mark.parametrize("side", TransferProcessType)
async def test_it_is_told_once_it_answers(side: TransferProcessType) -> None:
    rig = TransferRig()
    await ended_without_data_plane(rig, side)
    assert rig.secrets == {}, "this side's secret does not wait for the data plane"
    assert (await rig.now()).resources is ResourcePhase.REVOKING
    assert "t-1" in rig.data_plane.running
    del rig.data_plane.always["terminate"]
    rig.clock.advance(HOUR)
    await rig.run()
    assert ((await rig.now()).resources, rig.data_plane.running) == (ResourcePhase.REVOKED, set())
    assert len(set(rig.data_plane.message_ids["terminate"])) == 1, "a repeated message keeps its id"


@pytest.mark.parametrize("side", TransferProcessType)
async def test_one_that_has_ended_the_flow_by_itself_is_no_obstacle(side: TransferProcessType) -> None:
    rig = TransferRig()
    await ended_without_data_plane(rig, side)
    rig.data_plane.always["terminate"] = PeerRefusedError("The flow has ended.", status=409)
    rig.clock.advance(HOUR)
    await rig.run()
    assert (await rig.now()).resources is ResourcePhase.REVOKED


@pytest.mark.parametrize("side", TransferProcessType)
async def test_a_client_that_deprovisions_meanwhile_changes_nothing_about_it(side: TransferProcessType) -> None:
    rig = TransferRig()
    await ended_without_data_plane(rig, side)
    await rig.deprovision()
    assert "t-1" in rig.data_plane.running
    del rig.data_plane.always["terminate"]
    rig.clock.advance(HOUR)
    await rig.run()
    assert ((await rig.now()).resources, rig.data_plane.running) == (ResourcePhase.DEPROVISIONED, set())


@pytest.mark.parametrize("side", TransferProcessType)
async def test_one_that_was_told_is_not_told_again(side: TransferProcessType) -> None:
    rig = TransferRig()
    running = {"state": TransferProcessState.STARTED, "data_plane_id": "plane-1", "resources": ResourcePhase.HELD}
    await (rig.provider(**running) if side is TransferProcessType.PROVIDER else rig.consumer(**running))
    await rig.told(TransferEvent.TERMINATE)
    assert (await rig.now()).resources is ResourcePhase.REVOKED
    assert rig.data_plane.count("terminate") == 1
