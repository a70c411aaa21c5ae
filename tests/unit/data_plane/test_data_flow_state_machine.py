"""Every pair of state and event is in the table or refused."""

import itertools
from datetime import timedelta

import pytest

from connector_spi.errors import InvalidTransitionError
from connector_spi.signaling import DataFlowState
from data_plane.domain.data_flow_state_machine import _MACHINE, DataFlowEvent, fire
from tests.unit.data_plane.fakes import NOON, a_data_flow

S, E = DataFlowState, DataFlowEvent

EXPECTED = {
    (S.INITIALIZED, E.PREPARE_LATER): S.PREPARING,
    (S.INITIALIZED, E.PREPARE): S.PREPARED,
    (S.INITIALIZED, E.START_LATER): S.STARTING,
    (S.INITIALIZED, E.START): S.STARTED,
    (S.INITIALIZED, E.TERMINATE): S.TERMINATED,
    (S.PREPARING, E.PREPARE): S.PREPARED,
    (S.PREPARING, E.FAIL): S.TERMINATED,
    (S.PREPARING, E.TERMINATE): S.TERMINATED,
    (S.PREPARED, E.NOTIFY_STARTED): S.STARTED,
    (S.PREPARED, E.TERMINATE): S.TERMINATED,
    (S.STARTING, E.START): S.STARTED,
    (S.STARTING, E.FAIL): S.TERMINATED,
    (S.STARTING, E.TERMINATE): S.TERMINATED,
    (S.STARTED, E.NOTIFY_STARTED): S.STARTED,
    (S.STARTED, E.SUSPEND): S.SUSPENDED,
    (S.STARTED, E.RESUME): S.STARTED,
    (S.STARTED, E.COMPLETE): S.COMPLETED,
    (S.STARTED, E.TERMINATE): S.TERMINATED,
    (S.STARTED, E.FAIL): S.TERMINATED,
    (S.SUSPENDED, E.SUSPEND): S.SUSPENDED,
    (S.SUSPENDED, E.RESUME): S.STARTED,
    (S.SUSPENDED, E.TERMINATE): S.TERMINATED,
    (S.COMPLETED, E.COMPLETE): S.COMPLETED,
    (S.TERMINATED, E.TERMINATE): S.TERMINATED,
}
"""Written out, so that a change of the machine's own table shows here."""
OTHERS = [pair for pair in itertools.product(S, E) if pair not in EXPECTED]


@pytest.mark.parametrize(("state", "event"), list(EXPECTED))
def test_a_move_of_the_table_leads_to_its_state(state: DataFlowState, event: DataFlowEvent) -> None:
    flow = a_data_flow(state=state)
    moved = fire(flow, event, at=NOON + timedelta(seconds=1))
    assert moved.state is EXPECTED[state, event]
    assert flow.state is state


@pytest.mark.parametrize(("state", "event"), OTHERS)
def test_every_other_move_is_refused(state: DataFlowState, event: DataFlowEvent) -> None:
    with pytest.raises(InvalidTransitionError, match=f"{event} is not possible in state {state}"):
        fire(a_data_flow(state=state), event, at=NOON)


def test_a_move_onto_the_same_state_changes_nothing() -> None:
    flow = a_data_flow(state=DataFlowState.SUSPENDED)
    assert fire(flow, DataFlowEvent.SUSPEND, at=NOON + timedelta(seconds=1)) is flow


def test_the_time_of_the_start_is_that_of_the_last_start_or_resume() -> None:
    later = NOON + timedelta(hours=1)
    resumed = fire(a_data_flow(state=DataFlowState.SUSPENDED), DataFlowEvent.RESUME, at=later)
    assert resumed.started_at == later
    assert fire(resumed, DataFlowEvent.SUSPEND, at=later + timedelta(hours=1)).started_at == later


def test_no_flow_is_kept_alive_by_the_machine() -> None:
    fire(a_data_flow(), DataFlowEvent.COMPLETE, at=NOON)
    with pytest.raises(InvalidTransitionError):
        fire(a_data_flow(state=DataFlowState.COMPLETED), DataFlowEvent.SUSPEND, at=NOON)
    assert _MACHINE.models == []
