"""Two control planes negotiate over a bad network, with crashes and lost leases: in the end both hold the same."""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from control_plane.domain.contract_definition import OfferId
from control_plane.domain.policy import Policy
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.negotiation_service import ContractOfferCommand, ContractRequest, NegotiationService
from tests.control_plane_entities import USE
from tests.property.dataspace import CONSUMER, PROVIDER, Dataspace
from tests.property.disturbances import ONE_OF_TWO, SIDES, Disturbances
from tests.property.negotiation_promises import broken_in_the_end, broken_now
from tests.property.profiles import machine_settings

_MOST: Final = 2
_OTHER: Final = Policy(permissions=({"action": "use"}, {"action": "use"}))
TERMS: Final = st.sampled_from([USE, _OTHER])
_DECISIONS: Final = ("accept", "agree", "verify", "finalize")


class Negotiations(Disturbances):
    """Clients of both sides, and everything that may come between them."""

    @initialize(
        manual=st.tuples(st.booleans(), st.booleans()),
        may_end=st.booleans(),
        by_offer=st.booleans(),
        terms=TERMS,
        rounds=st.integers(1, 12),
    )
    def begin(self, manual: tuple[bool, bool], may_end: bool, by_offer: bool, terms: Policy, rounds: int) -> None:
        self.may_end = may_end
        for side, by_people in zip(self.dataspace.sides, manual, strict=True):
            side.decisions.manual = by_people
        self.open(by_offer, terms)
        self.proceed(rounds)

    @precondition(lambda self: self.opened < _MOST)
    @rule(by_offer=st.booleans(), terms=TERMS)
    def open(self, by_offer: bool, terms: Policy) -> None:
        self.opened += 1
        name = f"n-{self.opened}"
        if by_offer:
            command = unasked_offer(self.dataspace, name, terms)
            self.command(1, lambda: self.service(1).offer_to(command))
        else:
            request = contract_request(self.dataspace, name, terms)
            self.command(0, lambda: self.service(0).initiate(request))

    @rule(side=SIDES, index=ONE_OF_TWO, decision=st.sampled_from(_DECISIONS))
    def decide(self, side: int, index: int, decision: str) -> None:
        self.tell(side, index, lambda service, name: getattr(service, decision)(name))

    @rule(index=ONE_OF_TWO, terms=TERMS)
    def counter_request(self, index: int, terms: Policy) -> None:
        self.tell(0, index, lambda service, name: service.request(name, terms))

    @rule(index=ONE_OF_TWO, terms=TERMS)
    def counter_offer(self, index: int, terms: Policy) -> None:
        self.tell(1, index, lambda service, name: service.offer(name, terms))

    @precondition(lambda self: self.may_end)
    @rule(side=SIDES, index=ONE_OF_TWO)
    def terminate(self, side: int, index: int) -> None:
        self.tell(side, index, lambda service, name: service.terminate(name, "No more."))

    @invariant()
    def promises_are_kept(self) -> None:
        broken = broken_now(self.dataspace)
        assert not broken, self.dataspace.told(broken)

    def check_the_end(self) -> None:
        self.promises_are_kept()
        broken = broken_in_the_end(self.dataspace, unheard=self.may_end, limits_passed=False)
        assert not broken, self.dataspace.told(broken)
        self.dataspace.wait_for_every_limit()
        self.promises_are_kept()
        broken = broken_in_the_end(self.dataspace, unheard=self.may_end, limits_passed=True)
        assert not broken, self.dataspace.told(broken)
        assert not self.dataspace.open_processes(), self.dataspace.told(self.dataspace.open_processes())

    def service(self, side: int) -> NegotiationService:
        """What clients of this side talk to."""
        return self.side(side).run.plane.negotiations

    def tell(self, side: int, index: int, wish: Callable[[NegotiationService, str], Any]) -> None:
        """A client's wish about one of the side's negotiations, if it has any."""
        known = self.dataspace.views[side].negotiations()
        if known:
            self.command(side, lambda: wish(self.service(side), known[index % len(known)].id))


def contract_request(dataspace: Dataspace, name: str, terms: Policy) -> ContractRequest:
    """What the consumer's client asks for: the offer of the catalog, under its terms or others."""
    return ContractRequest(
        id=name,
        counter_party_id=PROVIDER,
        counter_party_address=dataspace.provider.address,
        protocol=PROTOCOL,
        offer_id=str(OfferId(definition_id="c-1", asset_id="asset-1")),
        asset_id="asset-1",
        policy=terms,
    )


def unasked_offer(dataspace: Dataspace, name: str, terms: Policy) -> ContractOfferCommand:
    """What the provider's client offers."""
    return ContractOfferCommand(
        id=name,
        counter_party_id=CONSUMER,
        counter_party_address=dataspace.consumer.address,
        protocol=PROTOCOL,
        asset_id="asset-1",
        policy=terms,
    )


TestNegotiations = Negotiations.TestCase
TestNegotiations.settings = machine_settings(100)
