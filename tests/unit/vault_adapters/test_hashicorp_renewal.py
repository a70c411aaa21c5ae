"""When a token is renewed."""

from hypothesis import given
from hypothesis import strategies as st

from vault_adapters.hashicorp.renewal import delay_after_failure, delay_before_renewal, is_worth_keeping

LEASES = st.floats(2, 32 * 86400)


@given(LEASES)
def test_renewal_comes_at_two_thirds_of_the_lease_or_a_little_earlier(lease: float) -> None:
    assert 0.599 * lease <= delay_before_renewal(lease) <= lease * 2 / 3


@given(LEASES)
def test_the_rest_of_the_lease_gives_several_tries(lease: float) -> None:
    assert delay_before_renewal(lease) + 3 * delay_after_failure(lease) <= lease


def test_no_lease_makes_a_busy_loop() -> None:
    for lease in (0.0, 0.001):
        assert delay_before_renewal(lease) >= 0.2
        assert delay_after_failure(lease) >= 0.2


def test_renewals_of_many_processes_spread() -> None:
    assert len({delay_before_renewal(3600) for _ in range(20)}) > 1


def test_a_lease_that_was_cut_is_not_worth_keeping() -> None:
    assert is_worth_keeping(3600, of=3600)
    assert is_worth_keeping(1801, of=3600)
    assert not is_worth_keeping(1800, of=3600), "Vault rounds up"
