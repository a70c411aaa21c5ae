"""Callers: which control plane a message comes from. Its name is what its flows are kept under."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from connector_spi.errors import UnauthenticatedError

CONFIGURED: Final = ""
"""The control plane of the settings, and whoever may act for it."""


class CallerCheck(Protocol):
    """Tells who is calling."""

    async def caller_of(self, token: str) -> str:
        """The id of the registered control plane that this bearer token proves, or CONFIGURED.

        Raises:
            UnauthenticatedError: the token proves nothing.
            TransientError, PermanentError: what is needed to check it cannot be had now.
        """
        ...


class SharedToken:
    """One bearer token that both sides know."""

    def __init__(self, expected: Callable[[], Awaitable[str]]) -> None:
        """`expected` reads it from the vault."""
        self._expected = expected

    async def caller_of(self, token: str) -> str:
        """CONFIGURED, when it is the token."""
        if not hmac.compare_digest(token.encode(), (await self._expected()).encode()):
            raise UnauthenticatedError("Send the data plane's token as `Authorization: Bearer <token>`.")
        return CONFIGURED


class AnyOf:
    """The first check that knows the token."""

    def __init__(self, *checks: CallerCheck) -> None:
        self._checks = checks

    async def caller_of(self, token: str) -> str:
        """Whoever the first check that accepts the token says."""
        refused = UnauthenticatedError("No token was sent that proves who is calling.")
        for check in self._checks:
            try:
                return await check.caller_of(token)
            except UnauthenticatedError as error:
                refused = error
        raise refused
