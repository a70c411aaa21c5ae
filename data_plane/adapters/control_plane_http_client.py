"""ControlPlaneClient over HTTP: the call-backs of Data Plane Signaling."""

from typing import Final
from urllib.parse import quote

import httpx

from connector_spi.data_address import DataAddress
from connector_spi.errors import PeerRefusedError, PeerUnavailableError
from connector_spi.signaling import DataFlowStatusMessage
from data_plane.adapters.callback_targets import CallbackTargets
from data_plane.adapters.renewal_answer import renewed_address
from data_plane.domain.data_flow import DataFlow

_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_RENEWAL_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
"""The control plane asks the counterparty meanwhile, and that its storage."""
_TRY_AGAIN: Final = frozenset({401, 403, 404, 408, 409, 425, 429})
"""The control plane may not know the transfer yet, or be in the middle of it; its token may be in the middle of a
rotation, or the vault that it checks tokens with away. The caller's patience ends it."""
_SERVER_ERRORS: Final = 500
_EXTENSION_UNKNOWN: Final = frozenset({404, 405, 501})


class ControlPlaneHttpClient:
    """Implements `data_plane.ports.control_plane_client.ControlPlaneClient`. Redirects are not followed."""

    def __init__(self, targets: CallbackTargets) -> None:
        self._targets = targets

    async def prepared(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """What is needed to receive is ready."""
        _check(await self._post(flow, "prepared", message), "prepared")

    async def started(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """The flow has started."""
        _check(await self._post(flow, "started", message), "started")

    async def completed(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """Everything was published."""
        _check(await self._post(flow, "completed", message), "completed")

    async def errored(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """A final error ended the flow."""
        _check(await self._post(flow, "errored", message), "errored")

    async def progress(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """How far the flow is."""
        status = await self._post(flow, "progress", message)
        if status in _EXTENSION_UNKNOWN:
            raise PeerRefusedError("The control plane does not take progress reports.", status=status)
        _check(status, "progress")

    async def suspended(self, flow: DataFlow, message: DataFlowStatusMessage) -> None:
        """The flow was parked."""
        status = await self._post(flow, "suspended", message)
        if status in _EXTENSION_UNKNOWN:
            raise PeerRefusedError("The control plane does not take word of parked flows.", status=status)
        _check(status, "suspended")

    async def credential(self, flow: DataFlow, message: DataFlowStatusMessage) -> DataAddress:
        """Ask for a fresh credential."""
        return renewed_address(await self._send(flow, "credential", message, limits=_RENEWAL_TIMEOUT))

    async def _post(self, flow: DataFlow, kind: str, message: DataFlowStatusMessage) -> int:
        return (await self._send(flow, kind, message)).status_code

    async def _send(
        self, flow: DataFlow, kind: str, message: DataFlowStatusMessage, *, limits: httpx.Timeout = _TIMEOUT
    ) -> httpx.Response:
        target = await self._targets.of(flow)
        url = f"{target.base.rstrip('/')}/transfers/{quote(flow.id, safe='')}/dataflow/{kind}"
        headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}
        try:
            answer = await target.client.post(
                url, json=message.wire(), headers=headers, timeout=limits, follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise PeerUnavailableError(f"The control plane did not answer ({type(error).__name__}).") from None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            target.refused()
        return answer


def _check(status: int, kind: str) -> None:
    if httpx.codes.is_success(status):
        return
    text = f"The control plane answered the call-back {kind!r} with HTTP {status}."
    if status in _TRY_AGAIN or status >= _SERVER_ERRORS:
        raise PeerUnavailableError(text)
    raise PeerRefusedError(text, status=status)
