"""ContractAgreement: who may use which asset under which policy."""

from dataclasses import dataclass
from datetime import datetime

from control_plane.domain.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractAgreement:
    """The agreement as both sides hold it, under the same id."""

    id: str
    participant_id: str
    """The owner of this copy."""
    provider_id: str
    consumer_id: str
    asset_id: str
    policy: Policy
    signed_at: datetime
    negotiation_id: str
