"""A data plane that is out of reach for as long as an end is tried delays nothing, and is told once it answers."""

import pytest

from control_plane.domain.transfer_process import NO_DESTINATION, ResourcePhase, TransferProcessType
from control_plane.domain.transfer_state_machine import TransferEvent
from tests.fakes import unavailable
from tests.unit.control_plane.transfer_rig import LIMIT, TransferRig

E = TransferEvent
PULL = {"transfer_type": "HttpData-PULL", "data_destination": NO_DESTINATION, "secret_alias": None}
HOUR = 3600.0


async def started(rig: TransferRig, side: TransferProcessType) -> None:
    """A pull with a data plane on this side."""
    if side is TransferProcessType.PROVIDER:
        await rig.provider(**PULL, resources=ResourcePhase.NONE)
        await rig.run()
    else:
        rig.data_plane.prepares = ("HttpData-PULL",)
        await rig.consumer(**PULL)
        await rig.run()
        await rig.told(E.START)
    assert rig.data_plane.running == {"t-1"}


async def ended_out_of_reach(rig: TransferRig, event: TransferEvent) -> str:
    """The shown state after the limit of an end of which the data plane never heard."""
    rig.data_plane.always = dict.fromkeys(("terminate", "complete"), unavailable())
    await rig.told(event)
    rig.clock.advance(LIMIT + 1)
    return await rig.run()


@pytest.mark.parametrize("side", TransferProcessType)
@pytest.mark.parametrize("event", [E.TERMINATE, E.TERMINATE_BY_COUNTERPARTY])
async def test_the_flow_is_stopped_once_its_data_plane_answers(
    rig: TransferRig, side: TransferProcessType, event: TransferEvent
) -> None:
    await started(rig, side)
    assert await ended_out_of_reach(rig, event) == "TERMINATED", "the outcome does not wait"
    ended = await rig.now()
    assert (ended.resources, rig.secrets, rig.data_plane.running) == (ResourcePhase.REVOKING, {}, {"t-1"})
    rig.data_plane.always.clear()
    rig.clock.advance(HOUR)
    assert await rig.run() == "TERMINATED"
    assert ((await rig.now()).resources, rig.data_plane.running) == (ResourcePhase.REVOKED, set())


async def test_a_push_without_a_secret_leaves_no_flow_either(rig: TransferRig) -> None:
    await rig.provider(secret_alias=None, resources=ResourcePhase.NONE)
    await rig.run()
    assert await ended_out_of_reach(rig, E.TERMINATE) == "TERMINATED"
    rig.data_plane.always.clear()
    rig.clock.advance(HOUR)
    await rig.run()
    assert rig.data_plane.running == set()


async def test_a_pull_whose_completion_was_never_heard_is_served_no_more(rig: TransferRig) -> None:
    await started(rig, TransferProcessType.PROVIDER)
    rig.client.always["complete_transfer"] = unavailable()
    await rig.told(E.COMPLETE)
    rig.clock.advance(LIMIT + 1)
    assert await rig.run() == "COMPLETED"
    assert rig.data_plane.running == set()


@pytest.mark.parametrize("side", TransferProcessType)
async def test_deprovisioning_does_not_forget_the_flow(rig: TransferRig, side: TransferProcessType) -> None:
    await started(rig, side)
    await ended_out_of_reach(rig, E.TERMINATE)
    assert await rig.deprovision() == "DEPROVISIONING"
    rig.data_plane.always.clear()
    rig.clock.advance(HOUR)
    assert await rig.run() == "DEPROVISIONED"
    assert rig.data_plane.running == set()
