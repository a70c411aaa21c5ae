"""When a credential is renewed, and when no call may begin with it any more."""

from datetime import timedelta

import pytest

from data_plane.domain.credential_life import CredentialLife, RenewalTiming
from tests.unit.data_plane.fakes import NOON

TIMING = RenewalTiming(
    renew_before=timedelta(seconds=300), park_before=timedelta(seconds=10), patience=timedelta(seconds=60)
)


def life(seconds: float, *, drawn: float = 0.0) -> tuple[float, float]:
    """Seconds from now until the renewal, and until it is too late."""
    left = CredentialLife.left(NOON, NOON + timedelta(seconds=seconds), TIMING, drawn=drawn)
    return (left.renew_at - NOON).total_seconds(), (left.park_at - NOON).total_seconds()


@pytest.mark.parametrize(
    ("seconds", "renewed_after", "late_after"),
    [
        (86_400, 57_600, 86_390),
        (900, 600, 890),
        (700, 400, 690),
        (400, 200, 390),
        (20, 10, 18),
        (0, 0, 0),
        (-5, -5, -5),
    ],
)
def test_a_credential_is_renewed_early_and_never_in_its_first_half(
    seconds: float, renewed_after: float, late_after: float
) -> None:
    assert life(seconds) == (renewed_after, late_after)


def test_credentials_of_one_moment_are_not_all_renewed_in_one_moment() -> None:
    earlier, _ = life(900, drawn=1.0)
    assert earlier == 570
