"""The sweep for markers: the consumer completes, or ends, on what lies in its own storage."""

import asyncio

import pytest

from connector_spi.errors import PeerRefusedError, SecretNotFoundError, StoreUnavailableError
from connector_spi.signaling import DataFlowProgress
from control_plane.adapters.memory_stores import MemoryTransferProcessStore
from control_plane.domain.inbox import InboxMessage
from control_plane.domain.query import QuerySpec
from control_plane.domain.transfer_process import (
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import TransferEvent
from control_plane.ports.completion_evidence import Arrived, Failed, Refused
from control_plane.services.status_checker import StatusChecker
from tests.fakes import ManualClock, unavailable
from tests.unit.control_plane.transfer_rig import TransferRig

S = TransferProcessState
E = TransferEvent
ARRIVED = Arrived(object_count=2, bytes_total=30)
PROGRESS = DataFlowProgress(bytes_copied=10, bytes_total=20)


def checker(rig: TransferRig, store: MemoryTransferProcessStore | None = None) -> StatusChecker:
    return StatusChecker(
        processes=store or rig.stores.transfer_processes,
        evidence=rig.evidence,
        client=rig.client,
        clock=rig.clock,
        interval_seconds=2,
    )


async def requested(rig: TransferRig, *, started: bool = True) -> None:
    await rig.consumer()
    await rig.run()
    if started:
        await rig.told(E.START)


async def test_a_complete_marker_completes_a_running_transfer(rig: TransferRig) -> None:
    await requested(rig)
    await checker(rig).sweep()
    assert await rig.run() == "STARTED", "no marker yet"
    rig.evidence.found["t-1"] = ARRIVED
    rig.clock.advance(2)
    await checker(rig).sweep()
    assert await rig.run() == "COMPLETED"


async def test_a_complete_marker_proves_that_it_had_started(rig: TransferRig) -> None:
    await requested(rig, started=False)
    rig.evidence.found["t-1"] = ARRIVED
    await checker(rig).sweep()
    assert await rig.run() == "COMPLETED"
    assert rig.history[-2:] == ["REQUESTED", "COMPLETED"], "both are applied in one step"


@pytest.mark.parametrize("started", [True, False])
async def test_a_failed_or_refused_marker_ends_it_with_its_reason(rig: TransferRig, started: bool) -> None:
    await requested(rig, started=started)
    error = TransferError(code="EvidenceRefused", message=".complete is not in the agreed format.")
    rig.evidence.found["t-1"] = Failed(error)
    await checker(rig).sweep()
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == error
    assert rig.secrets == {}


async def test_a_marker_that_is_not_believed_is_told_to_the_provider(rig: TransferRig) -> None:
    await requested(rig)
    error = TransferError(code="EvidenceRefused", message=".complete belongs to another transfer.")
    rig.evidence.found["t-1"] = Refused(error)
    await checker(rig).sweep()
    assert await rig.run() == "TERMINATED"
    assert (await rig.now()).error == error
    assert rig.client.count("terminate_transfer") == 1


@pytest.mark.parametrize("resumed", [False, True])
async def test_data_that_arrived_before_a_pause_completes_the_transfer(rig: TransferRig, resumed: bool) -> None:
    await requested(rig)
    await rig.told(E.SUSPEND, *([E.RESUME] if resumed else []))
    rig.evidence.found["t-1"] = ARRIVED
    await checker(rig).sweep()
    assert await rig.run() == "COMPLETED"


async def test_a_defect_in_one_look_does_not_blind_it_for_the_others(rig: TransferRig) -> None:
    await requested(rig)
    rig.evidence.fail("look t-1", ZeroDivisionError())
    await checker(rig).sweep()
    rig.evidence.found["t-1"] = ARRIVED
    rig.clock.advance(60)
    await checker(rig).sweep()
    assert await rig.run() == "COMPLETED"


async def test_a_marker_is_seen_while_the_providers_word_is_being_verified(rig: TransferRig) -> None:
    await requested(rig)
    assert await rig.told(E.COMPLETE_BY_COUNTERPARTY) == "COMPLETING_REQUESTED"
    rig.evidence.found["t-1"] = ARRIVED
    await checker(rig).sweep()
    assert await rig.run() == "COMPLETED"


async def test_two_sweepers_find_the_same_and_it_is_applied_once(rig: TransferRig) -> None:
    await requested(rig)
    rig.evidence.found["t-1"] = ARRIVED
    await asyncio.gather(checker(rig).sweep(), checker(rig).sweep())
    [leased] = await rig.lease()
    assert [note.kind for note in leased.inbox] == ["COMPLETE_BY_EVIDENCE"]


async def test_a_counterparty_that_was_quicker_keeps_the_outcome(rig: TransferRig) -> None:
    await requested(rig)
    await rig.tell(E.TERMINATE_BY_COUNTERPARTY, {"code": "First", "message": "came first"})
    rig.evidence.found["t-1"] = ARRIVED
    await checker(rig).sweep()
    assert await rig.run() == "TERMINATED"


async def test_only_what_waits_for_data_is_looked_at(rig: TransferRig) -> None:
    pausing = {"SUSPENDING", "SUSPENDING_REQUESTED", "SUSPENDED", "RESUMING", "RESUMED"}
    looked_at = {"REQUESTED", "STARTED", "COMPLETING_REQUESTED", *pausing}
    for side in TransferProcessType:
        for state in S:
            await rig.consumer(process_id=f"{side.name}-{state.name}", type=side, state=state)
    await checker(rig).sweep()
    looks = {call.removeprefix("look ") for call in rig.evidence.calls}
    assert looks == {f"CONSUMER-{state}" for state in looked_at}


async def test_all_are_looked_at_however_many_there_are(rig: TransferRig) -> None:
    for number in range(450):
        await rig.consumer(process_id=f"p-{number}", state=S.STARTED)
    await checker(rig).sweep()
    assert len(set(rig.evidence.calls)) == len(rig.evidence.calls) == 450


async def test_a_new_transfer_is_looked_at_often_and_an_old_one_once_a_minute(rig: TransferRig) -> None:
    sweeper = checker(rig)
    await requested(rig)
    for _ in range(4):
        await sweeper.sweep()
        rig.clock.advance(1)
    assert rig.evidence.count("look t-1") == 2, "each two seconds"
    rig.clock.advance(86_400)
    for _ in range(120):
        await sweeper.sweep()
        rig.clock.advance(1)
    assert rig.evidence.count("look t-1") == 2 + 2


async def test_the_counterpartys_progress_is_recorded(rig: TransferRig) -> None:
    await requested(rig)
    rig.client.progress = PROGRESS
    await checker(rig).sweep()
    assert (await rig.now()).progress == PROGRESS
    assert await rig.lease() == [], "progress alone gives nobody work"


@pytest.mark.parametrize("error", [unavailable(), PeerRefusedError("no", status=404)])
async def test_a_counterparty_that_tells_no_progress_does_not_hide_the_marker(
    rig: TransferRig, error: Exception
) -> None:
    await requested(rig)
    rig.client.fail("fetch_progress t-1", error)
    rig.evidence.found["t-1"] = ARRIVED
    await checker(rig).sweep()
    assert await rig.run() == "COMPLETED"
    progress = (await rig.now()).progress
    assert progress is not None
    assert (progress.bytes_copied, progress.objects_copied) == (30, 2), "in the end the evidence tells"


@pytest.mark.parametrize("error", [unavailable(), SecretNotFoundError(alias="consumerorg")])
async def test_a_destination_that_cannot_be_read_is_looked_at_again(rig: TransferRig, error: Exception) -> None:
    await requested(rig)
    await rig.consumer(process_id="other", state=S.STARTED)
    rig.evidence.fail("look t-1", error)
    rig.evidence.found = {"t-1": ARRIVED, "other": ARRIVED}
    sweeper = checker(rig)
    await sweeper.sweep()
    await rig.run()
    assert (await rig.shown("t-1"), await rig.shown("other")) == ("STARTED", "COMPLETED")
    rig.clock.advance(2)
    await sweeper.sweep()
    assert await rig.run() == "COMPLETED"


class DownStore(MemoryTransferProcessStore):
    """Does not answer."""

    async def query(self, query: QuerySpec) -> list[TransferProcess]:
        raise StoreUnavailableError(f"down: {query.offset}")


class ForgetfulStore(MemoryTransferProcessStore):
    """Answers, but writes nothing."""

    async def append(self, entity_id: str, message: InboxMessage, accept: object) -> bool:
        raise StoreUnavailableError(f"down: {entity_id} {message.id} {accept}")


async def test_a_store_that_is_down_ends_the_sweep_quietly(rig: TransferRig) -> None:
    await checker(rig, DownStore(ManualClock())).sweep()
    assert rig.evidence.calls == []
    store = ForgetfulStore(rig.clock)
    await store.create((await rig.consumer()).entered(S.STARTED, rig.clock.now()), due_at=None)
    rig.evidence.found["t-1"] = ARRIVED
    await checker(rig, store).sweep()
    assert rig.evidence.calls == ["look t-1"]
