"""PolicyContext: the facts against which a policy is evaluated."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.participant import Participant
from control_plane.domain.transfer_process import TransferProcess


class PolicyScope(StrEnum):
    """When a policy is asked. The names are EDC's."""

    CATALOG = "catalog"
    """May the counterparty see the offer?"""
    NEGOTIATION = "contract.negotiation"
    """May it have the contract?"""
    TRANSFER = "transfer.process"
    """May this transfer begin, or go on after a pause?"""
    MONITOR = "policy.monitor"
    """May this running transfer go on?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyContext:
    """Who asks, when, and under which agreement."""

    scope: PolicyScope
    counterparty: Participant
    """Whose rights are asked for: the consumer."""
    now: datetime
    agreement: ContractAgreement | None = None
    """From the transfer on."""
    asset_id: str | None = None
    transfer: TransferProcess | None = None
    """The transfer that is to go on; None while it has not begun."""
