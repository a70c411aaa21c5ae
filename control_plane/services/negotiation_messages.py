"""Sends what is said in a negotiation that both sides know, and finds out what a refusal means.

Most often the counterparty's own end crosses our message. Sometimes it has heard the message, its answer was lost, and
something on the way refuses the repetition. So what is refused at its first attempt is repeated once, for its message
to arrive; then it is asked what it shows, and followed where it has ended the negotiation or has heard the message.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from connector_spi.clock import Clock
from connector_spi.errors import PeerRefusedError
from control_plane.domain.contract_negotiation import (
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    fire_negotiation,
)
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.services.negotiation_inbox import with_error
from control_plane.services.refused_messages import CrossingMessageError

_S = NegotiationState
_E = NegotiationEvent
_HEARD: Final[Mapping[NegotiationState, frozenset[str]]] = {
    _S.ACCEPTING: frozenset({_S.ACCEPTED.name, _S.AGREED.name}),
    _S.AGREEING: frozenset({_S.AGREED.name, _S.VERIFIED.name}),
    _S.VERIFYING: frozenset({_S.VERIFIED.name, _S.FINALIZED.name}),
    _S.FINALIZING: frozenset({_S.FINALIZED.name}),
}
"""What a counterparty shows that has heard the message of this state. Requests and offers may go to and fro, so what it
shows does not tell which of them it has heard."""
_NO_REASON: Final = "The counterparty has ended the negotiation, and its reason did not arrive."


class NegotiationMessages:
    """Each message keeps its id until it is acknowledged."""

    def __init__(self, client: DataspaceClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def send(
        self,
        negotiation: ContractNegotiation,
        message: Callable[[ContractNegotiation], Awaitable[None]],
        acknowledged: NegotiationEvent,
    ) -> ContractNegotiation:
        """The negotiation after its message was heard, or after what the counterparty shows.

        Raises:
            CrossingMessageError: the message was refused at its first attempt.
            PeerRefusedError: it was refused again, and what the counterparty shows explains nothing.
        """
        try:
            await message(negotiation)
        except PeerRefusedError as error:
            if negotiation.attempt == 0:
                raise CrossingMessageError(error.message) from error
            shown = await self._shown(negotiation)
            if shown == _S.TERMINATED.name:
                negotiation = with_error(negotiation, "TerminatedByCounterparty", _NO_REASON)
                return fire_negotiation(negotiation, _E.TERMINATE_BY_COUNTERPARTY, at=self._clock.now())
            if shown not in _HEARD.get(negotiation.state, ()):
                raise
        return fire_negotiation(negotiation, acknowledged, at=self._clock.now())

    async def _shown(self, negotiation: ContractNegotiation) -> str:
        try:
            return await self._client.fetch_negotiation_state(negotiation)
        except PeerRefusedError:
            return ""
