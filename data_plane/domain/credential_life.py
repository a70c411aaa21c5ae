"""CredentialLife: when a credential is to be renewed, and when it is too late to begin a call with it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector_spi.errors import TransientError

_JITTER: Final = 0.1
"""By up to this part of its margin a renewal comes earlier, so that flows of one start do not all ask at once."""


class CredentialNeededError(TransientError):
    """The credential has ended or is about to, and no other is to be had now: the flow is parked until it is resumed.

    Transient, for the flow goes on where it was once it has one; but no repeated call helps.
    """

    code = "CredentialExpired"
    cause = (
        "the credential for the destination has ended or is about to, and no fresh one is to be had: the flow is parked"
    )
    remedy = (
        "Have the consumer resume the transfer, which brings a fresh one. Raise `storage.sas_seconds` there if "
        "transfers take longer."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalTiming:
    """How early is early."""

    renew_before: timedelta
    """A credential is renewed at least this long before its end, if half of its life has passed by then."""
    park_before: timedelta
    """No call begins later than this before the end, so that calls under way can finish; a tenth of a short life."""
    patience: timedelta
    """How long a control plane that does not answer is asked, before the flow is parked."""


@dataclass(frozen=True, slots=True)
class CredentialLife:
    """What is left of a credential's life, in moments."""

    renew_at: datetime
    park_at: datetime
    ends_at: datetime

    @classmethod
    def left(cls, now: datetime, ends_at: datetime, timing: RenewalTiming, *, drawn: float) -> "CredentialLife":
        """From now on; `drawn` is a number from 0 to 1.

        The renewal falls a third of the life left, or `renew_before`, ahead of the end, whichever is more; but never
        into the first half, where a credential that lives shorter than `renew_before` would be renewed at each call.
        """
        left = max(ends_at - now, timedelta())
        margin = min(max(left / 3, timing.renew_before) * (1 + _JITTER * drawn), left / 2)
        return cls(ends_at - margin, ends_at - min(timing.park_before, left / 10), ends_at)
