"""Sources and sinks of every technology, as the conformance suites ask for them."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from connector_spi.data_address import DataAddress
from connector_spi.outbound_addresses import OutboundAddressPolicy
from data_plane.adapters.http_sink import HttpDataSinkFactory
from data_plane.adapters.http_source import HttpDataSourceFactory
from data_plane.adapters.local_file_root import FileRoot, FileThreads
from data_plane.adapters.local_file_sink import LocalFileDataSinkFactory
from data_plane.adapters.local_file_source import LocalFileDataSourceFactory
from data_plane.domain.data_flow import DataFlow
from data_plane.ports.data_sink import DataSink, DataSinkFactory, Staging
from data_plane.ports.data_source import DataSource, DataSourceFactory
from outbound_http.guarded_session import open_guarded_session
from tests.http_objects import HttpObjects, serving_objects
from tests.unit.data_plane.fakes import MemorySink, MemorySource, a_data_flow
from vault_adapters.memory import InMemoryVault

BLOCK = 16 * 1024
"""Bytes of a block in the suites; the ports leave it to their caller."""

LOOPBACK = OutboundAddressPolicy(allowed_networks=("127.0.0.0/8",), allow_http=True)

Contents = Mapping[str, bytes]


@dataclass(kw_only=True)
class SourcePlace:
    """A source that holds something; `change` and `remove` are done by its owner."""

    factory: DataSourceFactory
    address: DataAddress
    source: DataSource
    change: Callable[[str, bytes], Awaitable[None]]
    remove: Callable[[str], Awaitable[None]]


@dataclass(kw_only=True)
class SinkPlace:
    """An empty destination. `delivered`: what a reader sees there, by name."""

    factory: DataSinkFactory
    flow: DataFlow
    sink: DataSink
    delivered: Callable[[], Awaitable[dict[str, bytes]]]
    put_foreign: Callable[[str, bytes], Awaitable[None]]
    leaves_evidence: bool = True

    @property
    def keeps_blocks(self) -> bool:
        return self.sink.traits.staging is Staging.KEPT


async def memory_source(contents: Contents) -> SourcePlace:
    source = MemorySource(dict(contents), is_single=len(contents) == 1)

    async def change(name: str, data: bytes) -> None:
        source.contents[name] = data

    async def remove(name: str) -> None:
        del source.contents[name]

    address = DataAddress("Memory")
    return SourcePlace(factory=source, address=address, source=source, change=change, remove=remove)


async def http_source(contents: Contents, stack: AsyncExitStack, server: HttpObjects) -> SourcePlace:
    """Of the first object; an HTTP address names just one."""
    [name] = contents
    server.objects.update(contents)
    await stack.enter_async_context(serving_objects(server))
    session = await stack.enter_async_context(open_guarded_session(LOOPBACK))
    factory = HttpDataSourceFactory(
        vault=InMemoryVault({}), session=session, policy=LOOPBACK, digest_max_bytes=2 * BLOCK
    )

    async def change(name: str, data: bytes) -> None:
        server.objects[name] = data
        server.changed[name] = "Sat, 02 May 2026 10:00:00 GMT"

    async def remove(name: str) -> None:
        del server.objects[name]

    address = factory.accepted(DataAddress("HttpData", {"baseUrl": server.base, "path": quote(name), "name": name}))
    source = await stack.enter_async_context(factory.open(address))
    return SourcePlace(factory=factory, address=address, source=source, change=change, remove=remove)


async def local_source(contents: Contents, stack: AsyncExitStack, root: Path) -> SourcePlace:
    threads = FileThreads()
    stack.callback(threads.close)
    place = root / "in"
    place.mkdir(parents=True)

    async def change(name: str, data: bytes) -> None:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)

    async def remove(name: str) -> None:
        (place / name).unlink()

    for name, data in contents.items():
        await change(name, data)
    factory = LocalFileDataSourceFactory(FileRoot(root), threads)
    path = f"in/{next(iter(contents))}" if len(contents) == 1 else "in"
    address = factory.accepted(DataAddress("LocalFile", {"path": path}))
    source = await stack.enter_async_context(factory.open(address))
    return SourcePlace(factory=factory, address=address, source=source, change=change, remove=remove)


async def memory_sink() -> SinkPlace:
    sink = MemorySink()

    async def delivered() -> dict[str, bytes]:
        return dict(sink.objects)

    async def put_foreign(name: str, data: bytes) -> None:
        sink.objects[name] = data

    return SinkPlace(
        factory=sink,
        flow=a_data_flow(),
        sink=sink,
        delivered=delivered,
        put_foreign=put_foreign,
        leaves_evidence=False,
    )


async def http_sink(stack: AsyncExitStack) -> SinkPlace:
    """A folder in which nothing is overwritten."""
    server = await stack.enter_async_context(serving_objects(HttpObjects()))
    session = await stack.enter_async_context(open_guarded_session(LOOPBACK))
    factory = HttpDataSinkFactory(vault=InMemoryVault({}), session=session, policy=LOOPBACK)

    async def delivered() -> dict[str, bytes]:
        return dict(server.objects)

    async def put_foreign(name: str, data: bytes) -> None:
        server.objects[name] = data

    sent = DataAddress("HttpData", {"baseUrl": server.base, "overwrite": "false"})
    flow = a_data_flow(destination=factory.accepted(sent))
    sink = await stack.enter_async_context(factory.open(flow))
    return SinkPlace(
        factory=factory, flow=flow, sink=sink, delivered=delivered, put_foreign=put_foreign, leaves_evidence=False
    )


async def local_sink(stack: AsyncExitStack, root: Path, *, block: int = BLOCK) -> SinkPlace:
    threads = FileThreads()
    stack.callback(threads.close)
    factory = LocalFileDataSinkFactory(FileRoot(root), threads, block_size=lambda _: block)
    place = root / "out"

    async def delivered() -> dict[str, bytes]:
        files = (file for file in place.rglob("*") if file.is_file())
        found = {file.relative_to(place).as_posix(): file.read_bytes() for file in files}
        return {name: data for name, data in found.items() if not name.startswith(".staging-")}

    async def put_foreign(name: str, data: bytes) -> None:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)

    flow = a_data_flow(destination=factory.accepted(DataAddress("LocalFile", {"path": "out"})))
    sink = await stack.enter_async_context(factory.open(flow))
    return SinkPlace(factory=factory, flow=flow, sink=sink, delivered=delivered, put_foreign=put_foreign)
