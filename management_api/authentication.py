"""Who may use the management API: whoever sends the API key in the header X-Api-Key."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Request, Security
from fastapi.security import APIKeyHeader

from connector_spi.errors import ConnectorError, UnauthenticatedError
from management_api.errors import AuthenticationUnavailableError

logger = logging.getLogger(__name__)

ApiKeySource = Callable[[], Awaitable[str]]
"""Reads the key that is valid now, as a rule from the vault."""

API_KEY_HEADER: Final = APIKeyHeader(
    name="X-Api-Key", scheme_name="ApiKey", description="The key of the management API.", auto_error=False
)
_CACHE_SECONDS: Final = 5.0


class ApiKeyAuthentication:
    """Compares keys by digest and in constant time, so that the time taken tells nothing.

    The valid key is read again every few seconds: a rotated one counts without a restart.
    """

    def __init__(self, source: ApiKeySource, *, cache_seconds: float = _CACHE_SECONDS) -> None:
        self._source = source
        self._cache_seconds = cache_seconds
        self._digest = b""
        self._read_again_at = float("-inf")

    async def check(self, given: str | None) -> None:
        """Return when `given` is the key.

        Raises:
            UnauthenticatedError: it is missing or wrong.
            AuthenticationUnavailableError: the key could not be read.
        """
        if not given:
            raise UnauthenticatedError("The header X-Api-Key is missing.")
        # Header values arrive decoded as Latin-1; encoding them back gives the bytes that were sent.
        if not hmac.compare_digest(_digest(given.encode("latin-1", errors="replace")), await self._valid_digest()):
            raise UnauthenticatedError("The API key is wrong.")

    async def _valid_digest(self) -> bytes:
        now = asyncio.get_running_loop().time()
        if now >= self._read_again_at:
            try:
                self._digest = _digest((await self._source()).encode())
            except ConnectorError as error:
                logger.warning("The API key could not be read.", extra={"error_code": error.code})
                raise AuthenticationUnavailableError("The API key cannot be checked now. Try again later.") from error
            self._read_again_at = now + self._cache_seconds
        return self._digest


async def authenticated(request: Request, given: Annotated[str | None, Security(API_KEY_HEADER)]) -> None:
    """A FastAPI dependency: refuses callers without the key, unless the app was made without authentication.

    Raises:
        UnauthenticatedError, AuthenticationUnavailableError: as for `ApiKeyAuthentication.check`.
    """
    authentication: ApiKeyAuthentication | None = request.app.state.authentication
    if authentication is not None:
        await authentication.check(given)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
