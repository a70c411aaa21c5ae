"""Applies the messages that wait for a transfer process. Pure: the lease holder calls it before its step."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from connector_spi.data_address import DataAddress
from connector_spi.errors import InvalidTransitionError
from control_plane.domain.inbox import WAKE, InboxMessage, counterparty_first, heard
from control_plane.domain.placement import CheckedReceipt
from control_plane.domain.transfer_process import (
    ResourcePhase,
    TransferError,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)
from control_plane.domain.transfer_state_machine import (
    ResourceEvent,
    TransferEvent,
    can_fire,
    fire,
    fire_resource,
    known_to_sender,
    will_accept,
)

_log = logging.getLogger(__name__)

PREPARED_DESTINATION: Final = "preparedDestination"
"""Member of a message's payload: what may be shown of the destination that a data plane prepared."""
RECEIPT: Final = "receipt"
"""Member of the payload of ARRIVE: what was checked."""
_PAUSES: Final = frozenset({TransferEvent.SUSPEND, TransferEvent.SUSPEND_BY_COUNTERPARTY})
_PAUSED: Final = frozenset(
    {TransferProcessState.SUSPENDING, TransferProcessState.SUSPENDING_REQUESTED, TransferProcessState.SUSPENDED}
)
_UNTIL_RESUMED: Final = _PAUSED | {
    TransferProcessState.RESUMING,
    TransferProcessState.RESUMING_REQUESTED,
    TransferProcessState.RESUMED,
}
_ENDINGS: Final = frozenset({TransferEvent.TERMINATE, TransferEvent.TERMINATE_BY_COUNTERPARTY})
_CODES: Final = {
    TransferEvent.TERMINATE: "Terminated",
    TransferEvent.TERMINATE_BY_COUNTERPARTY: "TerminatedByCounterparty",
    TransferEvent.SUSPEND: "Suspended",
    TransferEvent.SUSPEND_BY_COUNTERPARTY: "SuspendedByCounterparty",
}
_NO_REASON: Final = "No reason was given."


def accepting(event: TransferEvent) -> Callable[[TransferProcess, Sequence[InboxMessage]], None]:
    """The check under which a message is put into the inbox: legal now, or after what is under way and waiting.

    The check raises InvalidTransitionError to refuse.
    """

    def accept(process: TransferProcess, pending: Sequence[InboxMessage]) -> None:
        if not will_accept(process, events_of(counterparty_first(pending)), event):
            raise InvalidTransitionError(entity_id=process.id, state=process.shown_state, event=event.value)

    return accept


def events_of(pending: Sequence[InboxMessage]) -> list[TransferEvent]:
    """The events among the messages that wait."""
    return [TransferEvent(m.kind) for m in pending if m.kind in TransferEvent.__members__]


def apply_inbox(
    process: TransferProcess, inbox: Sequence[InboxMessage], now: datetime
) -> tuple[TransferProcess, list[InboxMessage]]:
    """The process after the messages that can be applied now, and those messages; the counterparty's come first.

    A message that will be legal after the step under way stays in the inbox; one that never will be is dropped, which
    is logged.
    """
    applied: list[InboxMessage] = []
    kept: list[InboxMessage] = []
    for message in counterparty_first(inbox):
        if message.kind in {WAKE, ResourceEvent.DEPROVISION.value}:
            process = _deprovision(process, now) if message.kind != WAKE else process
            applied.append(message)
            continue
        event = TransferEvent(message.kind)
        if kept and not message.is_from_counterparty and can_fire(process, event):
            # A move of this side's own leaves the step under way, and with it what waits for that.
            process, caught_up = _caught_up(process, kept, now)
            applied += caught_up
            kept = [waiting for waiting in kept if waiting not in caught_up]
        if can_fire(process, event):
            process = _fired(process, event, message.payload, now)
            applied.append(message)
        elif event is TransferEvent.COMPLETE and _is_starting(process):
            # What has finished has started; the message itself waits until the consumer knows of the start.
            process = fire(process, TransferEvent.CONFIRM_STARTUP, at=now)
        elif not _has_its_turn_later(process, events_of(kept), event):
            _log.info(
                "a message came too late and changes nothing",
                extra={"transfer_process_id": process.id, "state": process.state.name, "event": event.value},
            )
            applied.append(message)
        else:
            kept.append(message)
    return process, applied


def _caught_up(
    process: TransferProcess, kept: Sequence[InboxMessage], now: datetime
) -> tuple[TransferProcess, list[InboxMessage]]:
    """The process after what the counterparty said in answer to the step under way, which it has heard of."""
    applied = []
    for message in heard(kept):
        event = TransferEvent(message.kind)
        process = known_to_sender(process, event)
        if can_fire(process, event):
            process = _fired(process, event, message.payload, now)
            applied.append(message)
    return process, applied


def _has_its_turn_later(process: TransferProcess, kept: list[TransferEvent], event: TransferEvent) -> bool:
    if process.is_outcome:
        return False
    # A completion that was accepted and crossed a pause is told once the transfer goes on.
    crossed_a_pause = event is TransferEvent.COMPLETE and process.state in _UNTIL_RESUMED
    return crossed_a_pause or will_accept(process, kept, event)


def _is_starting(process: TransferProcess) -> bool:
    waits = process.state is TransferProcessState.STARTUP_REQUESTED
    return waits and process.type is TransferProcessType.PROVIDER


def _fired(
    process: TransferProcess, event: TransferEvent, payload: Mapping[str, Any], now: datetime
) -> TransferProcess:
    if process.state in _PAUSED and event not in _PAUSES:
        # Why it was paused is no longer so.
        process = replace(process, error=None)
    if event in _ENDINGS:
        process = process.failed_with(_reason(event, payload))
    if event in _PAUSES and (payload.get("code") or payload.get("message")):
        process = replace(process, error=_reason(event, payload))
    if payload.get("correlationId") and process.correlation_id is None:
        process = replace(process, correlation_id=str(payload["correlationId"]))
    if event is TransferEvent.ARRIVE:
        checked = payload.get(RECEIPT)
        process = process.with_arrival(CheckedReceipt.of_document(checked) if checked else None)
    if prepared := payload.get(PREPARED_DESTINATION):
        process = replace(process, data_destination=DataAddress(prepared["type"], prepared["properties"]))
    return fire(process, event, at=now)


def _reason(event: TransferEvent, payload: Mapping[str, Any]) -> TransferError:
    code, text = payload.get("code") or _CODES[event], payload.get("message") or _NO_REASON
    return TransferError(code=str(code), message=str(text), remedy=str(payload.get("remedy") or ""))


def _deprovision(process: TransferProcess, now: datetime) -> TransferProcess:
    if process.resources is ResourcePhase.DEPROVISIONING:
        # Asked again: the operator may have mended what was in the way.
        return replace(process, attempt=0, next_attempt_at=None)
    try:
        return fire_resource(process, ResourceEvent.DEPROVISION, at=now)
    except InvalidTransitionError:
        return process
