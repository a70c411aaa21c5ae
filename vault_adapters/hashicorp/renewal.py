"""When a token is renewed, in seconds."""

import random
from typing import Final

_SHORTEST: Final = 0.2
_LONGEST_AFTER_FAILURE: Final = 30.0


def delay_before_renewal(lease_seconds: float) -> float:
    """At two thirds of the lease, or up to a tenth of that earlier, so that not all processes renew at once."""
    early = random.uniform(0.9, 1.0)  # noqa: S311 - spreads load; nobody gains by guessing it
    return max(_SHORTEST, lease_seconds * 2 / 3 * early)


def delay_after_failure(lease_seconds: float) -> float:
    """A tenth of the lease: the last third of it gives several tries."""
    return min(_LONGEST_AFTER_FAILURE, max(_SHORTEST, lease_seconds / 10))


def is_worth_keeping(lease_seconds: float, *, of: float) -> bool:
    """Whether a renewed lease is near enough to the first one; the vault cuts it at the token's greatest age."""
    return lease_seconds > of / 2
