"""What every DataSource and DataSink promises: in memory and on real Azurite alike."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.errors import SasExpiredError, StorageUnavailableError
from azure_storage.sas import SignedUrl
from azure_storage.session import open_storage_session
from connector_spi.clock import SystemClock
from connector_spi.data_address import DataAddress
from connector_spi.errors import ConnectorError, InvalidInputError, PermanentError
from data_plane.adapters.azure_sink import AzureStorageSinkFactory
from data_plane.adapters.azure_source import AzureStorageSourceFactory
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import StagedBlocksLostError
from data_plane.domain.object_copy import ObjectCopy, SourceObject
from data_plane.ports.data_sink import DataSink, DataSinkFactory
from data_plane.ports.data_source import DataSource, DataSourceFactory
from tests.conftest import AzuriteForTests
from tests.unit.data_plane.fakes import ManualClock, MemorySink, MemorySource, a_data_flow
from vault_adapters.memory import InMemoryVault

OpenClient = Callable[[aiohttp.ClientSession], BlockBlobClient]

CONTENTS = {"a.txt": b"0123456789", "dir/ä b.bin": bytes(300_000), "empty": b""}


@dataclass
class Place:
    """A source that holds CONTENTS, and an empty destination; `change` and `remove` are done by the source's owner."""

    sources: DataSourceFactory
    sinks: DataSinkFactory
    source: DataSource
    sink: DataSink
    flow: DataFlow
    change: Callable[[str, bytes], Awaitable[None]]
    remove: Callable[[str], Awaitable[None]]
    delivered: Callable[[], Awaitable[dict[str, bytes]]]
    shut_out: Callable[[], Awaitable[None]]


@pytest.fixture(params=["memory", pytest.param("azure", marks=pytest.mark.azurite)])
def azurite_or_memory(request: pytest.FixtureRequest) -> AzuriteForTests | None:
    """Azurite, or None for memory. Not async: an async fixture cannot ask for another one while it runs."""
    return None if request.param == "memory" else request.getfixturevalue("azurite")


@pytest.fixture
async def place(azurite_or_memory: AzuriteForTests | None, container_name: str) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        if azurite_or_memory is None:
            yield memory_place()
        else:
            yield await azure_place(azurite_or_memory, container_name, stack)


def memory_place() -> Place:
    source, sink = MemorySource(dict(CONTENTS)), MemorySink()

    async def change(name: str, data: bytes) -> None:
        source.contents[name] = data

    async def remove(name: str) -> None:
        del source.contents[name]

    async def delivered() -> dict[str, bytes]:
        return dict(sink.objects)

    async def shut_out() -> None:
        sink.shut_out = True

    return Place(source, sink, source, sink, a_data_flow(), change, remove, delivered, shut_out)


async def azure_place(
    azurite: AzuriteForTests, container: str, stack: AsyncExitStack, *, client: OpenClient = BlockBlobClient
) -> Place:
    session = await stack.enter_async_context(open_storage_session())
    clock, endpoints, secrets = SystemClock(), StorageEndpoints(azurite.endpoint_template), dict(azurite.keys)
    vault, blobs = InMemoryVault(secrets), client(session)
    storage = ObjectStorage(
        endpoints=endpoints, account_keys=AccountKeys(vault, clock=clock), clock=clock, session=session
    )
    owner = {}
    for account in azurite.keys:
        await storage.create_container(account, container, process_id="test")
        owner[account] = await storage.mint_write_sas(account, container, policy_id="p", lifetime_seconds=600)
    secrets["destination"] = owner["consumerorg"].to_secret()

    async def change(name: str, data: bytes) -> None:
        url = owner["providerorg"].applied_to(endpoints.blob_url("providerorg", container, name))
        await blobs.put_blob(url, data, content_type="text/plain", overwrite=True)

    async def remove(name: str) -> None:
        await delete_blob(session, endpoints.blob_url("providerorg", container, name), azurite, container, name)

    async def delivered() -> dict[str, bytes]:
        read = await storage.mint_read_sas("consumerorg", container, lifetime_seconds=600)
        found = {}
        async for listed in storage.list_objects("consumerorg", container):
            url = read.applied_to(endpoints.blob_url("consumerorg", container, listed.name))
            found[listed.name] = bytes(
                await blobs.get_range(url, offset=0, length=listed.size_bytes, if_match=listed.etag)
            )
        return found

    async def shut_out() -> None:
        await storage.revoke_sas("consumerorg", container, policy_id="p")

    for name, data in CONTENTS.items():
        await change(name, data)
    sources = AzureStorageSourceFactory(storage=storage, blobs=blobs, endpoints=endpoints, clock=clock)
    sinks = AzureStorageSinkFactory(
        vault=vault, blobs=blobs, endpoints=endpoints, clock=clock, signature_grace=timedelta(0)
    )
    everything = DataAddress("AzureStorage", {"account": "providerorg", "container": container, "blobPrefix": ""})
    destination = DataAddress(
        "AzureStorage", {"account": "consumerorg", "container": container, "keyName": "destination"}
    )
    flow = a_data_flow(source=everything, destination=destination)
    source = await stack.enter_async_context(sources.open(everything))
    sink = await stack.enter_async_context(sinks.open(flow))
    return Place(sources, sinks, source, sink, flow, change, remove, delivered, shut_out)


async def delete_blob(
    session: aiohttp.ClientSession, url: str, azurite: AzuriteForTests, container: str, name: str
) -> None:
    from azure.storage.blob import BlobSasPermissions, generate_blob_sas

    signature = generate_blob_sas(
        "providerorg",
        container,
        name,
        account_key=azurite.keys["providerorg"],
        permission=BlobSasPermissions(delete=True),
        expiry="2099-01-01",
    )
    async with session.delete(f"{url}?{signature}") as answer:
        assert answer.status == 202


async def listed(place: Place) -> dict[str, SourceObject]:
    return {found.name: found async for page in place.source.objects() for found in page}


def a_copy(source: SourceObject, **changes: Any) -> ObjectCopy:
    copy = ObjectCopy("flow-1", 1, source, source.name, block_nonce="0123456789abcdef", sha256="0" * 64)
    return replace(copy, **changes)


async def staged(place: Place, name: str, data: bytes, **changes: Any) -> ObjectCopy:
    """A copy of the object whose content was staged in two blocks."""
    copy = a_copy((await listed(place))[name], **changes)
    blocks = [data[: len(data) // 2], data[len(data) // 2 :]] if data else []
    for index, block in enumerate(blocks):
        await place.sink.stage_block(copy, index, block)
    return replace(copy, block_count=len(blocks))


async def test_a_source_lists_everything_with_its_size(place: Place) -> None:
    assert {name: found.size for name, found in (await listed(place)).items()} == {
        name: len(data) for name, data in CONTENTS.items()
    }


async def test_a_source_reads_exactly_the_range(place: Place) -> None:
    found = await listed(place)
    assert bytes(await place.source.read(found["a.txt"], 3, 4)) == b"3456"
    assert bytes(await place.source.read(found["dir/ä b.bin"], 299_999, 1)) == b"\0"


async def test_a_source_never_reads_another_version(place: Place) -> None:
    found = await listed(place)
    await place.change("a.txt", b"9876543210")
    with pytest.raises(PermanentError):
        await place.source.read(found["a.txt"], 0, 4)


async def test_a_source_says_for_good_that_an_object_has_vanished(place: Place) -> None:
    found = await listed(place)
    await place.remove("a.txt")
    with pytest.raises(PermanentError):
        await place.source.read(found["a.txt"], 0, 4)


@pytest.mark.parametrize("name", list(CONTENTS))
async def test_a_sink_shows_an_object_by_commit_alone_and_whole(place: Place, name: str) -> None:
    copy = await staged(place, name, CONTENTS[name])
    assert await place.delivered() == {}
    await place.sink.commit(copy, again=False)
    assert await place.delivered() == {name: CONTENTS[name]}


@pytest.mark.parametrize("name", list(CONTENTS))
async def test_a_sink_knows_its_own_object_again(place: Place, name: str) -> None:
    copy = await staged(place, name, CONTENTS[name])
    await place.sink.commit(copy, again=False)
    await place.sink.commit(copy, again=True)
    assert await place.delivered() == {name: CONTENTS[name]}


@pytest.mark.parametrize("again", [False, True])
async def test_a_sink_never_replaces_somebody_elses_object(place: Place, *, again: bool) -> None:
    theirs = await staged(place, "a.txt", b"theirs", block_nonce="f" * 16)
    await place.sink.commit(theirs, again=False)
    ours = await staged(place, "a.txt", CONTENTS["a.txt"])
    with pytest.raises(ConnectorError) as refused:
        await place.sink.commit(ours, again=again)
    assert isinstance(refused.value, PermanentError)
    assert await place.delivered() == {"a.txt": b"theirs"}


async def test_a_sink_says_early_whether_a_name_is_taken(place: Place) -> None:
    copy = await staged(place, "a.txt", CONTENTS["a.txt"])
    probe = replace(copy, block_nonce="c" * 16)
    await place.sink.check_free(probe)
    await place.sink.commit(copy, again=False)
    with pytest.raises(PermanentError):
        await place.sink.check_free(probe)
    assert await place.delivered() == {"a.txt": CONTENTS["a.txt"]}


async def test_a_sink_says_so_when_blocks_are_missing(place: Place) -> None:
    copy = a_copy((await listed(place))["a.txt"], block_count=2)
    await place.sink.stage_block(copy, 0, b"only one")
    with pytest.raises(StagedBlocksLostError):
        await place.sink.commit(copy, again=False)
    assert await place.delivered() == {}


async def test_blocks_of_two_attempts_never_mix(place: Place) -> None:
    first = await staged(place, "a.txt", b"first attempt", block_nonce="a" * 16)
    second = await staged(place, "a.txt", b"SECOND ATTEMPT", block_nonce="b" * 16)
    await place.sink.commit(second, again=False)
    with pytest.raises(PermanentError):
        await place.sink.commit(first, again=True)
    assert await place.delivered() == {"a.txt": b"SECOND ATTEMPT"}


async def test_a_block_that_is_sent_twice_counts_once(place: Place) -> None:
    copy = a_copy((await listed(place))["a.txt"], block_count=1)
    await place.sink.stage_block(copy, 0, b"wrong")
    await place.sink.stage_block(copy, 0, b"right")
    await place.sink.commit(copy, again=False)
    assert await place.delivered() == {"a.txt": b"right"}


async def test_being_shut_out_counts_as_done_only_once_the_evidence_was_begun(place: Place) -> None:
    async def published() -> AsyncIterator[ObjectCopy]:
        yield a_copy((await listed(place))["a.txt"], sha256=hashlib.sha256(CONTENTS["a.txt"]).hexdigest())

    await place.shut_out()
    with pytest.raises(PermanentError):
        await place.sink.mark_complete(published(), again=False)
    await place.sink.mark_complete(published(), again=True)


async def test_the_evidence_may_be_left_twice(place: Place) -> None:
    copy = await staged(place, "a.txt", CONTENTS["a.txt"])
    await place.sink.commit(copy, again=False)

    async def published() -> AsyncIterator[ObjectCopy]:
        yield replace(copy, sha256=hashlib.sha256(CONTENTS["a.txt"]).hexdigest())

    await place.sink.mark_complete(published(), again=False)
    once = await place.delivered()
    await place.sink.mark_complete(published(), again=True)
    assert await place.delivered() == once


@pytest.mark.azurite
@pytest.mark.parametrize("name", [".complete", ".manifest/00001.ndjson", "a/../b", "back\\slash", "dot.", "x" * 1025])
async def test_an_azure_sink_refuses_a_name_before_the_first_byte(
    azurite: AzuriteForTests, container_name: str, name: str
) -> None:
    async with AsyncExitStack() as stack:
        place = await azure_place(azurite, container_name, stack)
        with pytest.raises(InvalidInputError):
            place.sinks.destination_name(place.flow, SourceObject(name, 1, '"e"'), single=False)


@pytest.mark.azurite
async def test_an_azure_address_is_kept_without_what_is_not_understood(
    azurite: AzuriteForTests, container_name: str
) -> None:
    understood = {
        "account": "consumerorg",
        "container": container_name,
        "blobName": "a",
        "blobPrefix": "p/",
        "folderName": "f",
        "keyName": "alias",
    }
    sent = DataAddress("AzureStorage", {**understood, "accountKey": "planted", "metadata": "x"})
    async with AsyncExitStack() as stack:
        place = await azure_place(azurite, container_name, stack)
        for factory in (place.sources, place.sinks):
            assert factory.accepted(sent) == DataAddress("AzureStorage", understood)


@pytest.mark.azurite
async def test_a_signature_that_is_past_its_end_is_no_sign_that_the_evidence_was_seen(
    azurite: AzuriteForTests, container_name: str
) -> None:
    async def published() -> AsyncIterator[ObjectCopy]:
        yield a_copy(SourceObject("a.txt", 10, '"e"'), sha256=hashlib.sha256(CONTENTS["a.txt"]).hexdigest())

    async with AsyncExitStack() as stack:
        late = ManualClock(datetime.now(UTC) + timedelta(days=1))
        place = await azure_place(
            azurite, container_name, stack, client=lambda session: BlockBlobClient(session, clock=late)
        )
        await place.shut_out()
        with pytest.raises(SasExpiredError):
            await place.sink.mark_complete(published(), again=True)


class AnswerLost(BlockBlobClient):
    """Storage takes the write, and its answer does not arrive."""

    lost: str = ""
    """End of the name of the blob whose answer is lost; empty: none is."""

    async def put_blob(self, url: SignedUrl, *args: Any, **options: Any) -> str:
        etag = await super().put_blob(url, *args, **options)
        if self.lost and url.resource.endswith(self.lost):
            raise StorageUnavailableError(operation="Put Blob", resource=url.resource, problem="connection lost")
        return etag


@pytest.mark.azurite
@pytest.mark.parametrize(("lost", "counts_as_done"), [(".complete", True), (".ndjson", False)])
async def test_being_shut_out_counts_as_done_after_the_answer_to_the_evidence_was_lost(
    azurite: AzuriteForTests, container_name: str, lost: str, *, counts_as_done: bool
) -> None:
    async def published() -> AsyncIterator[ObjectCopy]:
        yield a_copy(SourceObject("a.txt", 10, '"e"'), sha256=hashlib.sha256(CONTENTS["a.txt"]).hexdigest())

    async with AsyncExitStack() as stack:
        place = await azure_place(azurite, container_name, stack, client=AnswerLost)
        with pytest.MonkeyPatch.context() as losing:
            losing.setattr(AnswerLost, "lost", lost)
            with pytest.raises(StorageUnavailableError):
                await place.sink.mark_complete(published(), again=False)
        await place.shut_out()
        with nullcontext() if counts_as_done else pytest.raises(PermanentError):
            await place.sink.mark_complete(published(), again=False)
