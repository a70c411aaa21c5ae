"""The fault proxy itself: what the service and the client see of each fault, and what is counted."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable

import pytest
import pytest_asyncio

from azure_storage.account_access import AccountAccesses
from azure_storage.account_keys import AccountKeys
from azure_storage.block_client import BlockBlobClient
from azure_storage.containers import ObjectStorage
from azure_storage.endpoints import StorageEndpoints
from azure_storage.sas import SignedUrl
from azure_storage.session import open_storage_session
from connector_spi.clock import SystemClock
from connector_spi.errors import ConnectorError
from tests.conftest import AzuriteForTests
from tests.fault_proxy import FaultProxy, faults
from tests.fault_proxy.faults import Fault, named
from tests.integration.data_plane.conftest import CONSUMER, PROVIDER, Organisations
from vault_adapters.memory import InMemoryVault

pytestmark = pytest.mark.azurite

DATA = bytes(range(256)) * 400
ID = "block-000001"


@pytest_asyncio.fixture
async def blobs() -> AsyncIterator[BlockBlobClient]:
    """A client that is told about a silent peer within a second."""
    async with open_storage_session() as session:
        yield BlockBlobClient(session, call_seconds=1)


def shown(value: object) -> str | None:
    """A fault's name as a test id; anything else as usual."""
    return named(value) if callable(value) else None


def at_destination(organisations: Organisations, proxy: FaultProxy, name: str) -> SignedUrl:
    endpoints = StorageEndpoints(proxy.endpoint_template)
    url = endpoints.blob_url(CONSUMER, organisations.destination_container, name)
    return organisations.write_token.applied_to(url)


async def at_source(organisations: Organisations, proxy: FaultProxy, name: str) -> tuple[SignedUrl, str]:
    """A signed URL and the ETag."""
    container = organisations.source_container
    token = await organisations.storage.mint_read_sas(PROVIDER, container, lifetime_seconds=600)
    found = await organisations.storage.get_object(PROVIDER, container, name)
    return token.applied_to(StorageEndpoints(proxy.endpoint_template).blob_url(PROVIDER, container, name)), found.etag


async def code_of(call: Awaitable[object]) -> str:
    """The code of the call's error; nothing when it succeeds."""
    try:
        await call
    except ConnectorError as error:
        return error.code
    return ""


async def test_without_faults_every_kind_of_request_passes_unchanged_and_is_counted(
    organisations: Organisations, azurite: AzuriteForTests, proxy: FaultProxy, blobs: BlockBlobClient
) -> None:
    name = "Übersicht 日本.bin"
    url = at_destination(organisations, proxy, name)
    await blobs.put_block(url, ID, DATA)
    await blobs.put_block_list(url, [ID])
    await blobs.put_blob(at_destination(organisations, proxy, "small"), b"small")
    async with open_storage_session() as session:
        storage = ObjectStorage(
            endpoints=StorageEndpoints(proxy.endpoint_template),
            accesses=AccountAccesses(AccountKeys(InMemoryVault(dict(azurite.keys)), clock=SystemClock())),
            clock=SystemClock(),
            session=session,
        )
        listed = [found.name async for found in storage.list_objects(CONSUMER, organisations.destination_container)]
        await storage.get_object(CONSUMER, organisations.destination_container, name)
    await organisations.put("source", DATA)
    source, etag = await at_source(organisations, proxy, "source")
    assert await blobs.get_range(source, offset=10, length=1000, if_match=etag) == DATA[10:1010]
    assert sorted(listed) == sorted([name, "small"])
    operations = ["Put Block", "Put Block List", "Put Blob", "List Blobs", "Get Blob Properties", "Get Blob"]
    assert [record.operation for record in proxy.requests] == operations
    assert [record.blob for record in proxy.of("Put Block", "Put Block List")] == [name, name]
    assert proxy.body_bytes("Put Block", blob=name) == len(DATA)
    assert proxy.of("Get Blob")[0].answered_bytes == 1000
    assert {record.status for record in proxy.requests} == {200, 201, 206}


@pytest.mark.parametrize(
    ("fault", "code", "arrived"),
    [
        (faults.delayed(0.05), "", True),
        (faults.dripping(1_000_000), "", True),
        (faults.request_cut(500), "StorageUnavailable", False),
        (faults.answer_cut(0), "StorageUnavailable", True),
        (faults.reset_before, "StorageUnavailable", False),
        (faults.reset_after, "StorageUnavailable", True),
        (faults.refused_before(), "StorageBusy", False),
        (faults.refused_after(), "StorageBusy", True),
        (faults.busy(retry_after=7), "StorageBusy", False),
        (faults.flipped_request, "ChecksumMismatch", False),
        (faults.other_checksums, "ChecksumMismatch", True),
        (faults.wrong_length(5), "", True),
        (faults.silent_before, "StorageUnavailable", False),
        (faults.silent_after, "StorageUnavailable", True),
    ],
    ids=shown,
)
async def test_a_block_meets_a_fault(
    *,
    organisations: Organisations,
    proxy: FaultProxy,
    blobs: BlockBlobClient,
    fault: Fault,
    code: str,
    arrived: bool,
) -> None:
    proxy.inject(fault, "Put Block")
    url = at_destination(organisations, proxy, "blob")
    md5 = hashlib.md5(DATA, usedforsecurity=False).digest()
    assert await code_of(blobs.put_block(url, ID, DATA, content_md5=md5)) == code
    assert len(proxy.of("Put Block")) == 1
    assert await code_of(blobs.put_block_list(url, [ID])) == ("" if arrived else "InvalidBlockList")
    assert proxy.requests[0].fault
    assert proxy.requests[1].fault == ""


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.answer_cut(500), "StorageUnavailable"),
        (faults.reset_after, "StorageUnavailable"),
        (faults.wrong_length(5), "StorageUnavailable"),
        (faults.wrong_length(-5), "StorageUnavailable"),
        (faults.silent_before, "StorageUnavailable"),
        (faults.busy(retry_after=7), "StorageBusy"),
        (faults.dripping(1_000_000), ""),
    ],
    ids=shown,
)
async def test_a_read_meets_a_fault(
    organisations: Organisations, proxy: FaultProxy, blobs: BlockBlobClient, fault: Fault, code: str
) -> None:
    await organisations.put("source", DATA)
    source, etag = await at_source(organisations, proxy, "source")
    proxy.inject(fault, "Get Blob", blob="source")
    assert await code_of(blobs.get_range(source, offset=0, length=len(DATA), if_match=etag)) == code
    assert await blobs.get_range(source, offset=0, length=len(DATA), if_match=etag) == DATA


async def test_a_flipped_answer_differs_in_one_bit(
    organisations: Organisations, proxy: FaultProxy, blobs: BlockBlobClient
) -> None:
    await organisations.put("source", DATA)
    source, etag = await at_source(organisations, proxy, "source")
    proxy.inject(faults.flipped_answer, "Get Blob")
    got = await blobs.get_range(source, offset=0, length=len(DATA), if_match=etag)
    assert [(one ^ other).bit_count() for one, other in zip(got, DATA, strict=True) if one != other] == [1]


async def test_skip_times_and_order_choose_the_request_that_meets_a_fault(
    organisations: Organisations, proxy: FaultProxy, blobs: BlockBlobClient
) -> None:
    second = proxy.inject(faults.refused_before(), "Put Block", blob="blob", skip=1)
    other = proxy.inject(faults.busy(), "Put Block", blob="elsewhere", times=None)
    url = at_destination(organisations, proxy, "blob")
    assert [await code_of(blobs.put_block(url, ID, DATA)) for _ in range(3)] == ["", "StorageBusy", ""]
    assert [record.fault for record in proxy.of("Put Block")] == ["", "refused_before", ""]
    assert [record.upstream_status for record in proxy.of("Put Block")] == [201, None, 201]
    assert second.hit.is_set()
    assert not other.hit.is_set()


async def test_a_gate_holds_the_answer_until_it_is_opened(
    organisations: Organisations, proxy: FaultProxy, blobs: BlockBlobClient
) -> None:
    gate = faults.Gate()
    proxy.inject(gate.after, "Put Block List")
    url = at_destination(organisations, proxy, "blob")
    await blobs.put_block(url, ID, DATA)
    async with asyncio.TaskGroup() as group:
        commit = group.create_task(blobs.put_block_list(url, [ID]))
        await gate.reached.wait()
        assert "blob" in await organisations.delivered()
        assert not commit.done()
        gate.opened.set()


async def test_a_listing_can_speak_of_other_versions(
    organisations: Organisations, azurite: AzuriteForTests, proxy: FaultProxy
) -> None:
    await organisations.put("source", DATA)
    proxy.inject(faults.other_etag, "List Blobs")
    async with open_storage_session() as session:
        storage = ObjectStorage(
            endpoints=StorageEndpoints(proxy.endpoint_template),
            accesses=AccountAccesses(AccountKeys(InMemoryVault(dict(azurite.keys)), clock=SystemClock())),
            clock=SystemClock(),
            session=session,
        )
        etags = [
            [found.etag async for found in storage.list_objects(PROVIDER, organisations.source_container)]
            for _ in range(2)
        ]
    assert etags[0] == ['"0x8D0000000000000"']
    assert etags[1] != etags[0]
