"""The time of an emulator: the machine's, and as far off as a test wants."""

from datetime import UTC, datetime, timedelta


class OffsetClock:
    """Tells the time, `offset_seconds` ahead of the machine's (or behind it, when negative)."""

    def __init__(self) -> None:
        self.offset_seconds = 0.0

    def now(self) -> datetime:
        """The present moment, UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.offset_seconds)

    def seconds(self) -> float:
        """The present moment as seconds since 1970."""
        return self.now().timestamp()
