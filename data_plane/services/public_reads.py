"""PublicReads: what the readers of HTTP pulls get: the objects of a flow's source, read as they are sent on."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from connector_spi.clock import Clock
from connector_spi.data_address import DataAddress
from connector_spi.errors import NotFoundError, UnauthenticatedError
from connector_spi.signaling import DataFlowState
from data_plane.domain.data_flow import DataFlow
from data_plane.domain.errors import TooManyReadsError
from data_plane.domain.object_copy import SourceObject
from data_plane.ports.data_flow_store import DataFlowStore
from data_plane.ports.data_source import DataSourceFactory, SourcePage
from data_plane.services.public_grants import flow_id_of
from data_plane.services.registry import FactoryRegistry

CHUNK_BYTES: Final = 2 * 1024 * 1024
"""Read from the source at once; the next is read when the reader has taken this one."""
LISTING_TYPE: Final = "application/vnd.dataspace-connector.objects+json"
"""Media type of a list of objects, so that no reader takes it for one of them."""
_CHECKED_EVERY_SECONDS: Final = 1.0
"""How often a long read looks whether it may still go on."""

Narrowed = Callable[[DataAddress, str], DataAddress | None]
"""An address whose listing begins with the object of this name, or None when the source does not cover that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicReads:
    """One for the process."""

    store: DataFlowStore
    sources: FactoryRegistry[DataSourceFactory]
    clock: Clock
    max_reads: int
    max_reads_each: int
    """Of them, for the flows of one consumer: nobody may take all the places."""
    narrowing: Mapping[str, Narrowed] = field(default_factory=dict)
    """By address type; objects of other types are looked for in the listing."""
    _room: asyncio.Semaphore = field(init=False)
    _shares: WeakValueDictionary[str, asyncio.Semaphore] = field(init=False, default_factory=WeakValueDictionary)
    """By consumer, as long as it reads."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_room", asyncio.Semaphore(self.max_reads))

    async def admitted(self, key: str, token: str) -> tuple[DataFlow, DataAddress]:
        """The flow that the token opens, and its source.

        Raises:
            UnauthenticatedError: it opens none: a wrong or expired token, or a flow that is not running.
        """
        try:
            flow = await self.store.find(flow_id_of(key))
        except NotFoundError:
            flow = None
        running = flow is not None and flow.state is DataFlowState.STARTED
        if flow is None or flow.access is None or flow.source is None or not running:
            raise UnauthenticatedError("The token opens nothing.")
        if not flow.access.admits(token, at=self.clock.now()):
            raise UnauthenticatedError("The token opens nothing.")
        return flow, flow.source

    async def page(self, source: DataAddress, after: str | None) -> SourcePage | SourceObject:
        """Some of the source's objects; the object itself when the address names just one.

        Raises:
            NotFoundError, PermanentError, TransientError: as for `DataSource.objects`.
        """
        async with self.sources.of(source.type).open(source) as opened:
            async for page in opened.objects(after):
                return page.objects[0] if opened.is_single else page
            if opened.is_single:
                raise NotFoundError(kind="Object", object_id="")
        return SourcePage(())

    async def find(self, source: DataAddress, name: str) -> SourceObject:
        """One object by its name.

        Raises:
            NotFoundError: the source does not hold it.
            PermanentError, TransientError: as for `DataSource.objects`.
        """
        narrowed = self.narrowing.get(source.type)
        place: DataAddress | None = narrowed(source, name) if narrowed else source
        if place is None:
            raise NotFoundError(kind="Object", object_id=name)
        async with self.sources.of(place.type).open(place) as opened:
            async for page in opened.objects():
                for found in page.objects:
                    if found.name == name:
                        return found
                if narrowed:
                    break
        raise NotFoundError(kind="Object", object_id=name)

    def check_room(self, flow: DataFlow) -> None:
        """Refuse one read more than there may be.

        Raises:
            TooManyReadsError: there are as many already, of all consumers or of this one.
        """
        if self._room.locked() or self._share(flow).locked():
            raise TooManyReadsError("Too many objects are being read. Try again.", retry_after_seconds=5)

    async def content(
        self, flow: DataFlow, found: SourceObject, start: int, length: int
    ) -> AsyncGenerator[bytes, None]:
        """`length` bytes from `start`, piece by piece; breaks off when the flow does not run any more.

        Raises:
            UnauthenticatedError: the flow was suspended or has ended.
            PermanentError, TransientError: as for `DataSource.read`.
        """
        if flow.source is None:
            return
        loop = asyncio.get_running_loop()
        async with self._share(flow), self._room, self.sources.of(flow.source.type).open(flow.source) as opened:
            checked, at, end = loop.time(), start, start + length
            while at < end:
                if loop.time() - checked > _CHECKED_EVERY_SECONDS:
                    await self._check_running(flow.id)
                    checked = loop.time()
                block = await opened.read(found, at, min(CHUNK_BYTES, end - at))
                yield bytes(block)
                at += len(block)

    def _share(self, flow: DataFlow) -> asyncio.Semaphore:
        return self._shares.setdefault(flow.counter_party_id, asyncio.Semaphore(self.max_reads_each))

    async def _check_running(self, flow_id: str) -> None:
        flow = await self.store.find(flow_id)
        if flow is None or flow.state is not DataFlowState.STARTED:
            raise UnauthenticatedError("The flow does not run any more.")
