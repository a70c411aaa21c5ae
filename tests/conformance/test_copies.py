"""Every source to every sink through the real copy engine: whole and right, or with a reason and nothing shown."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector_spi.data_address import DataAddress
from connector_spi.errors import PermanentError
from data_plane.adapters.memory_data_flow_store import MemoryDataFlowStore, MemoryObjectJournal
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import FlowFailedError
from data_plane.domain.object_copy import BLOCK_SIZES, Block, CopyMode, ObjectCopy, SourceObject
from data_plane.ports.data_sink import DataSink, DataSinkFactory
from data_plane.ports.data_source import DataSource
from data_plane.services.bandwidth import Bandwidth
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.copy_engine import CopyEngine, CopyRules
from data_plane.services.progress_meter import ProgressMeter
from data_plane.services.registry import FactoryRegistry
from data_plane.services.retry import Backoff, Retrier
from tests.conformance.azure_places import AzureAccounts, azure_sink, azure_source
from tests.conformance.data_places import (
    Contents,
    SinkPlace,
    SourcePlace,
    http_sink,
    http_source,
    local_source,
    memory_sink,
    memory_source,
)
from tests.conformance.data_places import local_sink as local_sink_of
from tests.conftest import AzuriteForTests
from tests.http_objects import HttpObjects
from tests.unit.data_plane.fakes import ManualClock, OutageError

STEP = BLOCK_SIZES[CopyMode.STREAMED]
SIZE = 3 * STEP + 5
BUDGET = 2 * STEP
"""Bytes in memory at once: less than the object."""
SOON_SECONDS = 2.0

Hook = Callable[[int], Awaitable[None]]


@dataclass
class WatchedSource:
    """Stands before a source and its factory; may fail or wait at any block."""

    source: DataSource
    before_read: Hook | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        if self.before_read:
            await self.before_read(offset)
        return await self.source.read(source, offset, length)

    @asynccontextmanager
    async def open(self, _address: DataAddress) -> AsyncIterator[Any]:
        yield self


@dataclass
class WatchedSink:
    """Stands before a sink and its factory; may fail or wait at any block."""

    sink: DataSink
    factory: DataSinkFactory
    before_stage: Hook | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.factory if name == "destination_name" else self.sink, name)

    async def stage_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        if self.before_stage:
            await self.before_stage(index)
        await self.sink.stage_block(copy, index, data)

    @asynccontextmanager
    async def open(self, _flow: DataFlow) -> AsyncIterator[Any]:
        yield self


class RefusedAtLastError(PermanentError):
    """A sink that takes no more."""

    code = "RefusedAtLastInTests"


@dataclass
class Pair:
    """A source and an empty destination, with the engine between them."""

    from_place: SourcePlace
    to_place: SinkPlace

    def __post_init__(self) -> None:
        self.source: Any = WatchedSource(self.from_place.source)
        self.sink: Any = WatchedSink(self.to_place.sink, self.to_place.factory)
        self.clock = ManualClock()
        self.store = MemoryDataFlowStore(self.clock)

    async def copied(self) -> ProgressMeter:
        flow: DataFlow = self.to_place.flow
        await self.store.add(flow)
        [leased] = await self.store.lease_due("worker", limit=1, seconds=10)
        engine = CopyEngine(
            sources=FactoryRegistry("source", {flow.source.type if flow.source else "": self.source}),
            sinks=FactoryRegistry("sink", {flow.destination.type: self.sink}),
            store=self.store,
            journal=MemoryObjectJournal(self.store),
            budget=ByteBudget(BUDGET),
            bandwidth=Bandwidth(0),
            rules=CopyRules(max_objects=4, max_blocks=4, mode=CopyMode.STREAMED),
            lease_seconds=10,
        )
        meter = ProgressMeter(flow.counters, monotonic=time.monotonic)
        await engine.run(leased, meter, Retrier(Backoff(first_seconds=0.001, cap_seconds=0.01)))
        return meter

    async def shown(self) -> dict[str, bytes]:
        """What a reader sees, without the evidence."""
        found = await self.to_place.delivered()
        return {name: data for name, data in found.items() if name == "large.bin"}

    async def evidence(self) -> set[str]:
        return set(await self.to_place.delivered()) & {".complete", ".failed"}


AZURE = pytest.param("azure", marks=pytest.mark.azurite)
SOURCES = ["memory", AZURE, "http", "http in one pass", "local"]
SINKS = ["memory", AZURE, "http", "local"]
OpenPair = Callable[[Contents], Awaitable[Pair]]


@pytest.fixture(params=SOURCES)
def source_kind(request: pytest.FixtureRequest) -> str | AzuriteForTests:
    return request.getfixturevalue("azurite") if request.param == "azure" else str(request.param)


@pytest.fixture(params=SINKS)
def sink_kind(request: pytest.FixtureRequest) -> str | AzuriteForTests:
    return request.getfixturevalue("azurite") if request.param == "azure" else str(request.param)


@pytest.fixture
async def open_pair(
    source_kind: str | AzuriteForTests,
    sink_kind: str | AzuriteForTests,
    container_name: str,
    tmp_path: Path,
) -> AsyncIterator[OpenPair]:
    async with AsyncExitStack() as stack:

        async def source_of(contents: Contents) -> SourcePlace:
            if isinstance(source_kind, AzuriteForTests):
                accounts = await AzureAccounts.opened(source_kind, container_name, stack)
                return await azure_source(accounts, contents, stack)
            if source_kind == "memory":
                return await memory_source(contents)
            if source_kind == "local":
                return await local_source(contents, stack, tmp_path / "from")
            return await http_source(contents, stack, HttpObjects(ranges=source_kind == "http"))

        async def sink() -> SinkPlace:
            if isinstance(sink_kind, AzuriteForTests):
                accounts = await AzureAccounts.opened(sink_kind, f"{container_name[:50]}-to", stack)
                return await azure_sink(accounts, stack)
            if sink_kind == "memory":
                return await memory_sink()
            if sink_kind == "local":
                (tmp_path / "to").mkdir()
                return await local_sink_of(stack, tmp_path / "to", block=STEP)
            return await http_sink(stack)

        async def opened(contents: Contents) -> Pair:
            return Pair(await source_of(contents), await sink())

        yield opened


@pytest.fixture(scope="module")
def large() -> bytes:
    return random.Random(7).randbytes(SIZE)  # noqa: S311 - content, not a secret


async def test_an_object_larger_than_the_memory_arrives_whole(open_pair: OpenPair, large: bytes) -> None:
    pair = await open_pair({"large.bin": large})
    meter = await pair.copied()
    found = await pair.to_place.delivered()
    [arrived] = [data for name, data in found.items() if not name.startswith(".")]
    assert arrived == large
    assert meter.counters().bytes_copied == len(large)
    assert await pair.evidence() == ({".complete"} if pair.to_place.leaves_evidence else set())


EDGES = ["http in one pass", "local"]
"""Sources whose reading differs most from that of blocks by range."""


@pytest.mark.parametrize("source_kind", EDGES, indirect=True)
@pytest.mark.parametrize("block", range(4))
async def test_a_read_error_at_any_block_is_survived(open_pair: OpenPair, large: bytes, block: int) -> None:
    pair, failures = await open_pair({"large.bin": large}), [OutageError("gone for a moment")]

    async def fail_once(offset: int) -> None:
        if offset == block * STEP and failures:
            raise failures.pop()

    pair.source.before_read = fail_once
    await pair.copied()
    found = await pair.to_place.delivered()
    assert large in found.values()
    assert not failures


@pytest.mark.parametrize("source_kind", EDGES, indirect=True)
@pytest.mark.parametrize("block", [0, 1, 3])
async def test_a_source_that_changes_at_any_block_ends_the_flow_and_shows_nothing(
    open_pair: OpenPair, large: bytes, block: int
) -> None:
    pair = await open_pair({"large.bin": large})

    async def change(offset: int) -> None:
        if offset == block * STEP:
            await pair.from_place.change("large.bin", large[::-1])
            # What is open still gives the old bytes, which is right; asked anew, the source has to notice.
            await getattr(pair.from_place.source, "aclose", _nothing)()

    pair.source.before_read = change
    with pytest.raises(FlowFailedError) as failed:
        await pair.copied()
    assert failed.value.failure.code == "SourceObjectChanged"
    assert not await pair.shown()


async def _nothing() -> None:
    return None


@pytest.mark.parametrize("source_kind", ["memory"], indirect=True)
async def test_a_sink_that_refuses_the_last_block_shows_nothing(open_pair: OpenPair, large: bytes) -> None:
    pair = await open_pair({"large.bin": large})

    async def refuse(index: int) -> None:
        if index == 3:
            raise RefusedAtLastError("refused")

    pair.sink.before_stage = refuse
    with pytest.raises(FlowFailedError) as failed:
        await pair.copied()
    assert failed.value.failure.code == RefusedAtLastError.code
    assert await pair.to_place.delivered() == {}


@pytest.mark.parametrize("source_kind", ["memory", *EDGES], indirect=True)
async def test_a_copy_that_is_cancelled_beside_a_peer_that_is_slow_without_end_stops_soon(
    open_pair: OpenPair, large: bytes
) -> None:
    pair, reached = await open_pair({"large.bin": large}), asyncio.Event()

    async def hang(index: int) -> None:
        if index == 2:
            reached.set()
            await asyncio.Event().wait()

    pair.sink.before_stage = hang
    copying = asyncio.create_task(pair.copied())
    async with asyncio.timeout(30):
        await reached.wait()
    copying.cancel()
    await asyncio.wait({copying}, timeout=SOON_SECONDS)
    assert copying.cancelled()
    assert await pair.to_place.delivered() == {}
