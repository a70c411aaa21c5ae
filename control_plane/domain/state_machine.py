"""The one home of the `transitions` library in this plane: a table of moves, unbound from the entities.

The machine runs on a throw-away cursor, because `transitions` writes attributes that frozen entities refuse and keeps
every model it is given alive. No call-backs, no guards: a move is in the table or it is refused.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

from transitions import Machine, MachineError

State = TypeVar("State", bound=Enum)
Event = TypeVar("Event", bound=Enum)


class _Cursor:
    """What `transitions` moves about, for the length of one call."""

    state: Any


class StateMachine(Generic[State, Event]):
    """A table of moves: event -> {states it may be fired in: the state it leads to}."""

    def __init__(
        self, states: type[State], initial: State, moves: Mapping[Event, Iterable[tuple[State, State]]]
    ) -> None:
        self.states = states
        self.moves: dict[tuple[State, Event], State] = {
            (source, event): target for event, pairs in moves.items() for source, target in pairs
        }
        self._machine = Machine(
            model=None,
            states=states,
            initial=initial,
            transitions=[
                {"trigger": event.value, "source": source, "dest": target}
                for (source, event), target in self.moves.items()
            ],
            auto_transitions=False,
        )

    def next_state(self, state: State, event: Event) -> State | None:
        """Where the event leads from this state, or None when the table has no such move."""
        trigger = self._machine.events.get(event.value)
        if trigger is None:
            return None
        cursor = _Cursor()
        self._machine.add_model(cursor, initial=state)
        try:
            moved = trigger.trigger(cursor)
        except MachineError:
            return None
        finally:
            self._machine.remove_model(cursor)
        return self.states(cursor.state) if moved else None
