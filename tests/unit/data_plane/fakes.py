"""Complete stand-ins for what a data plane meets outside: a clock, a source, a sink, a control plane."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connector_spi.data_address import DataAddress
from connector_spi.errors import ConflictError, ConnectorError, NotFoundError, TransientError
from connector_spi.signaling import DataFlowState, DataFlowStatusMessage
from data_plane.domain.data_flow import DataFlow, DataFlowFailure, DataFlowRole
from data_plane.domain.errors import StagedBlocksLostError
from data_plane.domain.object_copy import Block, ObjectCopy, SourceObject

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

    async def objects(self) -> AsyncIterator[Sequence[SourceObject]]:
        found = [source_object(name, data) for name, data in sorted(self.contents.items())]
        for at in range(0, len(found), self.page_size):
            yield found[at : at + self.page_size]

    async def read(self, source: SourceObject, offset: int, length: int) -> Block:
        self.reads.append((source.name, offset))
        self.before_read(source.name, offset)
        await asyncio.sleep(0)
        if source.name not in self.contents:
            raise NotFoundError(kind="object", object_id=source.name)
        data = self.contents[source.name]
        if source_object(source.name, data).etag != source.etag:
            raise ConflictError(f"{source.name} has changed.")
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

    async def check_free(self, copy: ObjectCopy) -> None:
        if copy.destination_name in self.objects:
            raise ConflictError(f"{copy.destination_name} is there already.")

    async def stage_block(self, copy: ObjectCopy, index: int, data: Block) -> None:
        self.before_stage(copy.destination_name, index)
        await asyncio.sleep(0)
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

    async def completed(self, _base: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        self._tell("completed", flow_id, message)

    async def errored(self, _base: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        self._tell("errored", flow_id, message)

    async def progress(self, _base: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        self._tell("progress", flow_id, message)

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
