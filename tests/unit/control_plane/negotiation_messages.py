"""Messages about a negotiation that both sides know, and what waits for it."""

from collections.abc import Mapping
from typing import Any

from control_plane.domain.contract_negotiation import NegotiationState, NegotiationType
from tests import control_plane_entities as examples
from tests.unit.control_plane.protocol_rig import THEM, US, ProtocolRig, told

RULES = {"permission": [{"action": "use"}]}
OTHER_RULES = {
    "permission": [{"action": "use", "constraint": [{"leftOperand": "x", "operator": "eq", "rightOperand": "y"}]}],
    "profile": "https://example.org/profile",
}
AGREEMENT = {
    "@id": "agreement-1",
    "@type": "Agreement",
    "target": "asset-1",
    "assigner": THEM,
    "assignee": US,
    "timestamp": "2026-03-01T12:00:00+01:00",
    **RULES,
}
OFFERED = {"@id": "their-offer", "@type": "Offer", "target": "asset-1", **OTHER_RULES}
MESSAGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "request": ("request", "ContractRequestMessage", {"offer": OFFERED}),
    "offer": ("offers", "ContractOfferMessage", {"offer": OFFERED}),
    "acceptance": ("events", "ContractNegotiationEventMessage", {"eventType": "ACCEPTED"}),
    "agreement": ("agreement", "ContractAgreementMessage", {"agreement": AGREEMENT}),
    "verification": ("agreement/verification", "ContractAgreementVerificationMessage", {}),
    "finalization": ("events", "ContractNegotiationEventMessage", {"eventType": "FINALIZED"}),
    "termination": ("termination", "ContractNegotiationTerminationMessage", {}),
}
"""Path, type and own members of each message about a negotiation that both sides know."""


async def known(protocol: ProtocolRig, side: NegotiationType, state: NegotiationState, **changes: Any) -> None:
    """A negotiation `n-1` of ours, which they know as `their-pid`."""
    facts = {"type": side, "state": state, "correlation_id": "their-pid", **changes}
    await protocol.stores.contract_negotiations.create(examples.negotiation(**facts), due_at=None)


def path_of(name: str) -> str:
    """Where the message is posted."""
    return f"negotiations/n-1/{MESSAGES[name][0]}"


def message(name: str, side: NegotiationType, **members: Any) -> dict[str, Any]:
    """The message to our side of the negotiation."""
    pids = ("n-1", "their-pid") if side is NegotiationType.CONSUMER else ("their-pid", "n-1")
    _, message_type, own = MESSAGES[name]
    return told(message_type, *pids, **{**own, **members})


async def waiting(protocol: ProtocolRig) -> list[tuple[str, Mapping[str, Any]]]:
    """What waits in the inbox."""
    leased = await protocol.stores.contract_negotiations.lease_due(
        now=examples.moment(1e9), limit=9, lease_seconds=60, owner="test"
    )
    return [(note.kind, note.payload) for found in leased for note in found.inbox]
