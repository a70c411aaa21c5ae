"""What policies may ask about without any plug-in."""

from control_plane.ports.policy_function import PolicyFunction
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.policy_functions.participant_claim import ParticipantClaim
from control_plane.services.policy_functions.participant_identity import ParticipantIdentity
from control_plane.services.policy_functions.time_window import TimeWindow
from control_plane.services.policy_functions.usage_count import UsageCount


def built_in(processes: TransferProcessStore) -> tuple[PolicyFunction, ...]:
    """Time window, participant identity, participant claim and usage count."""
    return TimeWindow(), ParticipantIdentity(), ParticipantClaim(), UsageCount(processes)
