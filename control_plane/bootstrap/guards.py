"""Who decides: the guards that the composing program may plug in."""

from dataclasses import dataclass, field

from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.transfer_process import TransferProcess
from control_plane.ports.pending_guard import PendingGuard
from control_plane.services.pending_guards import HoldsEverything, HoldsNothing
from control_plane.settings import NegotiationSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingGuards:
    """One guard for each kind of process."""

    negotiations: PendingGuard[ContractNegotiation] = field(default_factory=HoldsNothing)
    transfers: PendingGuard[TransferProcess] = field(default_factory=HoldsNothing)


def guards_of(settings: NegotiationSettings) -> PendingGuards:
    """The guards that the settings ask for."""
    return PendingGuards(negotiations=HoldsEverything()) if settings.manual_decisions else PendingGuards()
