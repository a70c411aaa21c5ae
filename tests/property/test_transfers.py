"""Two control planes transfer over a bad network, with crashes and lost leases: both end, and nothing is left."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from connector_spi.data_address import DataAddress
from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from control_plane.dsp_messages import PROTOCOL
from control_plane.services.transfer_process_service import TransferProcessService, TransferRequest
from tests.control_plane_entities import agreement, negotiation
from tests.property.dataspace import CONSUMER, PROVIDER, Dataspace
from tests.property.disturbances import ONE_OF_TWO, SIDES, Disturbances
from tests.property.flow_events import FlowEvents
from tests.property.profiles import machine_settings
from tests.property.transfer_promises import broken_in_the_end, broken_now

_MOST = 2


class Transfers(Disturbances):
    """Clients of both sides and the provider's data plane, and everything that may come between them."""

    def __init__(self) -> None:
        super().__init__()
        self.events = FlowEvents(self.dataspace)
        self.fetched: set[str] = set()

    @initialize(starts_late=st.booleans(), pull=st.booleans(), may_end=st.booleans(), rounds=st.integers(1, 12))
    def begin(self, starts_late: bool, pull: bool, may_end: bool, rounds: int) -> None:
        self.may_end = may_end
        self.dataspace.run(agreed(self.dataspace))
        self.dataspace.provider.flows.starts_late = starts_late
        self.initiate(pull)
        self.proceed(rounds)

    @precondition(lambda self: self.opened < _MOST)
    @rule(pull=st.booleans())
    def initiate(self, pull: bool) -> None:
        self.opened += 1
        process_id = f"t-{self.opened}"
        request = pull_request(self.dataspace, process_id) if pull else push_request(self.dataspace, process_id)
        self.command(0, lambda: self.service(0).initiate(request))

    @rule(side=SIDES, index=ONE_OF_TWO)
    def suspend(self, side: int, index: int) -> None:
        self.tell(side, index, lambda service, process_id: service.suspend(process_id, "A pause."))

    @rule(side=SIDES, index=ONE_OF_TWO)
    def resume(self, side: int, index: int) -> None:
        self.tell(side, index, lambda service, process_id: service.resume(process_id))

    @precondition(lambda self: self.may_end)
    @rule(side=SIDES, index=ONE_OF_TWO)
    def terminate(self, side: int, index: int) -> None:
        self.tell(side, index, lambda service, process_id: service.terminate(process_id, "No more."))

    @rule(index=ONE_OF_TWO)
    def client_has_fetched_everything(self, index: int) -> None:
        known = self.dataspace.consumer_view.transfers()
        if self.dataspace.consumer.is_up and known:
            process_id = known[index % len(known)].id
            self.fetched.add(process_id)
            self.tell(0, index, lambda service, process_id: service.complete(process_id))

    @precondition(lambda self: self.dataspace.provider.flows.running())
    @rule(index=ONE_OF_TWO, event=st.sampled_from(["start", "finish", "park"]))
    def flow_moves(self, index: int, event: str) -> None:
        running = self.dataspace.provider.flows.running()
        happens: Callable[[str], bool] = getattr(self.events, event)
        happens(running[index % len(running)])

    @precondition(lambda self: self.may_end and self.dataspace.provider.flows.running())
    @rule(index=ONE_OF_TWO)
    def flow_fails(self, index: int) -> None:
        running = self.dataspace.provider.flows.running()
        self.events.fail(running[index % len(running)])

    @precondition(lambda self: self.events.owed)
    @rule(index=ONE_OF_TWO, heard=st.booleans())
    def data_plane_reports(self, index: int, heard: bool) -> None:
        self.events.report(self.events.owed[index % len(self.events.owed)], heard=heard)

    @rule(answer_lost=st.booleans())
    def lose_the_next_signal(self, answer_lost: bool) -> None:
        self.dataspace.provider.flows.fates.append(answer_lost)

    @rule()
    def sweep(self) -> None:
        self.dataspace.sweep()

    @invariant()
    def promises_are_kept(self) -> None:
        broken = broken_now(self.dataspace, fetched=self.fetched)
        assert not broken, self.dataspace.told(broken)

    def check_the_end(self) -> None:
        for _ in range(3):
            for report in [*self.events.owed]:
                self.events.report(report)
            self.dataspace.heal()
        self.promises_are_kept()
        broken = broken_in_the_end(self.dataspace, may_have_crossed=self.may_end, limits_passed=self.may_end)
        assert not broken, self.dataspace.told(broken)
        self.dataspace.wait_for_every_limit()
        self.promises_are_kept()
        broken = broken_in_the_end(self.dataspace, may_have_crossed=self.may_end, limits_passed=False)
        assert not broken, self.dataspace.told([*broken, *self.dataspace.open_processes()])
        assert not self.dataspace.open_processes(), self.dataspace.told(self.dataspace.open_processes())

    def service(self, side: int) -> TransferProcessService:
        """What clients of this side talk to."""
        return self.side(side).run.plane.transfers

    def tell(self, side: int, index: int, wish: Callable[[TransferProcessService, str], Any]) -> None:
        """A client's wish about one of the side's transfers, if it has any."""
        known = self.dataspace.views[side].transfers()
        if known:
            self.command(side, lambda: wish(self.service(side), known[index % len(known)].id))


async def agreed(dataspace: Dataspace) -> None:
    """One agreement, as a finalised negotiation leaves it on both sides."""
    for side, kind, other in (
        (dataspace.consumer, NegotiationType.CONSUMER, PROVIDER),
        (dataspace.provider, NegotiationType.PROVIDER, CONSUMER),
    ):
        reached = agreement(participant_id=side.id, provider_id=PROVIDER, consumer_id=CONSUMER)
        ended = negotiation(
            participant_id=side.id,
            type=kind,
            state=NegotiationState.FINALIZED,
            counter_party_id=other,
            correlation_id="n-1",
            agreement=reached,
        )
        await side.stores.contract_negotiations.create(ended, due_at=None)


def push_request(dataspace: Dataspace, process_id: str) -> TransferRequest:
    """What the consumer's client asks for: data in a container of the consumer's."""
    return TransferRequest(
        id=process_id,
        contract_id="a-1",
        counter_party_address=dataspace.provider.address,
        protocol=PROTOCOL,
        transfer_type="AzureStorage-PUSH",
        data_destination=DataAddress("AzureStorage", {"account": "consumerorg"}),
    )


def pull_request(dataspace: Dataspace, process_id: str) -> TransferRequest:
    """What the consumer's client asks for: an address to fetch from."""
    return TransferRequest(
        id=process_id,
        contract_id="a-1",
        counter_party_address=dataspace.provider.address,
        protocol=PROTOCOL,
        transfer_type="HttpData-PULL",
    )


TestTransfers = Transfers.TestCase
TestTransfers.settings = machine_settings(70)
