"""Every pair of state and event is in the table or refused."""

import itertools
from datetime import timedelta

import pytest

from connector_spi.errors import InvalidTransitionError
from connector_spi.signaling import DataFlowState
from data_plane.domain.data_flow_state_machine import _MACHINE, MOVES, DataFlowEvent, fire
from tests.unit.data_plane.fakes import NOON, a_data_flow

PAIRS = list(itertools.product(DataFlowState, DataFlowEvent))


@pytest.mark.parametrize(("state", "event"), [pair for pair in PAIRS if pair in MOVES])
def test_a_move_of_the_table_leads_to_its_state(state: DataFlowState, event: DataFlowEvent) -> None:
    flow = a_data_flow(state=state)
    moved = fire(flow, event, at=NOON + timedelta(seconds=1))
    assert moved.state is MOVES[state, event]
    assert flow.state is state


@pytest.mark.parametrize(("state", "event"), [pair for pair in PAIRS if pair not in MOVES])
def test_every_other_move_is_refused(state: DataFlowState, event: DataFlowEvent) -> None:
    with pytest.raises(InvalidTransitionError, match=f"{event} is not possible in state {state}"):
        fire(a_data_flow(state=state), event, at=NOON)


def test_an_outcome_never_changes() -> None:
    final = {DataFlowState.COMPLETED, DataFlowState.TERMINATED}
    assert all(target is state for (state, _), target in MOVES.items() if state in final)


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
