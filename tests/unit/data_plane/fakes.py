"""Complete stand-ins for what a data plane meets outside: a clock, a source, a sink, a control plane."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from awscrt import checksums

from connector_spi.data_address import DataAddress
from connector_spi.errors import ConflictError, ConnectorError, NotFoundError, TransientError
from connector_spi.signaling import DataFlowState, DataFlowStatusMessage
from data_plane.domain.data_flow import DataFlow, DataFlowFailure, DataFlowRole
from data_plane.domain.errors import SourceObjectChangedError, StagedBlocksLostError
from data_plane.domain.object_copy import Block, ObjectCopy, SourceObject
from data_plane.ports.data_sink import SinkTraits, Staging
from data_plane.ports.data_source import ReadGrant, SourcePage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class OutageError(TransientError):
    """What a scripted source or sink raises when it is down."""

    code = "OutageInTests"


def source_object(name: str, data: bytes) -> SourceObject:
    return SourceObject(name, len(data), f'"{hashlib.sha256(data).hexdigest()[:8]}"', "text/plain")


@dataclass
class MemorySource:
    """Objects by name. `before_read` may raise, wait or change something."""

    contents: dict[str, bytes] = field(default_factory=dict)
    before_read: Callable[[str, int], None] = lambda _name, _offset: None
    reads: list[tuple[str, int]] = field(default_factory=list)
    is_single: bool = False
    page_size: int = 2
    grants: bool = False
    """Whether a storage service may read these objects by itself."""
    md5: bytes | None = None
    """What the source says of every object."""
    granted_anew: bool = False
    listings: list[str | None] = field(default_factory=list)
    """From where each listing began."""
    before_page: Callable[[str], None] = lambda _first: None

    async def objects(self, after: str | None = None) -> AsyncIterator[SourcePage]:
        self.listings.append(after)
        found = [source_object(name, data) for name, data in sorted(self.contents.items()) if name > (after or "")]
        for at in range(0, len(found), self.page_size):
            page = [replace(listed, content_md5=self.md5) for listed in found[at : at + self.page_size]]
            self.before_page(page[0].name)
            yield SourcePage(page, page[-1].name if at + self.page_size < len(found) else None)

    async def current(self, source: SourceObject) -> SourceObject:
        return source_object(source.name, self.contents[source.name])

    async def grant(self, source: SourceObject, *, anew: bool = False) -> ReadGrant | None:
        self.granted_anew |= anew
        return ReadGrant("Memory", f"memory:{source.name}") if self.grants else None

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        self.reads.append((source.name, offset))
        self.before_read(source.name, offset)
        await asyncio.sleep(0)
        if source.name not in self.contents:
            raise NotFoundError(kind="object", object_id=source.name)
        data = self.contents[source.name]
        if source_object(source.name, data).etag != source.etag:
            raise SourceObjectChangedError(f"{source.name} has changed.")
        return data[offset : offset + length]

    def accepted(self, address: DataAddress) -> DataAddress:
        """Every address is good, and understood."""
        return address

    @asynccontextmanager
    async def open(self, _address: DataAddress) -> AsyncIterator["MemorySource"]:
        yield self


@dataclass
class MemorySink:
    """Blocks and objects in memory, with the rules of a block blob store: uncommitted blocks go with any commit."""

    objects: dict[str, bytes] = field(default_factory=dict)
    committed: dict[str, list[str]] = field(default_factory=dict)
    blocks: dict[str, dict[str, bytes]] = field(default_factory=dict)
    complete: list[ObjectCopy] | None = None
    marked_again: bool | None = None
    shut_out: bool = False
    """Whether the reader has ended this writer's access."""
    failed: DataFlowFailure | None = None
    before_stage: Callable[[str, int], None] = lambda _name, _index: None
    after_commit: Callable[[str], None] = lambda _name: None
    staging: Staging = Staging.KEPT
    fetches: MemorySource | None = None
    """The source that this sink's service can read by itself."""
    before_fetch: Callable[[str, int], None] = lambda _name, _offset: None
    sent: list[tuple[str, int]] = field(default_factory=list)
    """Object and size of each block or whole object that was sent."""

    @property
    def traits(self) -> SinkTraits:
        return SinkTraits(self.staging, frozenset({"Memory"} if self.fetches else ()))

    async def put_whole(self, copy: ObjectCopy, data: Block, *, again: bool) -> None:
        name = copy.destination_name
        self.before_stage(name, 0)
        await asyncio.sleep(0)
        if name in self.objects:
            if not again:
                raise ConflictError(f"{name} is there already.")
            return
        self.sent.append((name, len(data)))
        self.objects[name] = bytes(data)
        self.committed[name] = []
        self.after_commit(name)

    async def copy_whole(self, copy: ObjectCopy, grant: ReadGrant, *, again: bool) -> int | None:
        data = await self._fetched(copy, grant, 0, copy.source.size)
        await self.put_whole(copy, data, again=again)
        return int(checksums.crc64nvme(data))

    async def copy_block(self, copy: ObjectCopy, index: int, grant: ReadGrant, offset: int, length: int) -> int | None:
        data = await self._fetched(copy, grant, offset, length)
        await self.stage_block(copy, index, data)
        return int(checksums.crc64nvme(data))

    async def _fetched(self, copy: ObjectCopy, grant: ReadGrant, offset: int, length: int) -> bytes:
        assert self.fetches is not None
        assert grant.url == f"memory:{copy.source.name}"
        self.before_fetch(copy.source.name, offset)
        return self.fetches.contents[copy.source.name][offset : offset + length]

    async def check_free(self, copy: ObjectCopy) -> None:
        if copy.destination_name in self.objects:
            raise ConflictError(f"{copy.destination_name} is there already.")

    async def stage_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        self.before_stage(copy.destination_name, index)
        await asyncio.sleep(0)
        self.sent.append((copy.destination_name, len(data)))
        self.blocks.setdefault(copy.destination_name, {})[f"{copy.block_nonce}{index}"] = bytes(data)

    async def commit(self, copy: ObjectCopy, *, again: bool) -> None:
        name, ids = copy.destination_name, [f"{copy.block_nonce}{index}" for index in range(copy.block_count)]
        if name in self.objects:
            if again and self.committed.get(name, []) == ids:
                return
            raise ConflictError(f"{name} is there already.")
        staged = self.blocks.get(name, {})
        if not set(ids) <= set(staged):
            raise StagedBlocksLostError(f"{name}: blocks are missing.")
        self.objects[name] = b"".join(staged[block_id] for block_id in ids)
        self.committed[name] = ids
        self.blocks.pop(name, None)
        self.after_commit(name)

    async def mark_complete(self, published: AsyncIterator[ObjectCopy], *, again: bool) -> None:
        self.marked_again = again
        if self.shut_out:
            if again:
                return
            raise ConflictError("The access was ended.")
        self.complete = [copy async for copy in published]

    async def mark_failed(self, failure: DataFlowFailure) -> None:
        self.failed = failure

    def accepted(self, address: DataAddress) -> DataAddress:
        """Every address is good, and understood."""
        return address

    def destination_name(self, _flow: DataFlow, source: SourceObject, *, single: bool) -> str:
        return "single" if single else source.name

    @asynccontextmanager
    async def open(self, _flow: DataFlow) -> AsyncIterator["MemorySink"]:
        yield self


@dataclass
class MemoryControlPlane:
    """Remembers what it was told, unless `error` is what it answers."""

    told: list[tuple[str, str, DataFlowStatusMessage]] = field(default_factory=list)
    error: ConnectorError | None = None
    fresh: DataAddress = field(default_factory=lambda: DataAddress("Memory"))
    """What it answers when a credential is asked for."""

    async def prepared(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        self._tell("prepared", flow.id, message)

    async def started(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        self._tell("started", flow.id, message)

    async def completed(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        self._tell("completed", flow.id, message)

    async def errored(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        self._tell("errored", flow.id, message)

    async def progress(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        self._tell("progress", flow.id, message)

    async def suspended(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        self._tell("suspended", flow.id, message)

    async def credential(self, flow: DataFlow, message: DataFlowStatusMessage) -> DataAddress:
        self._tell("credential", flow.id, message)
        return self.fresh

    def _tell(self, kind: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        if self.error is not None:
            raise self.error
        self.told.append((kind, flow_id, message))


def a_data_flow(flow_id: str = "flow-1", **changes: object) -> DataFlow:
    """A sender that has started; override what matters."""
    facts: dict[str, object] = {
        "id": flow_id,
        "participant_id": "provider",
        "counter_party_id": "consumer",
        "agreement_id": "agreement-1",
        "dataset_id": "asset-1",
        "profile": "Memory-PUSH",
        "role": DataFlowRole.SENDER,
        "state": DataFlowState.STARTED,
        "source": DataAddress("Memory", {"place": "here"}),
        "destination": DataAddress("Memory", {"place": "there", "keyName": "alias"}),
        "marker_process_id": "consumer-process",
        "nonce": "nonce-1",
        "created_at": NOON,
        "updated_at": NOON,
        "started_at": NOON,
        **changes,
    }
    return DataFlow(**facts)  # type: ignore[arg-type]
