"""The public inbox, wired."""

from data_plane.bootstrap.parts import Parts
from data_plane.services.byte_budget import ByteBudget
from data_plane.services.inbox_records import InboxRecords
from data_plane.services.inbox_writes import InboxLimits, InboxWrites
from data_plane.services.retry import Backoff
from data_plane.settings import DataPlaneSettings


def inbox_writes(settings: DataPlaneSettings, parts: Parts, budget: ByteBudget) -> InboxWrites:
    """What the senders of HTTP pushes may do; `budget`: the process's."""
    return InboxWrites(
        store=parts.store,
        sinks=parts.technologies.sinks,
        records=InboxRecords(parts.journal),
        budget=budget,
        clock=parts.clock,
        limits=InboxLimits(
            uploads=settings.max_public_writes,
            object_bytes=settings.max_inbox_object_bytes,
            block_seconds=settings.inbox_block_seconds,
        ),
        backoff=Backoff(first_seconds=settings.retry_first_seconds, cap_seconds=settings.retry_cap_seconds),
    )
