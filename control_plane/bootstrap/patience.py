"""How long each state may last, by the settings."""

from typing import Final

from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.transfer_process import OUTCOMES, TransferProcessState
from control_plane.services.patience import Backoff, Patience
from control_plane.settings import NegotiationSettings, TransferSettings

_STEP_SHARE_OF_LEASE: Final = 0.8
_CLEANUP_CAP_SECONDS: Final = 3600.0
_N = NegotiationState
_DECISIONS: Final = (_N.REQUESTED, _N.OFFERED, _N.ACCEPTED, _N.AGREED, _N.VERIFIED)
"""In each of them one side decides, and the other waits for it."""


def patience_of(timing: TransferSettings, negotiation: NegotiationSettings) -> Patience:
    """The limits of every state."""
    state = TransferProcessState
    special = {
        state.INITIAL: timing.provisioning_seconds,
        state.PROVISIONING: timing.provisioning_seconds,
        state.PREPARATION_REQUESTED: timing.provisioning_seconds,
        state.PROVISIONED: timing.provisioning_seconds,
        state.REQUESTED: timing.requested_seconds,
        state.STARTED: timing.started_seconds,
        state.SUSPENDED: timing.suspended_seconds,
        state.COMPLETING_REQUESTED: timing.evidence_seconds,
        state.TERMINATING: timing.termination_seconds,
        state.TERMINATING_REQUESTED: timing.termination_seconds,
    }
    return Patience(
        backoff=Backoff(base_seconds=timing.retry_base_seconds, cap_seconds=timing.retry_cap_seconds),
        cleanup_backoff=Backoff(base_seconds=timing.retry_cap_seconds, cap_seconds=_CLEANUP_CAP_SECONDS),
        transfer_seconds={s: special.get(s, timing.handshake_seconds) for s in state if s not in OUTCOMES},
        negotiation_seconds={
            s: negotiation.decision_seconds if s in _DECISIONS else timing.handshake_seconds for s in _N
        },
        step_seconds=timing.lease_seconds * _STEP_SHARE_OF_LEASE,
    )
