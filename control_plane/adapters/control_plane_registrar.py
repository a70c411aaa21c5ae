"""Makes this control plane known to a data plane (PUT /controlplanes), and keeps it known."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from connector_spi.errors import PermanentError, TransientError
from connector_spi.log_context import redacted
from connector_spi.plane_registration import CLIENT_CREDENTIALS, AuthorizationMessage, ControlPlaneRegistrationMessage
from control_plane.adapters.data_plane_calls import call_data_plane
from control_plane.adapters.data_plane_directory import DataPlaneDirectory

_log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS: Final = 1.0
_REPEAT_SECONDS: Final = 300.0
"""A data plane that keeps registrations in memory forgets them when it restarts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedCredentials:
    """What a data plane may fetch tokens with for its call-backs, and the keys that verify this side's tokens."""

    token_endpoint: str
    client_id: str
    secret: Callable[[], Awaitable[str]]
    jwks_uri: str | None = None


class ControlPlaneRegistrar:
    """Registers at one data plane until it is stopped."""

    def __init__(
        self,
        *,
        directory: DataPlaneDirectory,
        data_plane_id: str,
        control_plane_id: str,
        signaling_url: str,
        credentials: OfferedCredentials | None,
        call_seconds: float,
        repeat_seconds: float = _REPEAT_SECONDS,
    ) -> None:
        self._directory = directory
        self._data_plane_id = data_plane_id
        self._control_plane_id = control_plane_id
        self._signaling_url = signaling_url
        self._credentials = credentials
        self._call_seconds = call_seconds
        self._repeat_seconds = repeat_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Register, again after a failure with growing pauses, and again from time to time."""
        pause = _FIRST_RETRY_SECONDS
        while not stop.is_set():
            if await self._registered():
                wait, pause = self._repeat_seconds, _FIRST_RETRY_SECONDS
            else:
                wait, pause = pause, min(pause * 2, self._repeat_seconds)
            try:
                async with asyncio.timeout(wait):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _registered(self) -> bool:
        try:
            plane = await self._directory.named(self._data_plane_id)
            body = (await self._message()).wire()
            await call_data_plane(plane, "PUT", "controlplanes", body, call_seconds=self._call_seconds)
        except (TransientError, PermanentError) as error:
            _log.warning(
                "this control plane could not be registered at a data plane",
                extra={"data_plane": self._data_plane_id, "error": redacted(error.message)},
            )
            return False
        return True

    async def _message(self) -> ControlPlaneRegistrationMessage:
        offered = self._credentials
        authorization = None
        if offered is not None:
            authorization = AuthorizationMessage(
                type=CLIENT_CREDENTIALS,
                token_endpoint=offered.token_endpoint,
                client_id=offered.client_id,
                client_secret=await offered.secret(),
                jwks_uri=offered.jwks_uri,
            )
        return ControlPlaneRegistrationMessage(
            controlplane_id=self._control_plane_id, endpoint=self._signaling_url, authorization=authorization
        )
