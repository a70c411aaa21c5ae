"""Transient errors are retried, with pauses that grow, spread and heed the peer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_spi.errors import LeaseLostError, PermanentError, TransientError
from data_plane.services.retry import Backoff, Retrier
from tests.unit.data_plane.fakes import OutageError

QUICK = Backoff(first_seconds=0.0001, cap_seconds=0.001)


@given(st.integers(min_value=0, max_value=10_000))
def test_a_pause_lies_between_half_and_all_of_a_growing_capped_time(attempt: int) -> None:
    ceiling = min(15.0, 0.2 * 2.0 ** min(attempt, 30))
    assert ceiling / 2 <= Backoff().delay(attempt) <= ceiling


def test_what_the_peer_asks_for_is_heeded_within_reason() -> None:
    assert Backoff().delay(0, wish_seconds=20) == 20
    assert Backoff().delay(0, wish_seconds=1e9) == 150


async def test_a_transient_error_is_retried_and_remembered() -> None:
    outcomes: list[TransientError | None] = [OutageError("first"), OutageError("second"), None]
    noted = 0

    async def call() -> str:
        if error := outcomes.pop(0):
            raise error
        return "done"

    def note() -> None:
        nonlocal noted
        noted += 1

    retried = Retrier(QUICK)
    assert await retried(call, on_error=note) == "done"
    assert (noted, str(retried.last_error)) == (2, "second")


@pytest.mark.parametrize("error", [PermanentError("no"), LeaseLostError("gone")])
async def test_what_the_same_call_cannot_mend_is_not_retried(error: Exception) -> None:
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise error

    with pytest.raises(type(error)):
        await Retrier(QUICK)(call)
    assert calls == 1
