"""PublicAccess: who may read a flow's objects at this data plane's public endpoint, and until when."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

EARLIER_LIFE: Final = timedelta(seconds=30)
"""How long the tokens before the last renewal still work."""


def digest_of(token: str) -> str:
    """What is kept of a token: it is random, so that nothing slower than SHA-256 is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TokenPair:
    """Digests of an access token and of the refresh token that was given out with it."""

    token: str
    refresh: str

    @classmethod
    def of(cls, token: str, refresh_token: str) -> "TokenPair":
        """The digests of these tokens."""
        return cls(digest_of(token), digest_of(refresh_token))

    def opens(self, token: str) -> bool:
        """Whether this is the access token."""
        return hmac.compare_digest(digest_of(token), self.token)

    def renews(self, token: str, refresh_token: str) -> bool:
        """Whether these are the two tokens."""
        return self.opens(token) and hmac.compare_digest(digest_of(refresh_token), self.refresh)


@dataclass(frozen=True, slots=True)
class PublicAccess:
    """What is kept of the tokens of one flow. The tokens themselves rest in the vault and with the reader."""

    current: TokenPair
    expires_at: datetime
    earlier: TokenPair | None = None
    """The pair before the last renewal, which the reader may still be using, or whose answer it has not got."""
    earlier_until: datetime | None = None

    def admits(self, token: str, *, at: datetime) -> bool:
        """Whether the token opens the objects now."""
        if self.current.opens(token):
            return at < self.expires_at
        return (earlier := self._earlier(at)) is not None and earlier.opens(token)

    def may_renew(self, token: str, refresh_token: str, *, at: datetime) -> bool:
        """Whether the refresh token is the one that was given out with this access token, and not used up."""
        if self.current.renews(token, refresh_token):
            return True
        return (earlier := self._earlier(at)) is not None and earlier.renews(token, refresh_token)

    def renewed(self, pair: TokenPair, *, at: datetime, life: timedelta) -> "PublicAccess":
        """The access with new tokens; those before them work a little longer."""
        return PublicAccess(pair, at + life, self.current, at + EARLIER_LIFE)

    def _earlier(self, at: datetime) -> TokenPair | None:
        return self.earlier if self.earlier_until is not None and at < self.earlier_until else None
