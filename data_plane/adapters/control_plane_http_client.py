"""ControlPlaneClient over HTTP: the call-backs of Data Plane Signaling."""

from typing import Final
from urllib.parse import quote

import httpx

from connector_spi.errors import ConfigurationError, PeerRefusedError, PeerUnavailableError
from connector_spi.signaling import DataFlowStatusMessage
from connector_spi.vault import Vault

_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_TRY_AGAIN: Final = frozenset({401, 403, 404, 408, 409, 425, 429})
"""The control plane may not know the transfer yet, or be in the middle of it; its token may be in the middle of a
rotation, or the vault that it checks tokens with away. The caller's patience ends it."""
_SERVER_ERRORS: Final = 500
_EXTENSION_UNKNOWN: Final = frozenset({404, 405, 501})


class ControlPlaneHttpClient:
    """Implements `data_plane.ports.control_plane_client.ControlPlaneClient`.

    `default_base`: URL of the control plane's signaling API, for flows that name none. `token_alias`: vault alias of
    the bearer token to send, or nothing. Redirects are not followed.
    """

    def __init__(self, client: httpx.AsyncClient, *, default_base: str, vault: Vault, token_alias: str) -> None:
        self._client = client
        self._default_base = default_base
        self._vault = vault
        self._token_alias = token_alias

    async def completed(self, base: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        """Everything was published."""
        _check(await self._post(base, flow_id, "completed", message), "completed")

    async def errored(self, base: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        """A final error ended the flow."""
        _check(await self._post(base, flow_id, "errored", message), "errored")

    async def progress(self, base: str, flow_id: str, message: DataFlowStatusMessage) -> None:
        """How far the flow is."""
        status = await self._post(base, flow_id, "progress", message)
        if status in _EXTENSION_UNKNOWN:
            raise PeerRefusedError("The control plane does not take progress reports.", status=status)
        _check(status, "progress")

    async def _post(self, base: str, flow_id: str, kind: str, message: DataFlowStatusMessage) -> int:
        url = f"{(base or self._default_base).rstrip('/')}/transfers/{quote(flow_id, safe='')}/dataflow/{kind}"
        if not (base or self._default_base):
            raise ConfigurationError(key="control_plane_url", problem="is not set and the flow names no call-back")
        headers = {}
        if self._token_alias:
            headers["Authorization"] = f"Bearer {await self._vault.resolve(self._token_alias)}"
        try:
            answer = await self._client.post(
                url, json=message.wire(), headers=headers, timeout=_TIMEOUT, follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise PeerUnavailableError(f"The control plane did not answer ({type(error).__name__}).") from None
        return answer.status_code


def _check(status: int, kind: str) -> None:
    if httpx.codes.is_success(status):
        return
    text = f"The control plane answered the call-back {kind!r} with HTTP {status}."
    if status in _TRY_AGAIN or status >= _SERVER_ERRORS:
        raise PeerUnavailableError(text)
    raise PeerRefusedError(text, status=status)
