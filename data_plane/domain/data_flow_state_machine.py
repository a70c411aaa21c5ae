"""The table of moves of a DataFlow, and `fire`, the only way to make one.

The one home of the `transitions` library in this plane. The machine runs on a throw-away cursor, because it writes
attributes that frozen entities refuse and keeps every model alive until it is removed.

Source of the moves: Data Plane Signaling 1.0-RC3. Messages that say what is so already (suspend when SUSPENDED,
terminate when TERMINATED, ...) are moves onto the same state, so that a repeated message does no harm.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from transitions import Machine, MachineError

from connector_spi.errors import InvalidTransitionError
from connector_spi.signaling import DataFlowState
from data_plane.domain.data_flow import DataFlow


class DataFlowEvent(StrEnum):
    """What can happen to a flow."""

    PREPARE_LATER = "PREPARE_LATER"
    """Consumer: making ready takes longer than the answer may wait."""
    PREPARE = "PREPARE"
    """Consumer: what is needed to receive is ready."""
    START_LATER = "START_LATER"
    """Provider: giving access takes longer than the answer may wait."""
    START = "START"
    """Provider: the copy begins, or the access is open."""
    NOTIFY_STARTED = "NOTIFY_STARTED"
    """Consumer: the provider says that it has started."""
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    COMPLETE = "COMPLETE"
    """Everything was published, or the control plane says so."""
    TERMINATE = "TERMINATE"
    """The control plane ends the flow."""
    FAIL = "FAIL"
    """A final error ended the copy, or what had to be ready before it. The spec leaves the state to the data plane; a
    failed flow does not go on.
    """


_S = DataFlowState
_LIVING: Final = tuple(s for s in _S if s not in {_S.COMPLETED, _S.TERMINATED})

MOVES: Final[dict[tuple[DataFlowState, DataFlowEvent], DataFlowState]] = {
    (_S.INITIALIZED, DataFlowEvent.PREPARE_LATER): _S.PREPARING,
    (_S.INITIALIZED, DataFlowEvent.PREPARE): _S.PREPARED,
    (_S.PREPARING, DataFlowEvent.PREPARE): _S.PREPARED,
    (_S.INITIALIZED, DataFlowEvent.START_LATER): _S.STARTING,
    (_S.INITIALIZED, DataFlowEvent.START): _S.STARTED,
    (_S.STARTING, DataFlowEvent.START): _S.STARTED,
    (_S.PREPARED, DataFlowEvent.NOTIFY_STARTED): _S.STARTED,
    (_S.STARTED, DataFlowEvent.NOTIFY_STARTED): _S.STARTED,
    (_S.STARTED, DataFlowEvent.SUSPEND): _S.SUSPENDED,
    (_S.SUSPENDED, DataFlowEvent.SUSPEND): _S.SUSPENDED,
    (_S.SUSPENDED, DataFlowEvent.RESUME): _S.STARTED,
    (_S.STARTED, DataFlowEvent.RESUME): _S.STARTED,
    (_S.STARTED, DataFlowEvent.COMPLETE): _S.COMPLETED,
    (_S.COMPLETED, DataFlowEvent.COMPLETE): _S.COMPLETED,
    **{(state, DataFlowEvent.TERMINATE): _S.TERMINATED for state in (*_LIVING, _S.TERMINATED)},
    **{(state, DataFlowEvent.FAIL): _S.TERMINATED for state in (_S.PREPARING, _S.STARTING, _S.STARTED)},
}
"""(state, event) -> next state. What is not here is refused."""

_MACHINE: Final = Machine(
    model=None,
    states=DataFlowState,
    initial=DataFlowState.INITIALIZED,
    transitions=[
        {"trigger": event.value, "source": source, "dest": target} for (source, event), target in MOVES.items()
    ],
    auto_transitions=False,
)


class _Cursor:
    """What `transitions` moves about, for the length of one call."""

    state: Any


def fire(flow: DataFlow, event: DataFlowEvent, *, at: datetime) -> DataFlow:
    """The flow after the event; the same object when the event changes nothing.

    Raises:
        InvalidTransitionError: the table has no such move.
    """
    cursor = _Cursor()
    _MACHINE.add_model(cursor, initial=flow.state)
    try:
        accepted = _MACHINE.events[event.value].trigger(cursor)
    except MachineError:
        accepted = False
    finally:
        _MACHINE.remove_model(cursor)
    if not accepted:
        raise InvalidTransitionError(entity_id=flow.id, state=flow.state.value, event=event.value)
    state = DataFlowState(cursor.state)
    if state is flow.state:
        return flow
    started_at = at if state is DataFlowState.STARTED else flow.started_at
    return replace(flow, state=state, started_at=started_at, updated_at=at)
