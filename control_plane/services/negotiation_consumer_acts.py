"""What a consumer's negotiation does in each state that is the consumer's to act in."""

from dataclasses import replace

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
from control_plane.services.negotiation_decisions import consumer_accepts
from control_plane.services.negotiation_messages import NegotiationMessages

_S = NegotiationState
_E = NegotiationEvent
_CONSUMER = NegotiationType.CONSUMER


class ConsumerNegotiationActs:
    """Each act may be repeated: messages keep their id until they are acknowledged."""

    def __init__(self, *, client: DataspaceClient, clock: Clock) -> None:
        self._client = client
        self._messages = NegotiationMessages(client, clock)
        self._clock = clock

    def acts(self) -> Acts:
        """What is done in which state."""
        return {
            (_CONSUMER, _S.INITIAL): self._begin_request,
            (_CONSUMER, _S.REQUESTING): self._request,
            (_CONSUMER, _S.OFFERED): self._decide,
            (_CONSUMER, _S.ACCEPTING): self._accept,
            (_CONSUMER, _S.AGREED): self._begin_verification,
            (_CONSUMER, _S.VERIFYING): self._verify,
            (_CONSUMER, _S.TERMINATING): self._terminate,
        }

    def _fired(self, negotiation: ContractNegotiation, event: NegotiationEvent) -> ContractNegotiation:
        return fire_negotiation(negotiation, event, at=self._clock.now())

    async def _begin_request(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return self._fired(negotiation, _E.REQUEST)

    async def _request(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        if negotiation.correlation_id is not None:
            return await self._messages.send(negotiation, self._client.send_counter_request, _E.FINISH_REQUEST)
        provider_pid = await self._client.request_contract(negotiation)
        return self._fired(replace(negotiation, correlation_id=provider_pid), _E.FINISH_REQUEST)

    async def _decide(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        if consumer_accepts(negotiation):
            return self._fired(negotiation, _E.ACCEPT)
        return replace(negotiation, pending=True)

    async def _accept(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return await self._messages.send(negotiation, self._client.send_acceptance, _E.FINISH_ACCEPTANCE)

    async def _begin_verification(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return self._fired(negotiation, _E.VERIFY)

    async def _verify(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return await self._messages.send(negotiation, self._client.send_verification, _E.FINISH_VERIFICATION)

    async def _terminate(self, negotiation: ContractNegotiation) -> ContractNegotiation:
        return await tell_ending(negotiation, self._client, self._clock)
