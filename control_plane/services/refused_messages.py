"""When the counterparty refuses a message about a transfer.

Most often its own message crosses ours: both sides wished something, and its wish was first. So a refusal is repeated
once, for its message to arrive; then it is asked what it shows, and followed where that is an end or what was wished.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import PeerRefusedError, PeerUnavailableError, TransientError
from control_plane.domain.policy_denial import PolicyDeniedError
from control_plane.domain.transfer_process import TransferError, TransferProcess, TransferProcessType
from control_plane.domain.transfer_state_machine import TransferEvent, can_fire, fire
from control_plane.ports.dataspace_client import DataspaceClient

STARTED: Final = "STARTED"
SUSPENDED: Final = "SUSPENDED"
COMPLETED: Final = "COMPLETED"
TERMINATED: Final = "TERMINATED"
UNKNOWN: Final = ""
"""What a counterparty shows that does not answer the question: the protocol obliges no consumer to."""

_ENDS: Final = {
    COMPLETED: TransferEvent.COMPLETE_BY_COUNTERPARTY,
    TERMINATED: TransferEvent.TERMINATE_BY_COUNTERPARTY,
}
NO_REASON: Final = TransferError(
    code="TerminatedByCounterparty",
    message="The counterparty has ended the transfer, and its reason did not arrive.",
)


class CrossingMessageError(TransientError):
    """The counterparty refused a message, perhaps because one of its own is on its way."""

    code = "CrossingMessage"
    cause = "the counterparty refused a message, perhaps because one of its own is on its way"
    remedy = "It is tried again and settles itself. When it lasts, compare the process's state on both sides."


class RefusedMessages:
    """Finds out what a refusal means."""

    def __init__(self, client: DataspaceClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def resolved(
        self, process: TransferProcess, error: PeerRefusedError, agreeing: Mapping[str, TransferEvent]
    ) -> TransferProcess:
        """The process after what the counterparty shows.

        `agreeing`: what it may show for the refusal to be harmless, and what then happens to the process.

        Raises:
            CrossingMessageError: this was the first refusal.
            PeerRefusedError: what the counterparty shows explains nothing.
        """
        if process.attempt == 0:
            raise CrossingMessageError(error.message) from error
        shown = await self._shown(process)
        event = {**_ENDS, **agreeing}.get(shown)
        if event is None or not can_fire(process, event):
            raise error
        if event is TransferEvent.TERMINATE_BY_COUNTERPARTY:
            process = process.failed_with(NO_REASON)
        return fire(process, event, at=self._clock.now())

    async def end(self, process: TransferProcess) -> TransferProcess:
        """The process whose end the counterparty refused to hear of.

        Most often it does not know the transfer, or has ended it. Where it has completed, that counts, unless this
        side is the one that received the data, and can see for itself that it is not there; or the one whose policy
        ended the transfer, which is no wish that came too late.
        """
        if not _received(process) and not _was_denied(process) and await self._shown(process) == COMPLETED:
            return fire(replace(process, error=None), TransferEvent.YIELD_TO_COMPLETION, at=self._clock.now())
        return fire(process, TransferEvent.FINISH_TERMINATION, at=self._clock.now())

    async def _shown(self, process: TransferProcess) -> str:
        try:
            return await self._client.fetch_state(process)
        except (PeerRefusedError, PeerUnavailableError):
            return UNKNOWN


def _received(process: TransferProcess) -> bool:
    """Whether the data came to this side, and not to a client that fetches it by itself."""
    is_consumer = process.type is TransferProcessType.CONSUMER
    return is_consumer and (not process.is_pull or process.data_plane_id is not None)


def _was_denied(process: TransferProcess) -> bool:
    return process.error is not None and process.error.code == PolicyDeniedError.code
