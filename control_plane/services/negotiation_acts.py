"""What the acts of both sides of a negotiation have in common: their form, and how a negotiation ends early."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from connector_spi.clock import Clock
from control_plane.domain.contract_negotiation import (
    ContractNegotiation,
    NegotiationEvent,
    NegotiationState,
    NegotiationType,
    fire_negotiation,
)
from control_plane.ports.dataspace_client import DataspaceClient
from control_plane.services.negotiation_inbox import with_error

Act = Callable[[ContractNegotiation], Awaitable[ContractNegotiation]]
Acts = Mapping[tuple[NegotiationType, NegotiationState], Act]


def ended(negotiation: ContractNegotiation, code: str, reason: str, *, at: datetime) -> ContractNegotiation:
    """On its way out by this side's decision; what was on its way out already is ended without further ado."""
    ending = negotiation.state is NegotiationState.TERMINATING
    event = NegotiationEvent.FINISH_TERMINATION if ending else NegotiationEvent.TERMINATE
    return fire_negotiation(with_error(negotiation, code, reason), event, at=at)


async def tell_ending(negotiation: ContractNegotiation, client: DataspaceClient, clock: Clock) -> ContractNegotiation:
    """Tell the counterparty, if it knows of the negotiation."""
    if negotiation.correlation_id is not None:
        await client.terminate_negotiation(negotiation)
    return fire_negotiation(negotiation, NegotiationEvent.FINISH_TERMINATION, at=clock.now())
