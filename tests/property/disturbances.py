"""Rules of every machine: steps in any order, a bad network, crashes, time."""

from collections.abc import Callable
from typing import Any

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector_spi.errors import ConflictError, NotFoundError
from tests.property.dataspace import Dataspace
from tests.property.network import Flight
from tests.property.participant import CALL_SECONDS, LEASE_SECONDS, ParticipantUnderTest

SIDES = st.integers(0, 1)
ONE_OF_TWO = st.integers(0, 1)
FLIGHTS = st.integers(0, 5)
_SOON, _LONG = (0.5, 1.5, CALL_SECONDS + 1, 21.0, LEASE_SECONDS + 1), (120.0, 301.0, 3601.0)


class Disturbances(RuleBasedStateMachine):
    """Owns the dataspace; subclasses add commands of clients, and what has to hold in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.dataspace = Dataspace()
        self.opened = 0
        """How many processes clients have begun."""
        self.may_end = True
        """Whether anybody ends a process in this run, or so much time passes that a state's limit is over."""

    def side(self, index: int) -> ParticipantUnderTest:
        """One of the two participants."""
        return self.dataspace.sides[index]

    def flight(self, index: int) -> Flight:
        """One of the messages under way."""
        flights = self.dataspace.network.flights
        return flights[index % len(flights)]

    def command(self, side: int, work: Callable[[], Any]) -> None:
        """What a client asks; a refusal is an answer too."""
        if not self.side(side).is_up:
            return
        try:
            self.dataspace.run(work())
        except (ConflictError, NotFoundError):
            return

    def is_under_way(self) -> bool:
        return bool(self.dataspace.network.flights)

    @precondition(lambda self: any(side.is_busy for side in self.dataspace.sides))
    @rule(side=SIDES)
    def step(self, side: int) -> None:
        self.dataspace.step(self.side(side))

    @rule(rounds=st.integers(1, 6))
    def proceed(self, rounds: int) -> None:
        """Go on without disturbance, up to a moment at which messages may be under way."""
        for _ in range(rounds):
            self.dataspace.proceed()
        for side in self.dataspace.sides:
            self.dataspace.step(side)

    @precondition(is_under_way)
    @rule(index=FLIGHTS)
    def deliver(self, index: int) -> None:
        self.dataspace.run(self.dataspace.network.deliver(self.flight(index)))

    @precondition(is_under_way)
    @rule(index=FLIGHTS)
    def lose_the_answer(self, index: int) -> None:
        self.dataspace.run(self.dataspace.network.deliver(self.flight(index), answer_arrives=False))

    @precondition(is_under_way)
    @rule(index=FLIGHTS)
    def lose(self, index: int) -> None:
        self.dataspace.network.lose(self.flight(index))
        self.dataspace.loop.settle()

    @precondition(is_under_way)
    @rule(index=FLIGHTS)
    def delay(self, index: int) -> None:
        self.dataspace.network.delay(self.flight(index))
        self.dataspace.loop.settle()

    @precondition(is_under_way)
    @rule(index=FLIGHTS)
    def repeat(self, index: int) -> None:
        self.dataspace.network.repeat(self.flight(index))

    @precondition(lambda self: self.dataspace.network.delivered)
    @rule(index=FLIGHTS)
    def repeat_an_old_one(self, index: int) -> None:
        delivered = self.dataspace.network.delivered
        self.dataspace.network.repeat(delivered[-1 - index % len(delivered)][0])

    @rule(seconds=st.sampled_from(_SOON))
    def wait(self, seconds: float) -> None:
        self.dataspace.advance(seconds)

    @precondition(lambda self: self.may_end)
    @rule(seconds=st.sampled_from(_LONG))
    def wait_long(self, seconds: float) -> None:
        self.dataspace.advance(seconds)

    @rule(side=SIDES)
    def expire_leases(self, side: int) -> None:
        self.dataspace.expire_leases(self.side(side))

    @rule(side=SIDES)
    def go_down_or_come_back(self, side: int) -> None:
        participant = self.side(side)
        if participant.is_up:
            participant.go_down()
        else:
            self.dataspace.start(participant)

    @precondition(lambda self: self.may_end)
    @rule(side=SIDES, seconds=st.sampled_from(_LONG))
    def be_away(self, side: int, seconds: float) -> None:
        """Go down with every message of one's own just heard, and come back too late to repeat it."""
        participant = self.side(side)
        for flight in [f for f in self.dataspace.network.flights if f.sender == participant.id]:
            self.dataspace.run(self.dataspace.network.deliver(flight, answer_arrives=False))
        if participant.is_up:
            participant.go_down()
        self.dataspace.advance(seconds)
        self.dataspace.start(participant)

    @rule(side=SIDES)
    def fail_the_next_save(self, side: int) -> None:
        if self.side(side).is_up:
            self.side(side).run.negotiations.failing_saves = 1
            self.side(side).run.transfers.failing_saves = 1

    @invariant()
    def nothing_illegal_was_visible(self) -> None:
        assert not self.dataspace.problems(), self.dataspace.told(self.dataspace.problems())

    def teardown(self) -> None:
        try:
            self.dataspace.heal()
            assert not self.dataspace.problems(), self.dataspace.told(self.dataspace.problems())
            self.check_the_end()
            for entity in self.dataspace.consumer_view.entities.values():
                event(f"a consumer's process ends as {entity.state.name}")
        finally:
            self.dataspace.close()

    def check_the_end(self) -> None:
        """What holds once everything has arrived."""
        raise NotImplementedError
