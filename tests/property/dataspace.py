"""Two participants, the network between them and one clock: the world that the state machines play in."""

from typing import Any, Final

from tests.control_plane_entities import asset, contract_definition, policy_definition
from tests.fakes import ManualClock
from tests.property.defect_log import DefectLog
from tests.property.network import Network
from tests.property.participant import LEASE_SECONDS, LONGEST_LIMIT_SECONDS, ParticipantUnderTest
from tests.property.public_view import PublicView
from tests.property.stepped_loop import SteppedLoop
from tests.unit.control_plane.keys import identity

CONSUMER: Final = "did:web:consumer"
PROVIDER: Final = "did:web:provider"
_ROUNDS_MAX: Final = 400
_HEALING_SECONDS: Final = 45.0
"""More than a lease, a call and the longest back-off."""
_TICK_SECONDS: Final = 0.001
"""Nothing happens at the same moment as something else, or its order would hang on random ids."""


class Dataspace:
    """One consumer and one provider. Nothing happens in it unless a method is called."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.defects = DefectLog()
        self.loop = SteppedLoop(self.clock)
        self.network = Network()
        self.consumer = self._participant(CONSUMER, knows=(PROVIDER,))
        self.provider = self._participant(PROVIDER, knows=(CONSUMER,))
        self.sides = (self.consumer, self.provider)
        self.consumer_view = PublicView(self.consumer, identity(PROVIDER, clock=self.clock))
        self.provider_view = PublicView(self.provider, identity(CONSUMER, clock=self.clock))
        self.views = (self.consumer_view, self.provider_view)
        self.start(self.consumer)
        self.start(self.provider)
        self.run(self._offered())

    def close(self) -> None:
        """End everything."""
        for side in self.sides:
            if side.is_up:
                side.go_down()
        self.loop.shut()
        self.defects.close()

    def run(self, work: Any) -> Any:
        """The result of a client's call, and of whatever it set in motion that needs nobody's decision."""
        self.clock.advance(_TICK_SECONDS)
        result = self.loop.result_of(work)
        self.loop.settle()
        return result

    def start(self, side: ParticipantUnderTest) -> None:
        """Bring a participant up."""
        side.start(self.consumer_view if side is self.consumer else self.provider_view)

    def advance(self, seconds: float) -> None:
        """Let time pass; what timed out meanwhile notices."""
        self.clock.advance(seconds)
        self.loop.settle()

    def expire_leases(self, side: ParticipantUnderTest) -> None:
        """The database says that every lease is over; workers that hold one do not know it yet."""
        side.lease_clock_ahead += LEASE_SECONDS
        self.loop.settle()

    def step(self, side: ParticipantUnderTest) -> bool:
        """One step of each loop of a participant that has something to do; whether one has."""
        self.clock.advance(_TICK_SECONDS)
        return side.step()

    def proceed(self) -> bool:
        """One step of everybody, and every message under way arrives; whether anything happened."""
        busy = [self.step(side) for side in self.sides]
        flights = list(self.network.flights)
        for flight in flights:
            self.run(self.network.deliver(flight))
        return any(busy) or bool(flights)

    def come_to_rest(self) -> None:
        """Proceed until nothing happens any more at this time."""
        for _ in range(_ROUNDS_MAX):
            if not self.proceed():
                return
        raise AssertionError(self.told(["The participants never come to rest."]))

    def heal(self) -> None:
        """Everybody is up, every message arrives, and enough time passes for every repetition."""
        for side in self.sides:
            side.flows.fates.clear()
            if not side.is_up:
                self.start(side)
            side.run.transfers.failing_saves = side.run.negotiations.failing_saves = 0
        self.come_to_rest()
        for _ in range(4):
            self.advance(_HEALING_SECONDS)
            self.sweep()
            self.come_to_rest()

    def wait_for_every_limit(self) -> None:
        """So much time passes that no state outlasts it."""
        for seconds in (LONGEST_LIMIT_SECONDS, LONGEST_LIMIT_SECONDS, _HEALING_SECONDS):
            self.advance(seconds)
            self.come_to_rest()

    def sweep(self) -> None:
        """The consumer looks for markers, the provider asks its data plane."""
        for side in self.sides:
            if side.is_up:
                side.sweep()

    def problems(self) -> list[str]:
        """What was seen and must never be."""
        return [*self.defects.defects, *(problem for view in self.views for problem in view.problems)]

    def open_processes(self) -> list[str]:
        """Processes that have not ended."""
        return [
            f"{view.participant.id} {entity_id} is open after every limit"
            for view in self.views
            for entity_id in view.entities
            if not view.has_ended(entity_id)
        ]

    def told(self, broken: list[str]) -> str:
        """What is broken, and how everything came about."""
        story = [line for view in self.views for line in view.story]
        return "\n".join(["", *broken, *story])

    def _participant(self, participant_id: str, *, knows: tuple[str, ...]) -> ParticipantUnderTest:
        return ParticipantUnderTest(participant_id, knows=knows, loop=self.loop, network=self.network, clock=self.clock)

    async def _offered(self) -> None:
        definitions = self.provider.run.plane.definitions
        await definitions.create_asset(asset(participant_id=PROVIDER))
        for name in ("access", "contract"):
            await definitions.create_policy(policy_definition(name, participant_id=PROVIDER))
        await definitions.create_contract_definition(contract_definition(participant_id=PROVIDER))
