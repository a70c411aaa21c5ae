"""StagedArrivals: what has arrived beside the client's container comes into it, or leaves no trace in it."""

import logging
from typing import Final

from connector_spi.clock import Clock
from control_plane.domain.placement import PlacementStage
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState
from control_plane.domain.transfer_state_machine import TransferEvent, fire
from control_plane.ports.placement import DestinationPlacement

_log = logging.getLogger(__name__)

SLICE_SECONDS: Final = 5.0


class StagedArrivals:
    """Places in slices, each shorter than a step may last, so that messages and other replicas have their turn."""

    def __init__(self, placement: DestinationPlacement, clock: Clock, *, slice_seconds: float = SLICE_SECONDS) -> None:
        self._placement = placement
        self._clock = clock
        self._slice_seconds = slice_seconds

    async def place(self, process: TransferProcess) -> TransferProcess:
        """One slice more; the process is complete after the last.

        Each slice that comes further begins the state anew, and with it its deadline: a placement may take as long as
        it gets on.

        Raises:
            TransientError, PermanentError: as for DestinationPlacement.
        """
        position = await self._placement.place(process, seconds=self._slice_seconds)
        if process.placement is None or process.placement.position == position:
            return process
        process, now = process.placed_up_to(position), self._clock.now()
        if position.stage is not PlacementStage.END:
            return fire(process, TransferEvent.ARRIVE, at=now)
        _log.info(
            "everything is placed",
            extra={"placed": position.placed, "renamed": position.renamed, "skipped": position.skipped},
        )
        return fire(process, TransferEvent.FINISH_COMPLETION, at=now)

    async def settle(self, process: TransferProcess) -> TransferProcess | None:
        """After the outcome: take back what a transfer that did not complete has placed.

        Returns:
            The process, when there is more of that; else None.

        Raises:
            TransientError, PermanentError: as for DestinationPlacement.
        """
        if process.state is TransferProcessState.COMPLETED:
            return None
        taken = await self._placement.take_back(process, seconds=self._slice_seconds)
        return None if taken.is_done else process.taken_back_to(taken.continuation)
