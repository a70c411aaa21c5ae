"""The provider's side of a transfer, from the consumer's request to no secret left."""

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidTransitionError, PeerRefusedError
from connector_spi.signaling import DataFlowState
from control_plane.domain.transfer_process import (
    NO_DESTINATION,
    ResourcePhase,
    TransferError,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import WAITING, TransferEvent
from control_plane.ports.data_flow_controller import FlowStatus
from tests.fakes import unavailable
from tests.unit.control_plane.transfer_rig import ALIAS, TransferRig

S = TransferProcessState
E = TransferEvent


async def started(rig: TransferRig) -> None:
    await rig.provider()
    assert await rig.run() == "STARTED"


def test_it_acts_in_every_open_state_in_which_it_does_not_wait_and_in_no_other(rig: TransferRig) -> None:
    of_consumer_only = {
        *(S.PROVISIONING, S.PREPARATION_REQUESTED, S.REQUESTING, S.REQUESTED, S.RESUMED),
    }
    waiting = WAITING[TransferProcessType.PROVIDER]
    acting = set(S) - waiting - of_consumer_only - {S.COMPLETED, S.TERMINATED}
    assert set(rig.provider_acts.acts()) == {(TransferProcessType.PROVIDER, state) for state in acting}


@pytest.mark.parametrize("side", ["consumer_acts", "provider_acts"])
def test_both_sides_have_an_act_for_each_phase_with_work(rig: TransferRig, side: str) -> None:
    phases = {phase for _, phase in getattr(rig, side).resource_acts()}
    assert phases == {ResourcePhase.REVOKING, ResourcePhase.DEPROVISIONING}


async def test_a_transfer_goes_from_request_to_no_secret_left(rig: TransferRig) -> None:
    await started(rig)
    assert await rig.told(E.COMPLETE) == "COMPLETED"
    assert rig.history == ["INITIAL", "STARTING", "STARTED", "COMPLETING", "COMPLETED"]
    assert rig.client.calls == ["start_transfer", "complete_transfer"]
    ended = await rig.now()
    assert (ended.resources, ended.secret_alias, rig.secrets) == (ResourcePhase.REVOKED, None, {})
    assert await rig.due_at() is None


async def test_the_flow_gets_the_assets_own_address(rig: TransferRig) -> None:
    await started(rig)
    [source] = rig.data_plane.sources
    assert (source.get("container"), source.get("keyName")) == ("source", "account-key")
    assert (await rig.now()).data_plane_id == "plane-1"


async def test_a_data_plane_that_starts_later_is_waited_for(rig: TransferRig) -> None:
    rig.data_plane.pending = True
    await rig.provider()
    assert await rig.run() == "STARTUP_REQUESTED"
    assert rig.client.calls == []
    assert await rig.told(E.CONFIRM_STARTUP) == "STARTED"
    assert rig.client.calls == ["start_transfer"]


async def test_completion_before_the_start_was_noted_is_kept(rig: TransferRig) -> None:
    async def data_plane_is_quick(call: str) -> None:
        if call == "start":
            await rig.tell(E.COMPLETE)

    rig.data_plane.during = data_plane_is_quick
    await rig.provider()
    assert await rig.run() == "COMPLETED"
    assert rig.client.calls == ["start_transfer", "complete_transfer"], "the consumer hears both, in order"


async def test_completion_is_kept_while_the_start_cannot_be_announced(rig: TransferRig) -> None:
    rig.client.fail("start_transfer", unavailable(), unavailable())
    await rig.provider()
    assert await rig.run() == "STARTING"
    await rig.tell(E.COMPLETE)
    for _ in range(3):
        await rig.run()
        rig.clock.advance(10)
    assert await rig.run() == "COMPLETED"


@pytest.mark.parametrize("confirmation_comes", [True, False])
async def test_a_flow_that_has_finished_has_started(rig: TransferRig, confirmation_comes: bool) -> None:
    rig.data_plane.pending = True
    await rig.provider()
    await rig.run()
    if confirmation_comes:
        await rig.tell(E.CONFIRM_STARTUP)
    assert await rig.told(E.COMPLETE) == "COMPLETED"
    assert rig.client.calls == ["start_transfer", "complete_transfer"]


async def test_it_is_suspended_and_resumed_by_the_provider_itself(rig: TransferRig) -> None:
    await started(rig)
    assert await rig.told(E.SUSPEND) == "SUSPENDED"
    assert (rig.data_plane.running, rig.client.calls[-1]) == (set(), "suspend_transfer")
    assert await rig.told(E.RESUME) == "STARTED"
    assert (rig.data_plane.running, rig.client.calls[-1]) == ({"t-1"}, "start_transfer")


async def test_it_is_suspended_and_resumed_by_the_consumer(rig: TransferRig) -> None:
    await started(rig)
    assert await rig.told(E.SUSPEND_BY_COUNTERPARTY) == "SUSPENDED"
    assert (rig.data_plane.running, rig.client.calls) == (set(), ["start_transfer"])
    assert await rig.told(E.RESUME_BY_COUNTERPARTY) == "STARTED"
    assert rig.client.calls == ["start_transfer", "start_transfer"]
    assert len(set(rig.client.message_ids["start_transfer"])) == 2, "another start is another message"


async def test_a_wish_to_resume_that_comes_before_the_pause_is_through_is_kept(rig: TransferRig) -> None:
    await started(rig)
    await rig.tell(E.SUSPEND_BY_COUNTERPARTY)
    await rig.tell(E.RESUME_BY_COUNTERPARTY)
    assert await rig.run() == "STARTED"
    assert [call for call in rig.data_plane.calls if call != "start"] == ["suspend", "resume"]


async def test_the_consumer_ends_it_and_the_bytes_stop(rig: TransferRig) -> None:
    await started(rig)
    await rig.tell(E.TERMINATE_BY_COUNTERPARTY, {"code": "TerminatedByClient", "message": "Enough."})
    assert await rig.run() == "TERMINATED"
    assert (rig.data_plane.running, rig.secrets) == (set(), {})
    assert rig.client.count("terminate_transfer") == 0
    assert (await rig.now()).error == TransferError(code="TerminatedByClient", message="Enough.")


async def test_the_data_planes_reason_reaches_the_consumer(rig: TransferRig) -> None:
    await started(rig)
    error = {"code": "SourceMissing", "message": "There is no such blob."}
    await rig.tell(E.TERMINATE, error)
    assert await rig.run() == "TERMINATED"
    assert rig.client.reasons == [TransferError(**error)]
    assert rig.secrets == {}


async def test_an_asset_that_is_gone_ends_it_with_a_reason(rig: TransferRig) -> None:
    await rig.provider(asset_id="gone")
    assert await rig.run() == "TERMINATED"
    [reason] = rig.client.reasons
    assert isinstance(reason, TransferError)
    assert (reason.code, reason.message) == ("NotFound", "Asset 'gone' does not exist.")


async def test_a_data_plane_that_is_down_does_not_keep_the_consumer_waiting_for_the_end(rig: TransferRig) -> None:
    await started(rig)
    rig.data_plane.fail("terminate", unavailable())
    await rig.tell(E.TERMINATE)
    assert await rig.run() == "TERMINATING"
    assert rig.client.count("terminate_transfer") == 1
    assert rig.secrets, "the flow may still need it until it is known to have stopped"
    rig.clock.advance(60)
    assert await rig.run() == "TERMINATED"
    assert rig.data_plane.running == set()


@pytest.mark.parametrize("pause", [E.SUSPEND, E.SUSPEND_BY_COUNTERPARTY])
async def test_a_pause_that_comes_too_late_completes_the_transfer(rig: TransferRig, pause: TransferEvent) -> None:
    await started(rig)
    rig.data_plane.fail("suspend", PeerRefusedError("it has completed", status=409))
    rig.data_plane.statuses["t-1"] = FlowStatus(state=DataFlowState.COMPLETED)
    assert await rig.told(pause) == "COMPLETED"
    assert (await rig.now()).error is None


async def test_a_flow_that_failed_before_the_pause_ends_with_its_own_reason(rig: TransferRig) -> None:
    await started(rig)
    rig.data_plane.fail("suspend", PeerRefusedError("it has failed", status=409))
    rig.data_plane.statuses["t-1"] = FlowStatus(state=DataFlowState.TERMINATED)
    assert await rig.told(E.SUSPEND) == "SUSPENDING"
    await rig.tell(E.TERMINATE, {"code": "BlobNotFound", "message": "the blob does not exist"})
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == TransferError(code="BlobNotFound", message="the blob does not exist")


async def test_a_completion_that_is_reported_in_a_pause_is_not_lost(rig: TransferRig) -> None:
    await started(rig)
    assert await rig.told(E.SUSPEND, E.COMPLETE) == "COMPLETED"


async def test_a_consumer_that_refuses_to_hear_of_the_completion_does_not_undo_it(rig: TransferRig) -> None:
    await started(rig)
    rig.client.always["complete_transfer"] = PeerRefusedError("no", status=400)
    assert await rig.told(E.COMPLETE) == "COMPLETING", "perhaps its own message is on its way"
    rig.clock.advance(10)
    assert await rig.run() == "COMPLETED"


async def test_a_long_reason_of_the_consumer_still_stops_the_flow(rig: TransferRig) -> None:
    await started(rig)
    await rig.tell(E.TERMINATE_BY_COUNTERPARTY, {"code": "x" * 500, "message": "sig=a " * 800})
    assert await rig.run() == "TERMINATED"
    assert rig.data_plane.running == set()
    error = (await rig.now()).error
    assert error is not None
    assert len(error.message) <= 2000


async def test_a_consumer_that_refuses_to_hear_of_the_end_does_not_stop_it(rig: TransferRig) -> None:
    await started(rig)
    rig.client.fail("terminate_transfer", PeerRefusedError("unknown", status=404))
    assert await rig.told(E.TERMINATE) == "TERMINATED"


async def test_a_flow_that_has_ended_by_itself_is_no_obstacle_to_the_end(rig: TransferRig) -> None:
    await started(rig)
    rig.data_plane.fail("terminate", PeerRefusedError("it has completed", status=409))
    assert await rig.told(E.TERMINATE_BY_COUNTERPARTY) == "TERMINATED"


async def test_a_data_plane_may_not_report_after_the_outcome(rig: TransferRig) -> None:
    await started(rig)
    await rig.told(E.COMPLETE)
    with pytest.raises(InvalidTransitionError):
        await rig.tell(E.TERMINATE)


async def test_deprovisioning_leaves_no_secret(rig: TransferRig) -> None:
    await started(rig)
    await rig.tell(E.COMPLETE)
    while not (await rig.now()).is_outcome:
        await rig.step()
    assert rig.secrets
    assert await rig.deprovision() == "DEPROVISIONED"
    assert rig.secrets == {}


PULL = {
    "transfer_type": "HttpData-PULL",
    "data_destination": NO_DESTINATION,
    "resources": ResourcePhase.NONE,
    "secret_alias": None,
}
SERVED = DataAddress("HttpData", {"endpoint": "https://data.example", "authorization": "the-token"})


async def test_a_pull_tells_the_consumer_where_the_data_is_served_and_keeps_no_token(rig: TransferRig) -> None:
    rig.data_plane.address = SERVED
    await rig.provider(**PULL)
    assert await rig.run() == "STARTED"
    assert rig.client.served_at == [SERVED]
    process = await rig.now()
    assert "the-token" not in repr(process)
    assert process.secret_alias == ALIAS
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "COMPLETED"
    assert (rig.data_plane.calls, rig.secrets) == (["start", "complete"], {})
    assert rig.client.calls == ["start_transfer"], "the consumer knows already"


async def test_the_data_plane_is_on_record_before_it_is_told_to_start(rig: TransferRig) -> None:
    rig.data_plane.fail("start", unavailable())
    await rig.provider()
    await rig.step()
    assert ((await rig.now()).data_plane_id, rig.data_plane.calls) == ("plane-1", [])
    await rig.run()
    rig.clock.advance(10)
    assert await rig.run() == "STARTED"
    assert len(set(rig.data_plane.message_ids["start"])) == 1, "a repeated message is the same message"


async def test_a_transfer_type_that_no_data_plane_serves_is_told_to_the_consumer(rig: TransferRig) -> None:
    await rig.provider(**{**PULL, "transfer_type": "Unknown-PULL"})
    assert await rig.run() == "TERMINATED"
    assert (rig.data_plane.calls, rig.client.calls) == ([], ["terminate_transfer"])


async def test_a_data_plane_that_refuses_to_hear_of_the_end_changes_nothing(rig: TransferRig) -> None:
    await rig.provider(**PULL)
    await rig.run()
    rig.data_plane.fail("complete", PeerRefusedError("gone", status=404))
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "COMPLETED"
