"""A transfer into a container that the client has already: what arrived is moved there before it completes."""

from datetime import UTC, datetime

import pytest

from connector_spi.data_address import DataAddress
from control_plane.domain.placement import CheckedReceipt, PlacementStage
from control_plane.domain.transfer_process import ResourcePhase, TransferError, TransferProcessState
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.completion_evidence import Arrived, Refused
from control_plane.ports.placement import DestinationObjectsExistError
from control_plane.services.status_checker import StatusChecker
from tests.fakes import unavailable
from tests.unit.control_plane.transfer_rig import ALIAS, LIMIT, TRUSTED, TransferRig

E = TransferEvent
RECEIPT = CheckedReceipt(
    manifest_sha256="0" * 64,
    pages=1,
    object_count=1,
    bytes_total=1,
    newest_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)
ARRIVED = Arrived(object_count=1, bytes_total=1, receipt=RECEIPT)
MINE = DataAddress(
    "AzureStorage", {"account": "consumerorg", "container": "mine", "access": "staging", "ifExists": "skip"}
)


async def started(rig: TransferRig, **changes: object) -> None:
    await rig.consumer(managed_resources=False, data_destination=MINE, **changes)
    await rig.run()
    await rig.told(E.START)


async def arrived(rig: TransferRig) -> str:
    rig.evidence.found["t-1"] = ARRIVED
    return await rig.told(E.COMPLETE_BY_COUNTERPARTY)


async def sweep(rig: TransferRig) -> None:
    await StatusChecker(
        processes=rig.stores.transfer_processes,
        evidence=rig.evidence,
        client=rig.client,
        clock=rig.clock,
        interval_seconds=2,
    ).sweep()


async def test_the_provider_is_told_the_staging_container_alone_and_the_client_its_own(rig: TransferRig) -> None:
    await started(rig)
    [told] = rig.client.destinations
    assert told is not None
    assert told.get("container") == "for-t-1"
    assert not {"access", "ifExists", "keyName"} & told.properties.keys()
    shown = (await rig.now()).data_destination
    assert (shown.get("container"), shown.get("folderName")) == ("mine", "t-1")


async def test_it_completes_once_everything_is_placed_and_the_staging_container_goes_at_once(rig: TransferRig) -> None:
    rig.placement.slices = 3
    await started(rig)
    assert await arrived(rig) == "COMPLETED"
    process = await rig.now()
    assert process.placement is not None
    assert process.placement.position is not None
    assert process.placement.position.stage is PlacementStage.END
    assert rig.placement.calls == ["place"] * 3
    assert (process.resources, rig.secrets) == (ResourcePhase.REVOKED, {})
    assert (rig.provisioner.containers, rig.placement.placed) == (set(), {"t-1"})
    assert await rig.deprovision() == "DEPROVISIONED"
    assert rig.placement.placed == {"t-1"}, "the client's container is left alone"


async def test_nothing_can_be_written_any_more_when_placing_begins(rig: TransferRig) -> None:
    seen: list[tuple[set[str], dict[str, str]]] = []

    async def look(call: str) -> None:
        if call == "place":
            seen.append((set(rig.provisioner.valid), dict(rig.secrets)))

    rig.placement.during = look
    await started(rig)
    assert ALIAS in rig.secrets
    await arrived(rig)
    assert seen == [(set(), {})]


async def test_what_the_sweep_finds_is_placed_too_and_not_looked_at_again(rig: TransferRig) -> None:
    await started(rig)
    rig.evidence.found["t-1"] = ARRIVED
    rig.placement.fail("place", unavailable(), unavailable())
    await sweep(rig)
    assert await rig.run() == "COMPLETING_REQUESTED"
    looks = len(rig.evidence.calls)
    rig.clock.advance(100)
    await sweep(rig)
    assert len(rig.evidence.calls) == looks
    await rig.run()
    rig.clock.advance(100)
    assert await rig.run() == "COMPLETED"


@pytest.mark.parametrize("by_sweep", [True, False])
async def test_what_was_checked_is_remembered_whoever_looked(rig: TransferRig, by_sweep: bool) -> None:
    await started(rig)
    rig.evidence.found["t-1"] = ARRIVED
    if by_sweep:
        await sweep(rig)
        await rig.run()
    else:
        await arrived(rig)
    placement = (await rig.now()).placement
    assert placement is not None
    assert placement.receipt == RECEIPT


async def test_a_start_message_that_was_lost_does_not_keep_what_arrived_from_being_placed(rig: TransferRig) -> None:
    await rig.consumer(managed_resources=False, data_destination=MINE)
    await rig.run()
    rig.evidence.found["t-1"] = ARRIVED
    await sweep(rig)
    assert await rig.run() == "COMPLETED"
    assert rig.placement.calls == ["place"]


async def test_the_word_of_a_provider_that_writes_no_marker_leads_to_placing_too(rig: TransferRig) -> None:
    await started(rig, counter_party_id=TRUSTED)
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "COMPLETED"
    assert (rig.evidence.calls, rig.placement.calls) == ([], ["place"])


async def test_what_is_not_believed_is_never_placed(rig: TransferRig) -> None:
    await started(rig)
    rig.evidence.found["t-1"] = Refused(TransferError(code="ReceiptSignature", message="It is not right."))
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "TERMINATED"
    assert "place" not in rig.placement.calls
    assert rig.provisioner.containers == set(), "no client has to ask for the staging container to go"


async def test_names_that_are_taken_end_it_and_what_was_placed_is_taken_back_before_staging_goes(
    rig: TransferRig,
) -> None:
    await started(rig)
    rig.placement.slices = 2
    rig.placement.placed.add("t-1")
    rig.placement.fail("place", DestinationObjectsExistError("'a.csv' is there."))
    assert await arrived(rig) == "TERMINATED"
    process = await rig.now()
    assert process.error is not None
    assert (process.error.code, process.resources) == ("DestinationObjectsExist", ResourcePhase.REVOKED)
    assert rig.placement.calls == ["place", "take_back", "take_back"]
    assert rig.placement.taken_back_from == [None, "page 1"], "what was looked through is not looked through again"
    assert (rig.placement.placed, rig.provisioner.containers) == (set(), set())


async def test_a_client_ends_it_in_the_middle_of_the_placement(rig: TransferRig) -> None:
    rig.placement.slices = 2

    async def client_ends_it(call: str) -> None:
        if call == "place" and rig.placement.count("place") == 1:
            await rig.tell(E.TERMINATE, {"code": "TerminatedByClient", "message": "Enough."})

    rig.placement.during = client_ends_it
    await started(rig)
    assert await arrived(rig) == "TERMINATED"
    assert rig.placement.count("place") == 1
    assert (rig.placement.placed, rig.provisioner.containers) == (set(), set())


async def test_what_cannot_be_taken_back_now_is_taken_back_later_even_if_deprovisioning_was_asked(
    rig: TransferRig,
) -> None:
    await started(rig)
    rig.placement.placed.add("t-1")
    rig.placement.fail("place", DestinationObjectsExistError("'a.csv' is there."))
    rig.placement.fail("take_back", unavailable(), unavailable())
    assert await arrived(rig) == "TERMINATED"
    assert rig.provisioner.containers == {"for-t-1"}
    assert await rig.deprovision() == "DEPROVISIONING"
    rig.clock.advance(4000)
    assert await rig.run() == "DEPROVISIONED"
    assert (rig.placement.placed, rig.provisioner.containers) == (set(), set())


async def test_a_placement_may_take_as_long_as_it_gets_on(rig: TransferRig) -> None:
    rig.placement.slices = 5

    async def time_passes(call: str) -> None:
        if call == "place":
            rig.clock.advance(LIMIT * 0.9)

    rig.placement.during = time_passes
    await started(rig)
    assert await arrived(rig) == "COMPLETED"


async def test_a_placement_that_does_not_get_on_ends_at_the_states_deadline(rig: TransferRig) -> None:
    await started(rig)
    rig.placement.always["place"] = unavailable()
    assert await arrived(rig) == "COMPLETING_REQUESTED"
    rig.clock.advance(LIMIT + 1)
    assert await rig.run() == "TERMINATED"
    error = (await rig.now()).error
    assert error is not None
    assert error.code == "DeadlineExceeded"


@pytest.mark.parametrize("state", [TransferProcessState.SUSPENDED])
async def test_data_that_arrives_in_a_pause_is_placed(rig: TransferRig, state: TransferProcessState) -> None:
    await started(rig)
    assert await rig.told(E.SUSPEND) == state.name
    assert rig.provisioner.containers == {"for-t-1"}, "a paused transfer may go on"
    rig.evidence.found["t-1"] = ARRIVED
    await sweep(rig)
    assert await rig.run() == "COMPLETED"
