"""Into a container that the client has already, on the real Azurite: nothing of the client's changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest

from azure_storage.errors import StorageRefusedError
from azure_storage.markers import COMPLETE
from azure_storage.placement_record import PLACEMENT, parse_placement_page, placement_page_name
from connector_spi.errors import TransientError
from control_plane.domain.placement import DestinationAccess, PlacementStage
from control_plane.ports.placement import (
    DestinationObjectsExistError,
    StagingAlteredError,
)
from tests.conftest import AzuriteForTests
from tests.fault_proxy import faults
from tests.fault_proxy.http_wire import Answer
from tests.integration.control_plane.existing_container_stage import (
    CONTENT,
    LONG,
    ExistingContainerStage,
    existing_container,
)

pytestmark = pytest.mark.azurite
RECEIPTS = {COMPLETE, PLACEMENT, ".manifest/00001.ndjson"}


@pytest.fixture
async def stage(azurite: AzuriteForTests) -> AsyncIterator[ExistingContainerStage]:
    async with existing_container(azurite) as running:
        yield running


async def check_everything_is_placed(stage: ExistingContainerStage) -> None:
    assert await stage.names() == set(CONTENT) | RECEIPTS
    for name, content in CONTENT.items():
        assert await stage.read(name) == content


async def test_the_provider_is_let_into_a_container_of_its_own_and_never_into_the_clients(
    stage: ExistingContainerStage,
) -> None:
    await stage.provision()
    made = stage.process.provisioned
    assert made is not None
    assert (made.access, made.folder) == (DestinationAccess.STAGING, stage.process.id)
    assert made.container != stage.container
    await stage.write("a.csv", b"1")
    stage.process = replace(stage.process, provisioned=replace(made, container=stage.container))
    with pytest.raises(StorageRefusedError):
        await stage.write("a.csv", b"1")
    assert await stage.names() == set()


async def test_what_arrived_is_placed_with_its_properties_and_the_container_stays_as_it_was(
    stage: ExistingContainerStage,
) -> None:
    await stage.provision(folderName="in/here/")
    await stage.put_own("client.txt")
    before = await stage.etags()
    await stage.arrive()
    position = await stage.place_all()
    assert (position.placed, position.bytes_placed) == (3, sum(map(len, CONTENT.values())))
    assert await stage.names() == set(CONTENT) | RECEIPTS | {"client.txt"}
    assert await stage.read("large.bin") == CONTENT["large.bin"]
    for name in CONTENT:
        shown = await stage.client.get_blob_client(f"in/here/{name}").get_blob_properties()
        assert shown.content_settings.content_type == "text/x-test"
        assert shown.content_settings.content_md5
        assert shown.metadata["placedby"].startswith(stage.process.id)
        assert "sha256" in shown.metadata
    assert before.items() <= (await stage.etags()).items()
    acl = await stage.client.get_container_access_policy()
    assert (acl["public_access"], acl["signed_identifiers"]) == ("blob", [])


async def test_a_large_object_is_moved_in_blocks_and_no_byte_passes_through_here(
    stage: ExistingContainerStage,
) -> None:
    await stage.provision()
    await stage.arrive()
    sent = stage.proxy.body_bytes("Put Block", "Put Blob")
    await stage.place_all()
    assert len(stage.proxy.of("Put Block From URL", blob="large.bin")) == 4
    assert stage.proxy.body_bytes("Put Block", "Put Blob") - sent < 2000, "the record and the empty object"


async def test_a_repetition_from_the_start_finds_what_was_placed(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.arrive()
    saved = stage.process
    first = await stage.place_all()
    etags = await stage.etags()
    stage.process = saved
    assert await stage.place_all() == first
    assert {n: e for n, e in (await stage.etags()).items() if not n.endswith(PLACEMENT)} == {
        n: e for n, e in etags.items() if not n.endswith(PLACEMENT)
    }
    await check_everything_is_placed(stage)


@pytest.mark.parametrize("name", [*CONTENT, COMPLETE])
async def test_a_commit_whose_answer_was_lost_is_recognised(stage: ExistingContainerStage, name: str) -> None:
    await stage.provision()
    await stage.arrive()
    operation = "Put Block List" if CONTENT.get(name, b"1") else "Put Blob"
    last = name.rpartition("/")[2]
    lost = stage.proxy.inject(faults.reset_after, operation, blob=last, where=lambda r: r.container == stage.container)
    with suppress(TransientError):
        await stage.placement.place(stage.process, seconds=LONG)
    assert lost.hits == 1
    await stage.place_all()
    await check_everything_is_placed(stage)
    if name == "large.bin":
        assert len(stage.proxy.of("Put Block From URL", blob=name)) == 4, "no block is staged again"


async def test_blocks_that_are_there_are_not_staged_again_after_a_crash(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.arrive({"large.bin": CONTENT["large.bin"]})
    refused = stage.proxy.inject(faults.reset_before, "Put Block List", blob="large.bin")
    with pytest.raises(TransientError):
        await stage.place()
    assert refused.hits == 1
    await stage.place_all()
    assert len(stage.proxy.of("Put Block From URL", blob="large.bin")) == 4
    assert await stage.read("large.bin") == CONTENT["large.bin"]


async def test_slices_go_on_where_the_last_one_was(stage: ExistingContainerStage) -> None:
    content = {f"{number:03d}.txt": str(number).encode() for number in range(250)}
    await stage.provision()
    await stage.arrive(content)
    stage.proxy.inject(faults.reset_before, "Put Block List", blob="150.txt")
    position = await stage.place()
    assert (position.placed, position.in_page, position.stage) == (150, 150, PlacementStage.OBJECTS)
    heard = len(stage.proxy.requests)
    assert (await stage.place_all()).placed == 250
    again = {record.request.blob for record in stage.proxy.requests[heard:] if "Put" in record.request.operation}
    assert not any(name.endswith(("000.txt", "100.txt", "149.txt")) for name in again)
    assert {record.request.blob for record in stage.proxy.requests[heard:] if record.request.blob.endswith("150.txt")}


async def test_nothing_is_counted_twice_when_the_check_of_the_counts_has_to_be_repeated(
    stage: ExistingContainerStage,
) -> None:
    await stage.provision()
    await stage.arrive()
    failed = stage.proxy.inject(faults.reset_before, "Get Blob", blob=COMPLETE)
    assert (await stage.place()).stage is PlacementStage.OBJECTS
    assert failed.hits == 1
    assert (await stage.place_all()).placed == len(CONTENT)


async def test_names_that_are_taken_are_refused_by_name_and_what_was_placed_is_taken_back(
    stage: ExistingContainerStage,
) -> None:
    await stage.provision()
    await stage.put_own("large.bin")
    before = await stage.etags()
    await stage.arrive()
    with pytest.raises(DestinationObjectsExistError, match=r"'large\.bin'"):
        await stage.place_all()
    assert (await stage.placement.take_back(stage.process, seconds=LONG)).is_done
    assert await stage.etags() == before
    assert not stage.proxy.of("Put Block From URL", blob="large.bin"), "seen before its bytes are moved"


async def test_skipped_objects_are_left_out_and_on_record(stage: ExistingContainerStage) -> None:
    await stage.provision(ifExists="skip")
    await stage.put_own("a.csv")
    await stage.put_own("large.bin")
    before = await stage.etags()
    await stage.arrive()
    position = await stage.place_all()
    assert (position.placed, position.skipped, position.bytes_placed) == (1, 2, 0)
    assert await stage.read("a.csv") == b"the client's"
    assert before.items() <= (await stage.etags()).items()
    entries = parse_placement_page(await stage.read(placement_page_name(1)), number=1)
    assert [(entry.name, entry.placed_as) for entry in entries] == [("a.csv", None), ("large.bin", None)]
    record = json.loads(await stage.read(PLACEMENT))
    assert (record["objects"], record["skipped"], record["renamed"], record["pages"]) == (1, 2, 0, 1)


async def test_renamed_objects_get_the_same_names_again(stage: ExistingContainerStage) -> None:
    await stage.provision(ifExists="rename")
    await stage.put_own("a.csv")
    await stage.put_own("large.bin")
    await stage.arrive()
    saved = stage.process
    first = await stage.place_all()
    assert (first.placed, first.renamed) == (1, 2)
    names = await stage.names()
    entries = parse_placement_page(await stage.read(placement_page_name(1)), number=1)
    for entry in entries:
        assert entry.placed_as is not None
        assert await stage.read(entry.placed_as) == CONTENT[entry.name]
        assert entry.placed_as.split(".")[0] == entry.name.split(".")[0]
        assert entry.placed_as.split(".")[-1] == entry.name.split(".")[-1]
        assert await stage.read(entry.name) == b"the client's"
    stage.process = saved
    assert await stage.place_all() == first
    assert await stage.names() == names


async def test_a_name_made_by_renaming_that_another_object_of_the_transfer_has_is_not_mistaken_for_it(
    stage: ExistingContainerStage,
) -> None:
    await stage.provision(ifExists="rename")
    await stage.put_own("a.csv")
    await stage.arrive({"a.csv": b"first"})
    await stage.place_all()
    [entry] = parse_placement_page(await stage.read(placement_page_name(1)), number=1)
    assert entry.placed_as is not None
    other = entry.placed_as
    process = stage.process
    await stage.provision(ifExists="rename", folderName="again")
    # The same marks in a new folder, with a source that has the name that renaming would give.
    made = stage.process.provisioned
    stage.process = replace(process, provisioned=made)
    await stage.put_own("a.csv")
    await stage.arrive({other: b"second", "a.csv": b"first"})
    await stage.place_all()
    contents = {name: await stage.read(name) for name in await stage.names() if not name.startswith(".")}
    assert sorted(contents.values()) == [b"first", b"second", b"the client's"]


@pytest.mark.parametrize("rule", ["refuse", "skip", "rename"])
@pytest.mark.parametrize("name", ["a.csv", "large.bin"])
async def test_a_client_that_writes_the_name_just_before_the_commit_keeps_its_blob(
    stage: ExistingContainerStage, rule: str, name: str
) -> None:
    await stage.provision(ifExists=rule)
    await stage.arrive({name: CONTENT[name]})
    gate = faults.Gate()
    stage.proxy.inject(gate.before, "Put Block List", blob=name)

    placing = asyncio.ensure_future(stage.place_all())
    await gate.arrived()
    await stage.put_own(name)
    gate.opened.set()
    if rule == "refuse":
        with pytest.raises(DestinationObjectsExistError, match=name):
            await placing
    else:
        position = await placing
        assert (position.skipped, position.renamed) == ((1, 0) if rule == "skip" else (0, 1))
    assert await stage.read(name) == b"the client's"


async def test_taking_back_leaves_foreign_blobs_and_those_that_changed(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.put_own("client.txt")
    await stage.arrive({"a.csv": b"1", "b.csv": b"2", "c.csv": b"3"}, object_count=9)
    with pytest.raises(StagingAlteredError):
        await stage.place_all()
    assert {"a.csv", "b.csv", "c.csv"} <= await stage.names()
    await stage.client.upload_blob(f"{stage.folder}/b.csv", b"by the client now", overwrite=True)
    assert (await stage.placement.take_back(stage.process, seconds=LONG)).is_done
    assert await stage.names() == {"client.txt", "b.csv"}
    assert (await stage.placement.take_back(stage.process, seconds=LONG)).is_done


async def test_taking_back_deletes_no_version_but_the_one_that_it_saw(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.arrive({"a.csv": b"1"}, object_count=9)
    with pytest.raises(StagingAlteredError):
        await stage.place_all()
    gate = faults.Gate()
    stage.proxy.inject(gate.before, blob="a.csv", where=lambda request: request.method == "DELETE")
    taking = asyncio.ensure_future(stage.placement.take_back(stage.process, seconds=LONG))
    await gate.arrived()
    await stage.client.upload_blob(f"{stage.folder}/a.csv", b"by the client now", overwrite=True)
    gate.opened.set()
    assert (await taking).is_done
    assert await stage.read("a.csv") == b"by the client now"


async def test_a_whole_placement_is_not_taken_back(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.arrive()
    await stage.place_all()
    assert (await stage.placement.take_back(stage.process, seconds=LONG)).is_done
    await check_everything_is_placed(stage)


async def test_nothing_is_taken_back_of_a_placement_that_never_began(stage: ExistingContainerStage) -> None:
    await stage.provision()
    assert (await stage.placement.take_back(stage.process, seconds=LONG)).is_done
    await stage.arrive()
    await stage.client.delete_container()
    assert (await stage.placement.take_back(stage.process, seconds=LONG)).is_done, "nor where the container is gone"


async def test_no_request_of_the_placement_deletes_or_overwrites(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.arrive()
    heard = len(stage.proxy.requests)
    await stage.place_all()
    of_target = [r.request for r in stage.proxy.requests[heard:] if r.request.container == stage.container]
    assert not [request for request in of_target if request.method == "DELETE"]
    written = [request for request in of_target if request.operation in {"Put Blob", "Put Block List"}]
    assert len(written) == len(CONTENT) + len(RECEIPTS)
    assert {request.head.get("If-None-Match") for request in written} == {"*"}


async def test_an_object_that_is_replaced_in_the_middle_of_its_move_is_never_mixed(
    stage: ExistingContainerStage,
) -> None:
    older, newer = CONTENT["large.bin"], bytes(reversed(CONTENT["large.bin"]))
    await stage.provision()
    await stage.arrive({"large.bin": older})
    stage.proxy.inject(faults.reset_before, "Put Block List", blob="large.bin")
    with pytest.raises(TransientError):
        await stage.place()
    await stage.write("large.bin", newer)
    await stage.place_all()
    assert await stage.read("large.bin") == newer, "this one was not checked against a receipt, and it is whole"


async def test_a_copy_that_the_client_made_of_a_placed_object_is_not_taken_back(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.arrive({"a.csv": b"1"}, object_count=9)
    with pytest.raises(StagingAlteredError):
        await stage.place_all()
    placed = stage.client.get_blob_client(f"{stage.folder}/a.csv")
    copy = stage.client.get_blob_client(f"{stage.folder}/copy.csv")
    await copy.upload_blob(b"1", metadata=(await placed.get_blob_properties()).metadata)
    assert (await stage.placement.take_back(stage.process, seconds=LONG)).is_done
    assert await stage.names() == {"copy.csv"}


async def test_a_service_without_put_blob_from_url_is_not_asked_for_each_object(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.arrive({f"{number:02d}.txt": b"1" for number in range(40)})
    assert (await stage.place_all()).placed == 40
    assert len(stage.proxy.of("Put Blob From URL")) <= 4, "those that were under way at once"


async def test_a_signature_of_this_sides_own_that_ends_in_a_slice_is_made_anew(stage: ExistingContainerStage) -> None:
    await stage.provision()
    await stage.arrive()
    late = ("Date: Thu, 01 Jan 2099 00:00:00 GMT",)
    expired = faults.rewritten(lambda _: Answer.of(403, code="AuthenticationFailed", headers=late))
    ended = stage.proxy.inject(expired, "Put Block From URL", blob="a.csv")
    await stage.place_all()
    assert ended.hits == 1
    await check_everything_is_placed(stage)
