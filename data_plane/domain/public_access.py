"""PublicAccess: who may read a flow's objects at this data plane's public endpoint, and until when."""

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

EARLIER_TOKEN_LIFE: Final = timedelta(seconds=30)
"""How long the token before the last renewal still works, for reads that were under way."""


def digest_of(token: str) -> str:
    """What is kept of a token: it is random, so that nothing slower than SHA-256 is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PublicAccess:
    """Digests of the tokens of one flow. The tokens themselves rest in the vault and with the reader."""

    token_digest: str
    expires_at: datetime
    refresh_digest: str
    earlier_digest: str = ""
    earlier_until: datetime | None = None

    def admits(self, token: str, *, at: datetime) -> bool:
        """Whether the token opens the objects now."""
        digest = digest_of(token)
        current = hmac.compare_digest(digest, self.token_digest) and at < self.expires_at
        earlier = hmac.compare_digest(digest, self.earlier_digest) and (
            self.earlier_until is not None and at < self.earlier_until
        )
        return current or earlier

    def knows(self, token: str) -> bool:
        """Whether this is the token that was given out last, expired or not."""
        return hmac.compare_digest(digest_of(token), self.token_digest)

    def renews(self, refresh_token: str) -> bool:
        """Whether the refresh token is the current one."""
        return hmac.compare_digest(digest_of(refresh_token), self.refresh_digest)

    def renewed(self, token: str, refresh_token: str, *, at: datetime, life: timedelta) -> "PublicAccess":
        """The access with new tokens; the token before them works a little longer, as far as it would have anyway."""
        return replace(
            self,
            token_digest=digest_of(token),
            refresh_digest=digest_of(refresh_token),
            expires_at=at + life,
            earlier_digest=self.token_digest,
            earlier_until=min(self.expires_at, at + EARLIER_TOKEN_LIFE),
        )
