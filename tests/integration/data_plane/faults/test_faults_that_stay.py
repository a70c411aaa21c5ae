"""Faults that do not pass: the flow ends within its deadline, with the right reason, and nothing wrong is published."""

from dataclasses import dataclass

import pytest

from azure_storage.markers import COMPLETE, FAILED, parse_failed_marker
from data_plane.domain.object_copy import CopyMode
from tests.fault_proxy import faults
from tests.fault_proxy.faults import Fault, named
from tests.integration.data_plane.faults.fault_stage import LARGE, SMALL, FaultStage
from tests.integration.data_plane.test_blob_transfer import MEBIBYTE, content

pytestmark = [pytest.mark.azurite, pytest.mark.usefixtures("small_blocks")]

GIVES_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Stuck:
    """A fault that stays, and what the reason says of it."""

    operation: str
    fault: Fault
    named_in_reason: str
    mode: str = "streamed"

    def __str__(self) -> str:
        return f"{self.operation}-{named(self.fault)}"


@pytest.mark.parametrize(
    "case",
    [
        Stuck("List Blobs", faults.refused_before(), "HTTP 500 InternalError"),
        Stuck("Get Blob", faults.answer_cut(1000), "Get Blob"),
        Stuck("Get Blob", faults.silent_before, ""),
        Stuck("Put Block", faults.busy(retry_after=0), "HTTP 503 ServerBusy"),
        Stuck("Put Block", faults.flipped_request, "checksum"),
        Stuck("Put Block", faults.request_cut(1000), "Put Block"),
        Stuck("Put Block From URL", faults.reset_before, "Put Block From URL", "server-side"),
        Stuck("Put Block List", faults.reset_before, "Put Block List"),
        Stuck("Put Blob", faults.refused_before(), "HTTP 500 InternalError"),
    ],
    ids=str,
)
async def test_a_fault_that_stays_ends_the_flow_with_the_last_error_and_bounded_attempts(
    stage: FaultStage, case: Stuck
) -> None:
    await stage.put_some()
    stage.configured(no_progress_seconds=GIVES_UP_SECONDS, copy_mode=case.mode)
    stage.proxy.inject(case.fault, case.operation, times=None)
    outcome = await stage.run()
    assert (outcome.code, outcome.retryable) == ("NoProgress", True)
    assert case.named_in_reason in outcome.message
    await stage.assert_only_whole_objects()
    assert await stage.organisations.marker(COMPLETE) is None
    attempts = stage.proxy.of(case.operation)
    assert len(attempts) <= 100


async def test_a_marker_that_cannot_be_written_ends_the_flow_though_its_objects_are_there(stage: FaultStage) -> None:
    await stage.put_some()
    stage.configured(no_progress_seconds=GIVES_UP_SECONDS)
    stage.proxy.inject(faults.refused_before(), "Put Blob", blob=COMPLETE, times=None)
    outcome = await stage.run()
    assert outcome.code == "NoProgress"
    assert COMPLETE in outcome.message
    assert await stage.assert_only_whole_objects() == stage.organisations.contents


async def test_only_the_final_error_is_written_down(stage: FaultStage) -> None:
    await stage.put_some()
    await stage.put_at_destination(LARGE, b"theirs")
    stage.proxy.inject(faults.refused_before(), "Put Block List", blob=SMALL, times=2)
    failed_writes = stage.proxy.inject(faults.refused_before(), "Put Blob", blob=FAILED)
    outcome = await stage.run_until_marked()
    assert outcome.code == "BlobAlreadyExists"
    assert failed_writes.hits == 1
    content_of_marker = await stage.organisations.marker(FAILED)
    assert content_of_marker is not None
    marker = parse_failed_marker(content_of_marker)
    assert (marker.code, marker.object_name, marker.retryable) == ("BlobAlreadyExists", LARGE, False)
    stage.assert_no_secret(content_of_marker.decode())


async def test_a_new_transfer_to_the_same_place_does_not_trip_over_an_old_failed_marker(stage: FaultStage) -> None:
    await stage.put_some()
    stage.proxy.inject(faults.other_etag, "List Blobs")
    assert (await stage.run_until_marked()).code == "SourceObjectChanged"
    assert await stage.assert_only_whole_objects() == {}
    again = stage.next_transfer()
    assert (await again.run()).code == ""
    await again.assert_all_arrived()
    assert await stage.organisations.marker(FAILED) is not None


@pytest.mark.parametrize("mode", CopyMode)
async def test_a_source_that_changes_between_two_blocks_is_never_mixed(stage: FaultStage, mode: CopyMode) -> None:
    await stage.put_some()
    stage.configured(copy_mode=mode.value)
    gate = faults.Gate()
    reading = "Get Blob" if mode is CopyMode.STREAMED else "Put Block From URL"
    stage.proxy.inject(gate.before, reading, blob=LARGE, skip=2)
    async with stage.data_plane():
        await gate.arrived()
        await stage.organisations.put(LARGE, content(3 * MEBIBYTE + 5, seed=9))
        gate.opened.set()
        outcome = await stage.outcome()
    assert (outcome.code, outcome.object_name) == ("SourceObjectChanged", LARGE)
    assert LARGE not in await stage.assert_only_whole_objects()


@pytest.mark.parametrize("mode", CopyMode)
async def test_a_source_that_changes_is_copied_anew_where_that_is_configured(stage: FaultStage, mode: CopyMode) -> None:
    await stage.put_some()
    stage.configured(copy_mode=mode.value, on_source_change="restart")
    gate = faults.Gate()
    reading = "Get Blob" if mode is CopyMode.STREAMED else "Put Block From URL"
    stage.proxy.inject(gate.before, reading, blob=LARGE, skip=2)
    async with stage.data_plane():
        await gate.arrived()
        await stage.organisations.put(LARGE, content(2 * MEBIBYTE + 7, seed=9))
        gate.opened.set()
        outcome = await stage.outcome()
    assert outcome.code == ""
    await stage.assert_all_arrived()


async def test_a_listing_of_another_version_ends_the_flow_before_anything_of_it_is_published(stage: FaultStage) -> None:
    await stage.put_some()
    stage.proxy.inject(faults.other_etag, "List Blobs")
    outcome = await stage.run()
    assert outcome.code == "SourceObjectChanged"
    await stage.assert_only_whole_objects()


@pytest.mark.parametrize(("name", "size"), [(SMALL, 3000), (LARGE, 3 * MEBIBYTE + 5)])
async def test_a_read_that_is_damaged_on_the_way_is_found_out_by_the_source_s_own_digest(
    stage: FaultStage, name: str, size: int
) -> None:
    await stage.put_with_digest(name, content(size))
    stage.configured(copy_mode="streamed")
    stage.proxy.inject(faults.flipped_answer, "Get Blob", blob=name)
    outcome = await stage.run()
    assert outcome.code in {"", "SourceDigestMismatch"}
    await stage.assert_only_whole_objects()
