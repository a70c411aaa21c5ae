"""Interleavings that the state machines found, each by hand: what must never come back."""

from collections.abc import Iterator

import pytest

from control_plane.domain.contract_negotiation import ContractNegotiation, NegotiationState
from tests.control_plane_entities import USE
from tests.property.dataspace import Dataspace
from tests.property.negotiation_promises import broken_in_the_end, broken_now
from tests.property.network import Flight
from tests.property.participant import TIMING
from tests.property.test_negotiations import contract_request

_STEPS_MAX = 100


@pytest.fixture
def dataspace() -> Iterator[Dataspace]:
    opened = Dataspace()
    try:
        yield opened
    finally:
        opened.close()


def provided(dataspace: Dataspace) -> ContractNegotiation:
    """The provider's side of the only negotiation."""
    [negotiation] = dataspace.provider_view.negotiations()
    return negotiation


def negotiated_until(dataspace: Dataspace, path: str) -> Flight:
    """Everything up to the message that is sent to this path; it is under way."""
    request = contract_request(dataspace, "n-1", USE)
    dataspace.run(dataspace.consumer.run.plane.negotiations.initiate(request))
    for _ in range(_STEPS_MAX):
        for side in dataspace.sides:
            dataspace.step(side)
        for flight in dataspace.network.flights:
            if flight.url.endswith(path):
                return flight
        for flight in list(dataspace.network.flights):
            dataspace.run(dataspace.network.deliver(flight))
    raise AssertionError(dataspace.told([f"Nothing was ever sent to {path}."]))


def test_a_provider_that_was_heard_and_does_not_know_it_stays_bound(dataspace: Dataspace) -> None:
    flight = negotiated_until(dataspace, "/events")
    dataspace.run(dataspace.network.deliver(flight, answer_arrives=False))
    dataspace.provider.go_down()
    dataspace.advance(TIMING.handshake_seconds + 1)
    dataspace.start(dataspace.provider)
    dataspace.heal()
    assert provided(dataspace).state is NegotiationState.FINALIZED
    assert not broken_now(dataspace), dataspace.told(broken_now(dataspace))
    assert not broken_in_the_end(dataspace, unheard=False, limits_passed=False)


def test_a_consumer_that_never_heard_the_end_ends_alone(dataspace: Dataspace) -> None:
    dataspace.network.lose(negotiated_until(dataspace, "/events"))
    dataspace.consumer.go_down()
    for _ in range(2):
        dataspace.advance(TIMING.handshake_seconds + 1)
        dataspace.come_to_rest()
    dataspace.wait_for_every_limit()
    dataspace.heal()
    [consumer] = dataspace.consumer_view.negotiations()
    assert (consumer.state, provided(dataspace).state) == (NegotiationState.TERMINATED, NegotiationState.FINALIZED)


def test_a_repeated_message_changes_nothing_and_a_replayed_one_is_refused(dataspace: Dataspace) -> None:
    flight = negotiated_until(dataspace, "/events")
    dataspace.run(dataspace.network.deliver(flight, answer_arrives=False))
    assert dataspace.run(dataspace.network.replay(flight)) == 401
    dataspace.network.repeat(flight)
    dataspace.heal()
    assert provided(dataspace).state is NegotiationState.FINALIZED
    assert not broken_in_the_end(dataspace, unheard=False, limits_passed=False)


def test_a_worker_that_lost_its_lease_changes_nothing_when_its_answer_comes_at_last(dataspace: Dataspace) -> None:
    slow = negotiated_until(dataspace, "/agreement")
    dataspace.network.flights.remove(slow)
    dataspace.expire_leases(dataspace.provider)
    dataspace.come_to_rest()
    assert provided(dataspace).state is NegotiationState.FINALIZED
    dataspace.network.flights.append(slow)
    dataspace.run(dataspace.network.deliver(slow))
    assert provided(dataspace).state is NegotiationState.FINALIZED
    assert not dataspace.problems(), dataspace.told(dataspace.problems())
