"""CopyContext: what the copies of one flow's objects share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from data_plane.domain.errors import CopyUnavailableError
from data_plane.domain.object_copy import SourceObject
from data_plane.ports.data_sink import DataSink
from data_plane.ports.data_source import DataSource, ReadGrant
from data_plane.services.bandwidth import Bandwidth
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.journal_writer import JournalWriter
from data_plane.services.progress_meter import ProgressMeter
from data_plane.services.request_pace import RequestPace
from data_plane.services.retry import Retrier

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyContext:
    """Every part may be used by many objects at once."""

    flow_id: str
    source: DataSource
    sink: DataSink
    journal: JournalWriter
    meter: ProgressMeter
    budget: ByteBudget
    bandwidths: tuple[Bandwidth, ...]
    pace: RequestPace
    retried: Retrier
    max_blocks: int
    """Blocks of one object that are under way at once."""

    async def request(self, call: Callable[[], Awaitable[T]], *, on_error: Callable[[], None] = lambda: None) -> T:
        """The result of a call to source or sink: retried while that helps, and no faster than the services bear."""

        async def paced() -> T:
            async with self.pace.request():
                return await call()

        return await self.retried(paced, on_error=on_error)

    async def granted(self, source: SourceObject, call: Callable[[ReadGrant], Awaitable[T]]) -> T:
        """The result of a call that lets the destination's service read the object by itself.

        Signed anew for each call: a grant's life is short, and a retry may come late. Once more when it is refused,
        with our own credential as it is now.

        Raises:
            CopyUnavailableError: the source gives no such access, or the service cannot use it.
        """
        try:
            return await call(await self._grant(source, anew=False))
        except CopyUnavailableError:
            return await call(await self._grant(source, anew=True))

    async def _grant(self, source: SourceObject, *, anew: bool) -> ReadGrant:
        grant = await self.source.grant(source, anew=anew)
        if grant is None or grant.address_type not in self.sink.traits.copies_from:
            raise CopyUnavailableError("The destination's service cannot read from a source of this type.")
        return grant

    async def bandwidth(self, size: int) -> None:
        """Wait until so many bytes may be sent."""
        for limit in self.bandwidths:
            await limit.take(size, self.meter.waited)
