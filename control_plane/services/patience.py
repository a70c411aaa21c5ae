"""How long states may last and how failed attempts are spread out."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector_spi.errors import TransientError
from control_plane.domain.contract_negotiation import NegotiationState
from control_plane.domain.transfer_process import TransferProcessState

_EXPONENT_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Capped exponential back-off with jitter, so that many processes do not knock at the same moment."""

    base_seconds: float
    cap_seconds: float

    def next_attempt(self, attempt: int, error: Exception, now: datetime) -> datetime:
        """When to try again after `attempt` failures before this one; a peer's Retry-After is heeded."""
        wait = min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt, _EXPONENT_MAX))
        wait *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads load; nobody gains by guessing it
        if isinstance(error, TransientError) and error.retry_after_seconds is not None:
            wait = max(wait, min(error.retry_after_seconds, self.cap_seconds))
        return now + timedelta(seconds=wait)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Limits, in seconds, of every state that is not an outcome."""

    backoff: Backoff
    cleanup_backoff: Backoff
    """For what an operator has to mend first, after the outcome: a key that is missing or wrong."""
    transfer_seconds: Mapping[TransferProcessState, float]
    negotiation_seconds: Mapping[NegotiationState, float]
    step_seconds: float
    """Limit of one step; shorter than the lease, so that a step ends before somebody else may begin it."""
