"""Faults that pass: each costs a retry at every kind of request that a flow makes, and nothing else."""

from collections.abc import Callable

import pytest

from azure_storage import http_pool
from data_plane.domain.object_copy import CopyMode
from tests.fault_proxy import StorageRequest, faults
from tests.fault_proxy.faults import Fault, named
from tests.integration.data_plane.faults.fault_stage import FaultStage

pytestmark = [pytest.mark.azurite, pytest.mark.usefixtures("small_blocks")]

PASSING = (
    faults.delayed(0.05),
    faults.dripping(4_000_000),
    faults.request_cut(500),
    faults.answer_cut(100),
    faults.reset_before,
    faults.reset_after,
    faults.refused_before(),
    faults.refused_after(),
    faults.busy(retry_after=0),
    faults.flipped_request,
    faults.other_checksums,
    faults.wrong_length(5),
    faults.wrong_length(-5),
)

OPERATIONS = {
    CopyMode.STREAMED: ("List Blobs", "Get Blob", "Put Block", "Put Block List", "Put Blob"),
    CopyMode.SERVER_SIDE: ("List Blobs", "Put Block From URL", "Put Block List", "Put Blob"),
}


FINAL = {(faults.flipped_request, "Put Block List")}
"""The service calls a damaged block list malformed, which is no answer to try again on."""


def first_of_each() -> Callable[[StorageRequest], bool]:
    """Whether a request is the first of its kind: the same operation, name, block, range and size."""
    seen: set[tuple[object, ...]] = set()

    def is_first(request: StorageRequest) -> bool:
        ranges = (request.head.get("Range"), request.head.get("x-ms-range"), request.head.get("x-ms-source-range"))
        key = (request.operation, request.blob, request.block_id, *ranges, request.length)
        known = key in seen
        seen.add(key)
        return not known

    return is_first


@pytest.mark.parametrize("mode", CopyMode)
@pytest.mark.parametrize("fault", PASSING, ids=named)
async def test_a_passing_fault_at_every_kind_of_request_is_retried_and_all_arrives(
    stage: FaultStage, fault: Fault, mode: CopyMode
) -> None:
    await stage.put_some()
    stage.configured(copy_mode=mode.value)
    injected = {
        operation: stage.proxy.inject(fault, operation, where=first_of_each(), times=None)
        for operation in OPERATIONS[mode]
        if (fault, operation) not in FINAL
    }
    outcome = await stage.run()
    assert outcome.code == "", outcome
    await stage.assert_all_arrived()
    assert [operation for operation, injection in injected.items() if injection.hits == 0] == []
    assert {".complete", ".manifest/00001.ndjson"} <= {record.blob for record in stage.proxy.requests if record.fault}
    unharmed = [record for record in stage.proxy.requests if not record.fault]
    assert len(unharmed) <= sum(injection.hits for injection in injected.values()) + 10


async def test_a_block_list_that_arrives_damaged_publishes_nothing_or_the_whole(stage: FaultStage) -> None:
    await stage.put_some()
    stage.proxy.inject(faults.flipped_request, "Put Block List", times=None)
    outcome = await stage.run()
    assert outcome.code
    await stage.assert_only_whole_objects()


async def test_a_service_that_names_a_pause_is_given_it(stage: FaultStage) -> None:
    await stage.put_some()
    stage.proxy.inject(faults.busy(retry_after=1), "Put Block List")
    assert (await stage.run()).code == ""
    refused, *later = [record for record in stage.proxy.of("Put Block List") if record.blob == "x/large.bin"]
    again = [record for record in later if record.at > refused.at]
    assert again[0].at - refused.at >= 1


@pytest.mark.parametrize("operation", ["Get Blob", "Put Block", "Put Block List", "Put Blob"])
@pytest.mark.parametrize("silence", [faults.silent_before, faults.silent_after], ids=named)
async def test_a_request_that_is_never_answered_is_given_up_and_made_again(
    stage: FaultStage, monkeypatch: pytest.MonkeyPatch, operation: str, silence: Fault
) -> None:
    monkeypatch.setattr(http_pool, "SILENCE_SECONDS", 0.3)
    await stage.put_some()
    stage.configured(copy_mode="streamed")
    silent = stage.proxy.inject(silence, operation)
    assert (await stage.run()).code == ""
    assert silent.hit.is_set()
    await stage.assert_all_arrived()
