"""The stores of data flows on each technology, and what the suites over them share."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from connector_spi.clock import SystemClock
from data_plane.adapters.memory_data_flow_store import MemoryDataFlowStore, MemoryObjectJournal
from data_plane.adapters.sql_data_flow_store import SqlDataFlowStore
from data_plane.adapters.sql_object_journal import SqlObjectJournal
from data_plane.bootstrap import MIGRATIONS, VERSION_TABLE
from data_plane.domain.object_copy import ObjectCopy, SourceObject
from data_plane.ports.data_flow_store import DataFlowStore, LeasedFlow
from data_plane.ports.object_journal import ObjectJournal
from sql_storage.database import Database
from sql_storage.migrations import migrate


@dataclass(frozen=True)
class FlowStores:
    flows: DataFlowStore
    journal: ObjectJournal


OpenFlowStores = Callable[[], Awaitable[FlowStores]]


async def opened_flow_stores(url: str, stack: AsyncExitStack) -> FlowStores:
    """The stores in this database, which `stack` closes."""
    database = Database.open(url)
    stack.push_async_callback(database.aclose)
    await migrate(database, MIGRATIONS, version_table=VERSION_TABLE)
    return FlowStores(SqlDataFlowStore(database), SqlObjectJournal(database))


def flow_stores_in_memory() -> FlowStores:
    """The stores that are gone with the process."""
    flows = MemoryDataFlowStore(SystemClock())
    return FlowStores(flows, MemoryObjectJournal(flows))


async def leased(stores: FlowStores, *, seconds: float = 60) -> LeasedFlow:
    [found] = await stores.flows.lease_due("worker", limit=5, seconds=seconds)
    return found


def a_copy(sequence: int, **changes: object) -> ObjectCopy:
    source = SourceObject(
        name=f"name-{sequence}",
        size=10 * sequence,
        etag='"e"',
        content_type="text/plain",
        content_encoding="gzip",
        metadata={"k": "v"},
        tags={"tag": "value"},
        content_md5=b"0123456789abcdef",
    )
    return replace(ObjectCopy("flow-1", sequence, source, f"to-{sequence}"), **changes)  # type: ignore[arg-type]
