"""Both sides wish something at once: a refusal is understood by what the counterparty says or shows, and both agree."""

import pytest

from connector_spi.errors import InvalidTransitionError, PeerRefusedError
from connector_spi.signaling import DataFlowState
from control_plane.domain.transfer_process import (
    NO_DESTINATION,
    ResourcePhase,
    TransferError,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.data_flow_controller import FlowStatus
from tests.fakes import unavailable
from tests.unit.control_plane.transfer_rig import TransferRig

S = TransferProcessState
E = TransferEvent
CONSUMER, PROVIDER = TransferProcessType.CONSUMER, TransferProcessType.PROVIDER
PULL = {"transfer_type": "HttpData-PULL", "data_destination": NO_DESTINATION, "secret_alias": None}
REFUSED = PeerRefusedError("not now", status=400)
BOTH = pytest.mark.parametrize("side", [CONSUMER, PROVIDER])


async def started(rig: TransferRig, side: TransferProcessType) -> None:
    """A pull, which either side may pause, complete and end."""
    if side is PROVIDER:
        await rig.provider(**PULL, resources=ResourcePhase.NONE)
        await rig.run()
    else:
        await rig.consumer(**PULL)
        await rig.run()
        await rig.told(E.START)
    assert await rig.shown() == "STARTED"


async def again(rig: TransferRig) -> str:
    """After the back-off."""
    rig.clock.advance(10)
    return await rig.run()


@BOTH
@pytest.mark.parametrize(
    ("theirs", "after"),
    [
        (E.COMPLETE_BY_COUNTERPARTY, "COMPLETED"),
        (E.TERMINATE_BY_COUNTERPARTY, "TERMINATED"),
        (E.SUSPEND_BY_COUNTERPARTY, "SUSPENDED"),
    ],
)
async def test_a_pause_that_is_refused_waits_for_the_message_that_crossed_it(
    rig: TransferRig, side: TransferProcessType, theirs: E, after: str
) -> None:
    await started(rig, side)
    rig.client.fail("suspend_transfer", REFUSED)
    assert await rig.told(E.SUSPEND) == "SUSPENDING"
    if theirs is not E.SUSPEND_BY_COUNTERPARTY:
        await rig.tell(theirs, {"code": "Theirs", "message": "their reason"})
    assert await again(rig) == after
    assert "fetch_state t-1" not in rig.client.calls, "its message says more than its state"
    if after == "TERMINATED":
        assert (await rig.now()).error == TransferError(code="Theirs", message="their reason")


@BOTH
@pytest.mark.parametrize(
    ("shows", "after"),
    [("SUSPENDED", "SUSPENDED"), ("COMPLETED", "COMPLETED"), ("TERMINATED", "TERMINATED"), ("STARTED", "TERMINATED")],
)
async def test_a_pause_that_stays_refused_is_decided_by_what_the_counterparty_shows(
    rig: TransferRig, side: TransferProcessType, shows: str, after: str
) -> None:
    await started(rig, side)
    rig.client.always["suspend_transfer"] = REFUSED
    rig.client.shows = shows
    await rig.told(E.SUSPEND)
    assert await again(rig) == after
    told_of_the_end = rig.client.count("terminate_transfer")
    assert told_of_the_end == (1 if shows == "STARTED" else 0), "a refusal without a cause ends it"


async def test_a_start_that_crosses_a_termination_ends_with_the_consumers_reason(rig: TransferRig) -> None:
    rig.client.always["start_transfer"] = REFUSED
    await rig.provider()
    assert await rig.run() == "STARTING"
    await rig.tell(E.TERMINATE_BY_COUNTERPARTY, {"code": "NotNeeded", "message": "no longer"})
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == TransferError(code="NotNeeded", message="no longer")
    assert (rig.client.count("terminate_transfer"), rig.data_plane.running) == (0, set())


async def test_a_start_that_the_consumer_has_noted_though_it_refuses_the_repetition_counts(rig: TransferRig) -> None:
    rig.client.fail("start_transfer", unavailable(), REFUSED)
    rig.client.shows = "STARTED"
    await rig.provider()
    assert await rig.run() == "STARTING"
    assert await again(rig) == "STARTED"


@BOTH
async def test_a_completion_that_crosses_a_termination_follows_it(rig: TransferRig, side: TransferProcessType) -> None:
    await started(rig, side)
    rig.client.always["complete_transfer"] = REFUSED
    assert await rig.told(E.COMPLETE) == "COMPLETING"
    await rig.tell(E.TERMINATE_BY_COUNTERPARTY, {"code": "Theirs", "message": "their reason"})
    assert await rig.run() == "TERMINATED"


@BOTH
async def test_a_completion_whose_counterparty_shows_the_end_follows_it(
    rig: TransferRig, side: TransferProcessType
) -> None:
    await started(rig, side)
    rig.client.always["complete_transfer"] = REFUSED
    rig.client.shows = "TERMINATED"
    await rig.told(E.COMPLETE)
    assert await again(rig) == "TERMINATED"
    error = (await rig.now()).error
    assert error is not None
    assert error.code == "TerminatedByCounterparty"


@BOTH
async def test_an_end_that_comes_after_the_counterpartys_completion_yields_to_it(
    rig: TransferRig, side: TransferProcessType
) -> None:
    await started(rig, side)
    rig.client.fail("terminate_transfer", REFUSED)
    rig.client.shows = "COMPLETED"
    await rig.tell(E.TERMINATE, {"code": "TerminatedByClient", "message": "too late"})
    assert await rig.run() == "COMPLETED"
    assert (await rig.now()).error is None
    assert rig.data_plane.running == set()


async def test_a_consumer_whose_push_is_not_there_stays_with_its_own_finding(rig: TransferRig) -> None:
    await rig.consumer()
    await rig.run()
    await rig.told(E.START)
    rig.client.fail("terminate_transfer", REFUSED)
    rig.client.shows = "COMPLETED"
    await rig.tell(E.TERMINATE, {"code": "ObjectMissing", "message": "an object is missing"})
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == TransferError(code="ObjectMissing", message="an object is missing")


async def test_a_denial_stays_the_reason_whatever_the_consumer_says(rig: TransferRig) -> None:
    await started(rig, PROVIDER)
    rig.client.fail("terminate_transfer", REFUSED)
    rig.client.shows = "COMPLETED"
    await rig.tell(E.TERMINATE, {"code": "PolicyDenied", "message": "the window has ended"})
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == TransferError(code="PolicyDenied", message="the window has ended")


@BOTH
async def test_an_end_that_nobody_wants_to_hear_of_is_one(rig: TransferRig, side: TransferProcessType) -> None:
    await started(rig, side)
    rig.client.fail("terminate_transfer", REFUSED)
    rig.client.fail("fetch_state t-1", unavailable())
    assert await rig.told(E.TERMINATE) == "TERMINATED"


async def test_a_push_that_finished_in_a_pause_is_started_for_both_before_it_is_completed(rig: TransferRig) -> None:
    await rig.provider()
    await rig.run()
    assert await rig.told(E.SUSPEND_BY_COUNTERPARTY) == "SUSPENDED"
    rig.client.fail("complete_transfer", unavailable())
    assert await rig.told(E.COMPLETE) == "COMPLETING"
    assert (await rig.now()).public_state is S.SUSPENDED
    assert await again(rig) == "COMPLETED"
    assert rig.client.calls[1:] == ["start_transfer", "complete_transfer"] * 2
    first, second = rig.client.message_ids["start_transfer"][1:]
    assert first == second
    assert first not in rig.client.message_ids["complete_transfer"]


async def test_a_consumer_that_refuses_the_repeated_start_still_hears_of_the_completion(rig: TransferRig) -> None:
    await rig.provider()
    await rig.run()
    await rig.told(E.SUSPEND_BY_COUNTERPARTY)
    rig.client.fail("complete_transfer", unavailable())
    await rig.told(E.COMPLETE)
    rig.client.shows = "STARTED"
    rig.client.always["start_transfer"] = REFUSED
    assert await again(rig) == "COMPLETED"
    assert rig.client.count("complete_transfer") == 2


async def test_a_consumers_data_plane_that_has_everything_is_no_obstacle_to_a_pause(rig: TransferRig) -> None:
    rig.data_plane.prepares = ("HttpData-PULL",)
    await started(rig, CONSUMER)
    rig.data_plane.always.update(suspend=REFUSED, resume=REFUSED)
    rig.data_plane.statuses["t-1"] = FlowStatus(state=DataFlowState.COMPLETED)
    assert await rig.told(E.SUSPEND_BY_COUNTERPARTY) == "SUSPENDED"
    assert await rig.told(E.START) == "STARTED"
    assert await rig.told(E.COMPLETE) == "COMPLETED", "its call-back, or the reconciler, tells so"


@pytest.mark.parametrize(
    ("side", "wishes", "after", "calls"),
    [
        (PROVIDER, [E.SUSPEND, E.RESUME], "STARTED", ["start_transfer"]),
        (PROVIDER, [E.SUSPEND, E.RESUME, E.SUSPEND], "SUSPENDED", ["start_transfer", "suspend_transfer"]),
        (PROVIDER, [E.SUSPEND, E.RESUME, E.SUSPEND, E.RESUME], "STARTED", ["start_transfer", "suspend_transfer"] * 2),
        (CONSUMER, [E.SUSPEND, E.RESUME], "RESUMED", ["start_transfer"]),
    ],
)
async def test_a_pause_that_crosses_wishes_that_wait_comes_before_them(
    rig: TransferRig, side: TransferProcessType, wishes: list[E], after: str, calls: list[str]
) -> None:
    await started(rig, side)
    said = len(rig.client.calls)
    for event in (*wishes, E.SUSPEND_BY_COUNTERPARTY):
        await rig.tell(event)
    await rig.step()
    assert (await rig.now()).public_state is S.SUSPENDED, "the counterparty was told so"
    assert await rig.run() == after, "the wishes that still mean something are followed all the same"
    assert rig.client.calls[said:] == calls[: len(wishes) - 1]


async def test_no_client_completes_a_pull_whose_pause_may_have_been_heard(rig: TransferRig) -> None:
    await started(rig, CONSUMER)
    rig.client.fail("suspend_transfer", unavailable())
    assert await rig.told(E.SUSPEND) == "SUSPENDING"
    with pytest.raises(InvalidTransitionError):
        await rig.tell(E.COMPLETE)
    assert await again(rig) == "SUSPENDED"


async def test_a_completion_that_crosses_a_pause_is_told_once_the_transfer_goes_on(rig: TransferRig) -> None:
    await started(rig, CONSUMER)
    await rig.tell(E.COMPLETE)
    await rig.tell(E.SUSPEND_BY_COUNTERPARTY)
    assert await rig.run() == "SUSPENDED"
    assert rig.client.count("complete_transfer") == 0, "the provider would refuse it"
    assert await rig.told(E.START) == "COMPLETED"
    assert rig.client.count("complete_transfer") == 1


async def test_a_completion_that_waits_for_the_end_of_a_pause_goes_with_the_transfer(rig: TransferRig) -> None:
    await started(rig, CONSUMER)
    await rig.tell(E.COMPLETE)
    await rig.tell(E.SUSPEND_BY_COUNTERPARTY)
    await rig.run()
    assert await rig.told(E.TERMINATE) == "TERMINATED"
    found = await rig.stores.transfer_processes.find_with_inbox("t-1")
    assert found is not None
    assert found[1] == ()


@pytest.mark.parametrize(
    ("theirs", "public", "after"),
    [(E.SUSPEND_BY_COUNTERPARTY, S.SUSPENDED, "TERMINATED"), (E.COMPLETE_BY_COUNTERPARTY, S.COMPLETED, "COMPLETED")],
)
async def test_an_end_takes_back_nothing_that_was_acknowledged(
    rig: TransferRig, theirs: E, public: S, after: str
) -> None:
    rig.client.fail("start_transfer", unavailable())
    await rig.provider(**PULL, resources=ResourcePhase.NONE)
    assert await rig.run() == "STARTING"
    await rig.tell(E.TERMINATE)
    await rig.tell(theirs)
    await rig.step()
    assert (await rig.now()).public_state is public, "the consumer has heard of the start, or it could not say so"
    if after == "COMPLETED":
        rig.client.fail("terminate_transfer", REFUSED)
        rig.client.shows = after
    assert await rig.run() == after


async def test_an_end_keeps_the_name_of_a_provider_that_started_before_it_answered(rig: TransferRig) -> None:
    rig.client.fail("request_transfer", unavailable())
    await rig.consumer(**PULL)
    assert await rig.run() == "REQUESTING"
    await rig.tell(E.START, {"correlationId": "provider-pid"})
    assert await rig.told(E.TERMINATE) == "TERMINATED"
    assert rig.client.count("terminate_transfer") == 1, "it serves, and has to be told"
