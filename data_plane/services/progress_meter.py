"""ProgressMeter: counts the bytes and objects of one running flow, and says how fast it is."""

from collections import deque
from collections.abc import Callable
from typing import Final

from connector_spi.signaling import DataFlowProgress
from data_plane.domain.data_flow import Counters
from data_plane.domain.object_copy import CopyMode
from data_plane.ports.object_journal import JournalTotals

_WINDOW_SECONDS: Final = 10.0
_SAMPLE_SECONDS: Final = 0.5


class ProgressMeter:
    """Counters of a running flow. `monotonic` tells seconds from any fixed moment; `on_activity` hears of each step.

    The rate is taken over the last ten seconds.
    """

    def __init__(self, counters: Counters, *, monotonic: Callable[[], float]) -> None:
        self._bytes_copied = counters.bytes_copied
        self._bytes_total = counters.bytes_total
        self._objects_copied = counters.objects_copied
        self._objects_total = counters.objects_total
        self._listing_complete = counters.listing_complete
        self._evidence_begun = counters.evidence_begun
        self._copy_mode = counters.copy_mode
        self._monotonic = monotonic
        self._samples: deque[tuple[float, int]] = deque([(monotonic(), self._bytes_copied)])
        self.on_activity: Callable[[], None] = lambda: None

    def restart_listing(self) -> None:
        """The plan is made anew."""
        self._bytes_total = self._objects_total = 0
        self._listing_complete = False

    def listed(self, objects: int, size: int) -> None:
        """So many more objects, of so many bytes, are to be copied."""
        self._objects_total += objects
        self._bytes_total += size
        self.on_activity()

    def planned(self, totals: JournalTotals) -> None:
        """The plan is complete; what the journal knows as published counts as copied."""
        self._listing_complete = True
        self._objects_total, self._bytes_total = totals.objects, totals.bytes
        self._objects_copied, self._bytes_copied = totals.published_objects, totals.published_bytes
        self._samples = deque([(self._monotonic(), self._bytes_copied)])
        self.on_activity()

    def received(self) -> None:
        """A block was read."""
        self.on_activity()

    def waited(self) -> None:
        """Time passes because a limit of bandwidth makes the flow slow; that is no standstill."""
        self.on_activity()

    def decided(self, mode: CopyMode) -> None:
        """How the bytes travel."""
        self._copy_mode = mode

    def resumed(self, size: int) -> None:
        """So many bytes are at the destination already; they say nothing of how fast the flow is."""
        self._bytes_copied += size
        self._samples = deque((at, copied + size) for at, copied in self._samples)

    def resized(self, before: int, after: int) -> None:
        """An object has another size in its new version."""
        self._bytes_total += after - before

    def staged(self, size: int) -> None:
        """A block arrived at the destination."""
        self._bytes_copied += size
        now = self._monotonic()
        if now - self._samples[-1][0] >= _SAMPLE_SECONDS:
            self._samples.append((now, self._bytes_copied))
        self.on_activity()

    def unstaged(self, size: int) -> None:
        """Blocks that had arrived were lost."""
        self._bytes_copied -= size

    def published(self) -> None:
        """An object is visible at the destination."""
        self._objects_copied += 1
        self.on_activity()

    def evidence_begun(self) -> None:
        """Everything is published; the evidence is about to be written."""
        self._evidence_begun = True
        self.on_activity()

    def counters(self) -> Counters:
        """How far the flow is."""
        return Counters(
            self._bytes_copied,
            self._bytes_total,
            self._objects_copied,
            self._objects_total,
            self._listing_complete,
            self._evidence_begun,
            self._copy_mode,
        )

    def progress(self) -> DataFlowProgress:
        """How far and how fast, for the wire."""
        rate = self._bytes_per_second()
        left = self._bytes_total - self._bytes_copied
        known = self._listing_complete and rate > 0
        return progress_of(self.counters(), rate=rate, eta_seconds=max(left, 0) / rate if known else None)

    def _bytes_per_second(self) -> float:
        now = self._monotonic()
        while len(self._samples) > 1 and now - self._samples[1][0] >= _WINDOW_SECONDS:
            self._samples.popleft()
        then, copied = self._samples[0]
        return max(0.0, (self._bytes_copied - copied) / (now - then)) if now > then else 0.0


def progress_of(counters: Counters, *, rate: float = 0.0, eta_seconds: float | None = None) -> DataFlowProgress:
    """The wire form of these counters."""
    return DataFlowProgress(
        bytes_copied=max(0, counters.bytes_copied),
        bytes_total=counters.bytes_total,
        objects_copied=counters.objects_copied,
        objects_total=counters.objects_total,
        listing_complete=counters.listing_complete,
        bytes_per_second=round(rate, 1),
        eta_seconds=None if eta_seconds is None else round(eta_seconds, 1),
        copy_mode=counters.copy_mode,
    )
