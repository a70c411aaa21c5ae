"""What a provider's negotiation does in each state that is the provider's to act in."""

from dataclasses import replace
from uuid import uuid4

from connector_spi.clock import Clock
from control_plane.domain.contract_negotiation import (
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
    fire_negotiation,
)
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.services.negotiation_acts import Acts, tell_ending
from control_plane.services.negotiation_decisions import NegotiationDecisions
from control_plane.services.negotiation_inbox import agreed, to_the_millisecond
from control_plane.services.negotiation_messages import NegotiationMessages

_S = NegotiationState
_E = NegotiationEvent
_PROVIDER = NegotiationType.PROVIDER


class ProviderNegotiationActs:
    """Each act may be repeated: messages keep their id until they are acknowledged."""

    def __init__(self, *, client: DataspaceClient, decisions: NegotiationDecisions, clock: Clock) -> None:
        self._client = client
        self._messages = NegotiationMessages(client, clock)
        self._decisions = decisions
        self._clock = clock

    def acts(self) -> Acts:
        """What is done in which state."""
        return {
            (_PROVIDER, _S.INITIAL): self._begin_offer,
            (_PROVIDER, _S.OFFERING): self._offer,
            (_PROVIDER, _S.REQUESTED): self._decide,
            (_PROVIDER, _S.ACCEPTED): self._decide,
            (_PROVIDER, _S.AGREEING): self._agree,
            (_PROVIDER, _S.VERIFIED): self._begin_finalization,
            (_PROVIDER, _S.FINALIZING): self._finalize,
            (_PROVIDER, _S.TERMINATING): self._terminate,
        }

    def _fired(self, negotiation: ContractNegotiation, event: NegotiationEvent) -> ContractNegotiation:
        return fire_negotiation(negotiation, event, at=self._clock.now())

    async def _begin_offer(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return self._fired(negotiation, _E.OFFER)

    async def _offer(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        if negotiation.correlation_id is not None:
            return await self._messages.send(negotiation, self._client.send_counter_offer, _E.FINISH_OFFER)
        consumer_pid = await self._client.offer_contract(negotiation)
        return self._fired(replace(negotiation, correlation_id=consumer_pid), _E.FINISH_OFFER)

    async def _decide(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        terms = await self._decisions.counter_offer(negotiation)
        if terms is not None:
            return self._fired(replace(negotiation, policy=terms, own_policy=terms), _E.OFFER)
        reached = agreed(negotiation, str(uuid4()), to_the_millisecond(self._clock.now()))
        return self._fired(reached, _E.AGREE)

    async def _agree(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return await self._messages.send(negotiation, self._client.send_agreement, _E.FINISH_AGREEMENT)

    async def _begin_finalization(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return self._fired(negotiation, _E.FINALIZE)

    async def _finalize(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return await self._messages.send(negotiation, self._client.send_finalization, _E.FINISH_FINALIZATION)

    async def _terminate(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return await tell_ending(negotiation, self._client, self._clock)
