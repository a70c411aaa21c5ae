"""A provider that goes on writing into the staging container: what it changes after the check is never placed."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from azure_storage.markers import COMPLETE
from connector_spi.errors import InvalidInputError
from control_plane.adapters.object_storage_evidence import ObjectStorageEvidence, ReceiptTrust
from control_plane.domain.placement import PlacementPosition
from control_plane.ports.completion_evidence import Arrived
from control_plane.ports.placement import StagingAlteredError
from tests.conftest import AzuriteForTests
from tests.integration.control_plane.existing_container_stage import (
    ACCOUNT,
    CONTENT,
    LONG,
    ExistingContainerStage,
    existing_container,
)

pytestmark = pytest.mark.azurite
MANIFEST = ".manifest/00001.ndjson"


@pytest.fixture
async def stage(azurite: AzuriteForTests) -> AsyncIterator[ExistingContainerStage]:
    async with existing_container(azurite) as running:
        await running.provision()
        await running.arrive()
        await check(running)
        yield running


async def check(stage: ExistingContainerStage) -> None:
    """The consumer looks at the evidence, and begins to place."""
    peer = stage.process.counter_party_id
    trust = ReceiptTrust(peer, ec.generate_private_key(ec.SECP256R1()).public_key(), required=False)
    found = await ObjectStorageEvidence(stage.storage, {peer: trust}).look(stage.process)
    assert isinstance(found, Arrived)
    assert found.receipt is not None
    made = stage.process.provisioned
    assert made is not None
    assert made.placement is not None
    placement = replace(made.placement, position=PlacementPosition(), receipt=found.receipt)
    stage.process = replace(stage.process, provisioned=replace(made, placement=placement))


async def write_later(stage: ExistingContainerStage, name: str, content: bytes) -> None:
    """As the provider, in a later second than everything that was checked: the service tells no smaller times."""
    made = stage.process.provisioned
    assert made is not None
    assert made.placement is not None
    assert made.placement.receipt is not None
    newest = made.placement.receipt.newest_at
    assert newest is not None
    while True:
        await stage.write(name, content)
        found = await stage.storage.get_object(ACCOUNT, made.container, f"{made.folder}/{name}")
        if found.last_modified > newest:
            return


async def staged(stage: ExistingContainerStage, name: str) -> bytes:
    made = stage.process.provisioned
    assert made is not None
    return await stage.storage.read_small_blob(ACCOUNT, made.container, f"{made.folder}/{name}", max_bytes=10**6) or b""


async def test_what_is_as_it_was_checked_is_placed(stage: ExistingContainerStage) -> None:
    assert (await stage.place_all()).placed == len(CONTENT)


async def test_an_object_whose_content_was_replaced_by_as_many_bytes_is_not_placed(
    stage: ExistingContainerStage,
) -> None:
    await write_later(stage, "a.csv", b"54321")
    with pytest.raises(StagingAlteredError, match=r"'a\.csv'"):
        await stage.place_all()
    assert not await stage.names()


async def test_a_receipt_that_was_replaced_with_all_it_speaks_of_is_not_placed(stage: ExistingContainerStage) -> None:
    process = stage.process
    await stage.arrive({**CONTENT, "a.csv": b"54321"})
    stage.process = process
    with pytest.raises(StagingAlteredError):
        await stage.place_all()
    assert COMPLETE not in await stage.names()
    assert (await stage.placement.take_back(stage.process, seconds=LONG)).is_done
    assert not await stage.names()


@pytest.mark.parametrize(
    ("name", "was", "lie"), [(MANIFEST, b'"size', b' "size'), (COMPLETE, b":262149,", b":262148,")]
)
async def test_a_part_of_the_receipt_that_was_replaced_is_not_placed(
    stage: ExistingContainerStage, name: str, was: bytes, lie: bytes
) -> None:
    await stage.write(name, (await staged(stage, name)).replace(was, lie, 1))
    with pytest.raises(StagingAlteredError):
        await stage.place_all()
    assert COMPLETE not in await stage.names()


async def test_a_receipt_that_the_provider_writes_once_more_is_placed(stage: ExistingContainerStage) -> None:
    for name in (MANIFEST, COMPLETE):
        await write_later(stage, name, await staged(stage, name))
    assert (await stage.place_all()).placed == len(CONTENT)
    assert COMPLETE in await stage.names()


async def test_what_stands_beside_the_receipt_and_is_not_a_part_of_it_stays_behind(
    stage: ExistingContainerStage,
) -> None:
    for name in (".manifest/tool.exe", ".manifest/00002.ndjson", ".manifest/00001.ndjson/x", ".manifest/placement/1"):
        await stage.write(name, b"smuggled")
    await stage.place_all()
    placed = {name for name in await stage.names() if name.startswith(".manifest/")}
    assert placed == {MANIFEST, ".manifest/placement.json"}


@pytest.mark.parametrize("name", ["a/../../out.csv", "ends.", "two//slashes", "last/"])
async def test_a_name_that_the_service_would_resolve_is_refused(azurite: AzuriteForTests, name: str) -> None:
    async with existing_container(azurite) as stage:
        await stage.provision(folderName="in/here")
        await stage.arrive({name: b"1"})
        with pytest.raises(InvalidInputError, match="blobName"):
            await stage.place_all()
        assert not await stage.names()
