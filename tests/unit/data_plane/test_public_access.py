"""Which tokens of an HTTP pull open something, and until when."""

from datetime import timedelta

from data_plane.domain.public_access import EARLIER_LIFE, PublicAccess, TokenPair
from tests.unit.data_plane.fakes import NOON

LIFE = timedelta(hours=1)
FIRST = PublicAccess(TokenPair.of("t1", "r1"), NOON + LIFE)


def test_a_token_opens_until_it_ends() -> None:
    assert FIRST.admits("t1", at=NOON + LIFE - timedelta(seconds=1))
    assert not FIRST.admits("t1", at=NOON + LIFE)
    assert not FIRST.admits("t2", at=NOON)
    assert not FIRST.admits("r1", at=NOON)


def test_an_expired_token_can_still_be_renewed() -> None:
    assert FIRST.may_renew("t1", "r1", at=NOON + 2 * LIFE)
    assert not FIRST.may_renew("t1", "r2", at=NOON)
    assert not FIRST.may_renew("t2", "r1", at=NOON)


def test_the_tokens_before_a_renewal_work_a_little_longer_and_no_more() -> None:
    renewed = FIRST.renewed(TokenPair.of("t2", "r2"), at=NOON, life=LIFE)
    just_before, then = NOON + EARLIER_LIFE - timedelta(seconds=1), NOON + EARLIER_LIFE
    assert renewed.admits("t2", at=then)
    assert renewed.admits("t1", at=just_before)
    assert renewed.may_renew("t1", "r1", at=just_before)
    assert not renewed.admits("t1", at=then)
    assert not renewed.may_renew("t1", "r1", at=then)
    assert not renewed.may_renew("t1", "r2", at=NOON)


def test_only_digests_are_kept() -> None:
    assert "t1" not in repr(FIRST)
    assert "r1" not in repr(FIRST)
