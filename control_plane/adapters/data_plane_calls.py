"""One call to a data plane: authorization, limits, and what its answer means."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import httpx

from connector_spi.errors import InvalidInputError, PeerRefusedError, PeerUnavailableError
from connector_spi.json_body import parsed_object
from connector_spi.log_context import redacted
from control_plane.adapters.data_plane_directory import DataPlaneEndpoint
from outbound_http.guarded_client import read_limited

_UNAUTHORIZED: Final = 401
_RETRYABLE: Final = frozenset({_UNAUTHORIZED, 403, 408, 425, 429})
"""Also 401 and 403: a token that is being rotated is a matter of seconds, and the deadline ends what is not."""
_REASON_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class DataPlaneAnswer:
    """A good answer: its status, and its JSON object or an empty one."""

    status: int
    body: dict[str, Any]


async def call_data_plane(
    plane: DataPlaneEndpoint, method: str, path: str, body: dict[str, Any] | None, *, call_seconds: float
) -> DataPlaneAnswer:
    """Call `path` below the data plane's base address.

    Raises:
        PeerUnavailableError: no answer, too large a one, 5xx, 401, 403, 408, 425 or 429.
        PeerRefusedError: any other 4xx, with the status and what the data plane said.
        ForbiddenAddressError: its address may not be called.
        SecretNotFoundError, VaultForbiddenError, VaultUnavailableError: its token could not be read.
    """
    header = await plane.authorization.header()
    headers = {} if header is None else {"Authorization": header}
    base = (plane.url or "").rstrip("/").removesuffix("/dataflows")
    try:
        async with (
            asyncio.timeout(call_seconds),
            plane.http.stream(method, f"{base}/{path}", json=body, headers=headers) as response,
        ):
            content = await read_limited(response)
    except (httpx.RequestError, TimeoutError) as error:
        what = type(error).__name__
        raise PeerUnavailableError(f"The data plane {plane.id!r} cannot be reached ({what}).") from error
    if response.status_code == _UNAUTHORIZED and header is not None:
        plane.authorization.refused(header)
    return _answer(plane.id, response, content)


def _answer(plane_id: str, response: httpx.Response, content: bytes) -> DataPlaneAnswer:
    status = response.status_code
    try:
        body = parsed_object(content)
    except InvalidInputError:
        body = {}
    if response.is_success:
        return DataPlaneAnswer(status, body)
    said = redacted(str(body.get("message") or body.get("detail") or ""))[:_REASON_SHOWN]
    text = f"The data plane {plane_id!r} answered {status}" + (f": {said}" if said else ".")
    if status in _RETRYABLE or response.is_server_error:
        raise PeerUnavailableError(text)
    raise PeerRefusedError(text, status=status)
