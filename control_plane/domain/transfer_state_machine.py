"""The tables of moves of a TransferProcess, and `fire`, the only way to make one.

Source of the moves: Dataspace Protocol 2025-1 (states REQUESTED, STARTED, SUSPENDED, COMPLETED, TERMINATED); EDC
v0.18.0 for the states in between. Each side has its own table: what one may do, the other often may not.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from connector_spi.errors import InvalidTransitionError
from control_plane.domain.state_machine import StateMachine
from control_plane.domain.transfer_process import (
    OUTCOMES,
    ResourcePhase,
    TransferProcess,
    TransferProcessState,
    TransferProcessType,
)


class TransferEvent(StrEnum):
    """What can happen to a transfer."""

    PROVISION = "PROVISION"
    """Consumer: begin to make the destination."""
    AWAIT_PREPARATION = "AWAIT_PREPARATION"
    """Consumer: the data plane accepted and will say when it has prepared."""
    FINISH_PROVISIONING = "FINISH_PROVISIONING"
    """Consumer: the destination is ready, or the data plane has prepared."""
    REQUEST = "REQUEST"
    """Consumer: begin to ask the provider."""
    FINISH_REQUEST = "FINISH_REQUEST"
    """Consumer: the provider acknowledged the request."""
    ALLOW_START = "ALLOW_START"
    """Provider: whoever decides lets a transfer start that was held back."""
    AWAIT_STARTUP = "AWAIT_STARTUP"
    """Provider: the data plane accepted the flow and will say when it has started."""
    CONFIRM_STARTUP = "CONFIRM_STARTUP"
    """Provider: the data plane has started. Consumer: its data plane, if it has one, was told."""
    START = "START"
    """Provider: the start was announced. Consumer: the announcement came, or is known to have been made."""
    SUSPEND = "SUSPEND"
    """This side wishes to pause."""
    SUSPEND_BY_COUNTERPARTY = "SUSPEND_BY_COUNTERPARTY"
    FINISH_SUSPENSION = "FINISH_SUSPENSION"
    RESUME = "RESUME"
    """This side wishes to go on."""
    RESUME_BY_COUNTERPARTY = "RESUME_BY_COUNTERPARTY"
    """Provider: the consumer wishes to go on."""
    FINISH_RESUME_REQUEST = "FINISH_RESUME_REQUEST"
    """Consumer: the provider acknowledged the wish; its start message follows."""
    COMPLETE = "COMPLETE"
    """Provider: the data plane has published everything. Consumer: its data plane has fetched everything."""
    COMPLETE_BY_COUNTERPARTY = "COMPLETE_BY_COUNTERPARTY"
    """The counterparty says that it is complete."""
    COMPLETE_BY_EVIDENCE = "COMPLETE_BY_EVIDENCE"
    """Consumer: a valid marker was found, and all that it lists; or its data plane says so."""
    ARRIVE = "ARRIVE"
    """Consumer: as before, but what arrived remains to be moved into the client's container; or a part of it was."""
    FINISH_COMPLETION = "FINISH_COMPLETION"
    TERMINATE = "TERMINATE"
    """This side ends the transfer: a client's wish, a permanent error, or a deadline."""
    TERMINATE_BY_COUNTERPARTY = "TERMINATE_BY_COUNTERPARTY"
    YIELD_TO_COMPLETION = "YIELD_TO_COMPLETION"
    """The counterparty had completed before it heard of the end, and refuses it."""
    FINISH_TERMINATION = "FINISH_TERMINATION"


class ResourceEvent(StrEnum):
    """What can happen to what a transfer holds."""

    HOLD = "HOLD"
    FINISH_REVOKING = "FINISH_REVOKING"
    DEPROVISION = "DEPROVISION"
    FINISH_DEPROVISIONING = "FINISH_DEPROVISIONING"


_S = TransferProcessState
_E = TransferEvent
_PAUSING: Final = (
    _S.SUSPENDING,
    _S.SUSPENDING_REQUESTED,
    _S.SUSPENDED,
    _S.RESUMING,
    _S.RESUMING_REQUESTED,
    _S.RESUMED,
)
_MAY_ARRIVE: Final = (_S.STARTUP_REQUESTED, _S.STARTED, _S.COMPLETING_REQUESTED, *_PAUSING)
"""States in which all of the data may be found at the consumer."""
_PAUSING_PROVIDER: Final = (
    _S.SUSPENDING,
    _S.SUSPENDING_REQUESTED,
    _S.SUSPENDED,
    _S.RESUMING,
    _S.RESUMING_REQUESTED,
)
_ENDING: Final = frozenset({_S.TERMINATING, _S.TERMINATING_REQUESTED})
_CONSUMER_STATES: Final = tuple(s for s in _S if s is not _S.STARTING)
_PROVIDER_STATES: Final = tuple(
    s
    for s in _S
    if s
    not in {
        _S.PROVISIONING,
        _S.PREPARATION_REQUESTED,
        _S.REQUESTING,
        _S.REQUESTED,
        _S.RESUMED,
    }
)


def _both(states: tuple[TransferProcessState, ...]) -> dict[TransferEvent, list[tuple[_S, _S]]]:
    """Pausing and ending, which either side may do in the same way."""
    open_states = [s for s in states if s not in OUTCOMES]
    return {
        _E.SUSPEND: [(_S.STARTED, _S.SUSPENDING)],
        _E.SUSPEND_BY_COUNTERPARTY: [(_S.STARTED, _S.SUSPENDING_REQUESTED)],
        _E.FINISH_SUSPENSION: [(_S.SUSPENDING, _S.SUSPENDED), (_S.SUSPENDING_REQUESTED, _S.SUSPENDED)],
        _E.RESUME: [(_S.SUSPENDED, _S.RESUMING)],
        _E.TERMINATE: [(s, _S.TERMINATING) for s in open_states if s not in _ENDING],
        # The counterparty's word also ends what this side was about to end: nothing is left to be told to it.
        _E.TERMINATE_BY_COUNTERPARTY: [
            (s, _S.TERMINATING_REQUESTED) for s in open_states if s is not _S.TERMINATING_REQUESTED
        ],
        _E.YIELD_TO_COMPLETION: [(_S.TERMINATING, _S.COMPLETED)],
        _E.FINISH_TERMINATION: [(_S.TERMINATING, _S.TERMINATED), (_S.TERMINATING_REQUESTED, _S.TERMINATED)],
    }


_CONSUMER: Final = StateMachine(
    TransferProcessState,
    _S.INITIAL,
    {
        **_both(_CONSUMER_STATES),
        _E.PROVISION: [(_S.INITIAL, _S.PROVISIONING)],
        _E.AWAIT_PREPARATION: [(_S.PROVISIONING, _S.PREPARATION_REQUESTED)],
        _E.FINISH_PROVISIONING: [(s, _S.PROVISIONED) for s in (_S.PROVISIONING, _S.PREPARATION_REQUESTED)],
        _E.REQUEST: [(_S.PROVISIONED, _S.REQUESTING)],
        _E.FINISH_REQUEST: [(_S.REQUESTING, _S.REQUESTED)],
        _E.START: [
            (_S.REQUESTED, _S.STARTUP_REQUESTED),
            *((s, _S.RESUMING_REQUESTED) for s in (_S.SUSPENDED, _S.RESUMING, _S.RESUMED)),
        ],
        _E.CONFIRM_STARTUP: [(s, _S.STARTED) for s in (_S.STARTUP_REQUESTED, _S.RESUMING_REQUESTED)],
        _E.FINISH_RESUME_REQUEST: [(_S.RESUMING, _S.RESUMED)],
        # Not in SUSPENDING: the provider may have heard of the pause, and takes no completion in it.
        _E.COMPLETE: [(_S.STARTED, _S.COMPLETING)],
        # In SUSPENDED the protocol forbids the message; what this side sees for itself counts in any case.
        _E.COMPLETE_BY_COUNTERPARTY: [(s, _S.COMPLETING_REQUESTED) for s in (_S.STARTED, _S.SUSPENDING)],
        _E.COMPLETE_BY_EVIDENCE: [(s, _S.COMPLETED) for s in _MAY_ARRIVE],
        _E.ARRIVE: [(s, _S.COMPLETING_REQUESTED) for s in _MAY_ARRIVE],
        _E.FINISH_COMPLETION: [(s, _S.COMPLETED) for s in (_S.COMPLETING, _S.COMPLETING_REQUESTED)],
    },
)

_PROVIDER: Final = StateMachine(
    TransferProcessState,
    _S.INITIAL,
    {
        **_both(_PROVIDER_STATES),
        _E.ALLOW_START: [(_S.INITIAL, _S.PROVISIONED)],
        _E.AWAIT_STARTUP: [(s, _S.STARTUP_REQUESTED) for s in (_S.INITIAL, _S.PROVISIONED)],
        _E.CONFIRM_STARTUP: [(s, _S.STARTING) for s in (_S.INITIAL, _S.PROVISIONED, _S.STARTUP_REQUESTED)],
        _E.START: [(s, _S.STARTED) for s in (_S.STARTING, _S.RESUMING, _S.RESUMING_REQUESTED)],
        _E.RESUME_BY_COUNTERPARTY: [(_S.SUSPENDED, _S.RESUMING_REQUESTED)],
        # A pause may come too late for a data plane that has just finished.
        _E.COMPLETE: [(s, _S.COMPLETING) for s in (_S.STARTED, *_PAUSING_PROVIDER)],
        _E.COMPLETE_BY_COUNTERPARTY: [(s, _S.COMPLETING_REQUESTED) for s in (_S.STARTED, _S.SUSPENDING)],
        _E.FINISH_COMPLETION: [(s, _S.COMPLETED) for s in (_S.COMPLETING, _S.COMPLETING_REQUESTED)],
    },
)

MACHINES: Final = {TransferProcessType.CONSUMER: _CONSUMER, TransferProcessType.PROVIDER: _PROVIDER}

_P = ResourcePhase
RESOURCES: Final = StateMachine(
    ResourcePhase,
    _P.NONE,
    {
        ResourceEvent.HOLD: [(_P.NONE, _P.HELD), (_P.HELD, _P.HELD)],
        ResourceEvent.FINISH_REVOKING: [(_P.REVOKING, _P.REVOKED)],
        ResourceEvent.DEPROVISION: [(p, _P.DEPROVISIONING) for p in (_P.NONE, _P.REVOKING, _P.REVOKED)],
        ResourceEvent.FINISH_DEPROVISIONING: [(_P.DEPROVISIONING, _P.DEPROVISIONED)],
    },
)

WAITING: Final = {
    TransferProcessType.CONSUMER: frozenset({_S.PREPARATION_REQUESTED, _S.REQUESTED, _S.STARTED, _S.SUSPENDED}),
    TransferProcessType.PROVIDER: frozenset({_S.STARTUP_REQUESTED, _S.STARTED, _S.SUSPENDED}),
}
"""States in which this side waits for somebody else; every other open state is one that the loop works on."""

_LEADS_TO: Final = {
    TransferProcessType.CONSUMER: {
        _S.REQUESTING: _S.REQUESTED,
        _S.STARTUP_REQUESTED: _S.STARTED,
        _S.SUSPENDING: _S.SUSPENDED,
        _S.SUSPENDING_REQUESTED: _S.SUSPENDED,
        _S.RESUMING: _S.RESUMED,
        _S.RESUMING_REQUESTED: _S.STARTED,
        _S.COMPLETING: _S.COMPLETED,
        _S.COMPLETING_REQUESTED: _S.COMPLETED,
        _S.TERMINATING: _S.TERMINATED,
        _S.TERMINATING_REQUESTED: _S.TERMINATED,
    },
    TransferProcessType.PROVIDER: {
        _S.STARTING: _S.STARTED,
        _S.SUSPENDING: _S.SUSPENDED,
        _S.SUSPENDING_REQUESTED: _S.SUSPENDED,
        _S.RESUMING: _S.STARTED,
        _S.RESUMING_REQUESTED: _S.STARTED,
        _S.COMPLETING: _S.COMPLETED,
        _S.COMPLETING_REQUESTED: _S.COMPLETED,
        _S.TERMINATING: _S.TERMINATED,
        _S.TERMINATING_REQUESTED: _S.TERMINATED,
    },
}
"""Where the step under way leads when it works; the counterparty may know before this side has noted it."""

_BEFORE_ANNOUNCEMENT: Final = frozenset({_S.INITIAL, _S.PROVISIONED, _S.STARTUP_REQUESTED})


def can_fire(process: TransferProcess, event: TransferEvent) -> bool:
    """Whether the table has this move."""
    return MACHINES[process.type].next_state(process.state, event) is not None


def fire(process: TransferProcess, event: TransferEvent, *, at: datetime) -> TransferProcess:
    """The process after the event.

    Raises:
        InvalidTransitionError: the table has no such move.
    """
    target = MACHINES[process.type].next_state(process.state, event)
    if target is None:
        raise InvalidTransitionError(entity_id=process.id, state=process.state.name, event=event.value)
    return process.entered(target, at)


def fire_resource(process: TransferProcess, event: ResourceEvent, *, at: datetime) -> TransferProcess:
    """The process after something happened to what it holds.

    Raises:
        InvalidTransitionError: the table has no such move, or the transfer has not ended yet.
    """
    target = RESOURCES.next_state(process.resources, event)
    if target is None or (event is ResourceEvent.DEPROVISION and not process.is_outcome):
        raise InvalidTransitionError(
            entity_id=process.id, state=process.shown_state, event=f"{event.value} of resources"
        )
    return replace(process, resources=target, updated_at=at, attempt=0, next_attempt_at=None)


def state_to_come(process: TransferProcess, pending: list[TransferEvent]) -> TransferProcessState:
    """The state after the step under way and after the events that wait in the inbox."""
    machine, leads_to = MACHINES[process.type], _LEADS_TO[process.type]
    state = process.state
    for event in pending:
        after = machine.next_state(state, event)
        if after is None:
            after = machine.next_state(leads_to.get(state, state), event)
        if after is None and event is _E.COMPLETE and state in _BEFORE_ANNOUNCEMENT:
            after = _S.COMPLETING
        state = after or state
    return leads_to.get(state, state)


def after_waiting(process: TransferProcess, pending: Sequence[TransferEvent]) -> TransferProcess:
    """The process as its counterparty knows it: with the messages that this side has acknowledged and not applied.

    A counterparty that answers a message knows of it before this side has noted the acknowledgement.
    """
    for event in pending:
        process = known_to_sender(process, event)
        process = fire(process, event, at=process.state_timestamp) if can_fire(process, event) else process
    return process


def known_to_sender(process: TransferProcess, event: TransferEvent) -> TransferProcess:
    """The process as the counterparty knew it when it said this: with the step under way heard, where it must be."""
    heard_of = _LEADS_TO[process.type].get(process.state)
    if can_fire(process, event) or heard_of is None:
        return process
    after = process.entered(heard_of, process.state_timestamp)
    return after if can_fire(after, event) else process


def will_accept(process: TransferProcess, pending: list[TransferEvent], event: TransferEvent) -> bool:
    """Whether the event is legal now, or will be after the step under way and the events that wait.

    A fast data plane may have finished before its start was announced, so its COMPLETE is kept that long.
    """
    if not pending and can_fire(process, event):
        return True
    machine = MACHINES[process.type]
    if event is _E.COMPLETE and process.type is TransferProcessType.PROVIDER and process.state in _BEFORE_ANNOUNCEMENT:
        return True
    to_come = state_to_come(process, pending)
    return machine.next_state(to_come, event) is not None
