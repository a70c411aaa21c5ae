"""Messages of the Dataspace Protocol 2025-1 in their compact form: written strictly, read leniently.

Source: the specification's JSON schemas (tag 2025-1-err1). No JSON-LD processing is needed: the schemas fix the
compact shape, and everybody writes it. What they demand is demanded; unknown members are ignored, a single object may
stand for a list of one, a term may come with its namespace, and an id as `{"@id": ...}`.
"""

from control_plane.dsp_messages.catalog import CatalogRequestMessage
from control_plane.dsp_messages.members import (
    CONTEXT,
    PID_MAX,
    PROTOCOL,
    VERSION,
    Message,
    Pid,
    PidsMessage,
    ProcessAnswer,
    message,
    short_term,
)
from control_plane.dsp_messages.negotiation import (
    ContractAgreementMessage,
    ContractNegotiationEventMessage,
    ContractOfferMessage,
    ContractRequestMessage,
)
from control_plane.dsp_messages.policies import OdrlPolicy, agreement_body, odrl
from control_plane.dsp_messages.transfer import TransferRequestMessage, TransferStartMessage

__all__ = [
    "CONTEXT",
    "PID_MAX",
    "PROTOCOL",
    "VERSION",
    "CatalogRequestMessage",
    "ContractAgreementMessage",
    "ContractNegotiationEventMessage",
    "ContractOfferMessage",
    "ContractRequestMessage",
    "Message",
    "OdrlPolicy",
    "Pid",
    "PidsMessage",
    "ProcessAnswer",
    "TransferRequestMessage",
    "TransferStartMessage",
    "agreement_body",
    "message",
    "odrl",
    "short_term",
]
