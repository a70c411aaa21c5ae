"""CompletionEvidence: what the consumer itself can see of a transfer's outcome."""

from dataclasses import dataclass
from typing import Protocol

from connector_spi.signaling import DataFlowProgress
from control_plane.domain.placement import CheckedReceipt
from control_plane.domain.transfer_process import TransferError, TransferProcess


@dataclass(frozen=True, slots=True)
class Pending:
    """No marker yet."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A valid `.complete` marker, and everything that it lists is there."""

    object_count: int
    bytes_total: int
    receipt: CheckedReceipt | None = None
    """What was checked, for placements."""

    @property
    def progress(self) -> DataFlowProgress:
        """The transfer's progress at its end, as the evidence shows it."""
        return DataFlowProgress(
            bytes_copied=self.bytes_total,
            bytes_total=self.bytes_total,
            objects_copied=self.object_count,
            objects_total=self.object_count,
            listing_complete=True,
            eta_seconds=0,
        )


@dataclass(frozen=True, slots=True)
class Failed:
    """A `.failed` marker: the provider gave up."""

    error: TransferError


@dataclass(frozen=True, slots=True)
class Refused:
    """A marker that is not to be believed: it is this side that gives up."""

    error: TransferError


Evidence = Pending | Arrived | Failed | Refused


class CompletionEvidence(Protocol):
    """Looks at the destination."""

    async def look(self, process: TransferProcess) -> Evidence:
        """What the destination tells. Markers are untrusted input: size-capped, checked against nonce and process id.

        Raises:
            TransientError: the storage or the vault did not answer.
            PermanentError: the destination cannot be read at all (missing secret, wrong key, container gone).
        """
        ...
