"""Messages about a transfer that both sides know: what each means to this side, and when it is taken.

Source: Dataspace Protocol 2025-1, the transfer process's state machine. What is not in its table is refused. Three
things are taken beside it: a message that says what is so already, one whose turn comes when the step under way is
done, and one that crosses a like wish of this side's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidInputError, InvalidTransitionError
from control_plane.domain.inbox import InboxMessage, heard
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.domain.transfer_state_machine import TransferEvent, state_to_come
from control_plane.services.transfer_inbox import accepting, events_of

_S = TransferProcessState
_E = TransferEvent
_CONSUMER, _PROVIDER = TransferProcessType.CONSUMER, TransferProcessType.PROVIDER

START: Final = "start"
COMPLETION: Final = "completion"
SUSPENSION: Final = "suspension"
TERMINATION: Final = "termination"

_EVENTS: Final = {
    (_CONSUMER, START): _E.START,
    (_PROVIDER, START): _E.RESUME_BY_COUNTERPARTY,
    **{(side, COMPLETION): _E.COMPLETE_BY_COUNTERPARTY for side in TransferProcessType},
    **{(side, SUSPENSION): _E.SUSPEND_BY_COUNTERPARTY for side in TransferProcessType},
    **{(side, TERMINATION): _E.TERMINATE_BY_COUNTERPARTY for side in TransferProcessType},
}
_PAUSED: Final = frozenset({_S.SUSPENDED, _S.SUSPENDING, _S.SUSPENDING_REQUESTED})
_DONE: Final = frozenset({_S.COMPLETED, _S.COMPLETING, _S.COMPLETING_REQUESTED})
_ALREADY_SO: Final = {
    (_CONSUMER, START): frozenset({_S.STARTUP_REQUESTED, _S.STARTED, _S.RESUMING_REQUESTED}),
    (_PROVIDER, START): frozenset({_S.STARTED, _S.RESUMING, _S.RESUMING_REQUESTED}),
    **{(side, COMPLETION): _DONE for side in TransferProcessType},
    **{(side, SUSPENSION): _PAUSED for side in TransferProcessType},
    **{(side, TERMINATION): frozenset({_S.TERMINATED, _S.TERMINATING_REQUESTED}) for side in TransferProcessType},
}
"""States in which a message tells nothing new, or the same wish was on its way: acknowledged, changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingTransferMessage:
    """A start, completion, suspension or termination message.

    `data_address`: where a pull's data is served, secrets included, until it is in the vault.
    """

    name: str
    message_id: str
    consumer_pid: str
    provider_pid: str
    code: str = ""
    reason: str = ""
    data_address: DataAddress | None = None


def event_of(side: TransferProcessType, name: str) -> TransferEvent:
    """What the message means to this side."""
    return _EVENTS[side, name]


class Acceptance:
    """Whether a message is put into the inbox: it is legal now or after what waits, and tells something new."""

    def __init__(self, side: TransferProcessType, name: str) -> None:
        self._side = side
        self._name = name
        self._event = event_of(side, name)
        self.nothing_new = False
        """Whether the last refusal was of a message that tells nothing new: it is acknowledged all the same."""

    def __call__(self, process: TransferProcess, pending: Sequence[InboxMessage]) -> None:
        """Raises InvalidTransitionError to refuse."""
        self.nothing_new = self._tells_nothing_new(process, pending)
        if self.nothing_new:
            raise InvalidTransitionError(entity_id=process.id, state=process.state.name, event=self._event.value)
        accepting(self._event)(process, heard(pending))

    def takes(self, process: TransferProcess, pending: Sequence[InboxMessage]) -> bool:
        """Whether the message would be put into the inbox now."""
        try:
            self(process, pending)
        except InvalidTransitionError:
            return False
        return True

    def _tells_nothing_new(self, process: TransferProcess, pending: Sequence[InboxMessage]) -> bool:
        waiting = events_of(heard(pending))
        to_come = state_to_come(process, waiting) if waiting else process.state
        if self._name == START and self._side is _CONSUMER and not process.is_pull and to_come in _DONE:
            # A push's data may have been found before the start was heard of.
            return True
        return to_come in _ALREADY_SO[self._side, self._name]


def check_pids(process: TransferProcess, message: IncomingTransferMessage) -> None:
    """Refuse a message whose ids are not those of the process.

    Raises:
        InvalidInputError: names the id.
    """
    consumer = process.type is _CONSUMER
    own, other = message.consumer_pid, message.provider_pid
    own_name, other_name = ("consumerPid", "providerPid") if consumer else ("providerPid", "consumerPid")
    if not consumer:
        own, other = other, own
    if own != process.id:
        raise InvalidInputError(field=own_name, value=own, problem="is not the process in the path")
    if process.correlation_id is not None and other != process.correlation_id:
        raise InvalidInputError(field=other_name, value=other, problem="is not the counterpart of this process")
