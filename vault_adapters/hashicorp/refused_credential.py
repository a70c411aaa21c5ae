"""The credential that the vault refused last is not shown again at once: after few of those a vault locks the role."""

import hashlib
import hmac
import time
from typing import Final

from vault_adapters.hashicorp.errors import VaultRefusedError

FIRST_PAUSE_SECONDS: Final = 30.0
LONGEST_PAUSE_SECONDS: Final = 300.0


class RefusedCredential:
    """Remembers a digest of it; another credential is shown at once. Vault locks after five refusals, for a while."""

    def __init__(self) -> None:
        self._digest = b""
        self._refusal: VaultRefusedError | None = None
        self._pause_seconds = 0.0
        self._not_before = 0.0

    def check(self, shown: str) -> None:
        """Check that it may be shown now.

        Raises:
            VaultRefusedError: it was refused a short time ago; with that refusal.
        """
        if self._refusal is not None and self._is_same(shown) and time.monotonic() < self._not_before:
            raise VaultRefusedError(self._refusal.message, status=self._refusal.status)

    def note(self, shown: str, refusal: VaultRefusedError) -> None:
        """It was refused: once more, or for the first time."""
        again = self._refusal is not None and self._is_same(shown)
        self._pause_seconds = min(LONGEST_PAUSE_SECONDS, self._pause_seconds * 2) if again else FIRST_PAUSE_SECONDS
        self._not_before = time.monotonic() + self._pause_seconds
        self._digest, self._refusal = _digest(shown), refusal

    def _is_same(self, shown: str) -> bool:
        return hmac.compare_digest(self._digest, _digest(shown))


def _digest(shown: str) -> bytes:
    return hashlib.sha256(shown.encode()).digest()
