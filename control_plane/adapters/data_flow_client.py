"""DataFlowController over HTTP: the control plane's side of Data Plane Signaling.

An embedded data plane is reached through a Unix socket, a separate one over TCP: the same requests either way.
"""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from connector_spi.data_address import KEY_NAME, SECRET, DataAddress, DataAddressMessage
from connector_spi.errors import InvalidInputError, PeerRefusedError, PeerUnavailableError
from connector_spi.json_body import parsed_object
from connector_spi.log_context import redacted
from connector_spi.signaling import (
    DataFlowResumeMessage,
    DataFlowStartMessage,
    DataFlowState,
    DataFlowStatusMessage,
    DataFlowSuspendMessage,
    DataFlowTerminateMessage,
    SignalingMessage,
)
from connector_spi.vault import Vault
from control_plane.domain.transfer_process import TransferProcess
from control_plane.ports.data_flow_controller import FlowStatus, StartedFlow

_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_RETRYABLE: Final = frozenset({401, 403, 408, 425, 429})
"""Also 401 and 403: a token that is being rotated is a matter of seconds, and the deadline ends what is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPlaneEndpoint:
    """A data plane that this control plane may use.

    `token_alias`: vault alias of the bearer token that both hold, or None. `shares_vault`: whether messages may hold
    vault aliases in place of secrets.
    """

    id: str
    url: str
    transfer_types: tuple[str, ...]
    token_alias: str | None
    shares_vault: bool
    http: httpx.AsyncClient


class DataFlowClient:
    """Signals the configured data planes; a process stays with the data plane that took its flow."""

    def __init__(
        self,
        *,
        data_planes: tuple[DataPlaneEndpoint, ...],
        vault: Vault,
        signaling_url: str,
        dataspace_context: str,
    ) -> None:
        """`signaling_url`: where data planes call back."""
        self._data_planes = data_planes
        self._vault = vault
        self._signaling_url = signaling_url
        self._dataspace_context = dataspace_context

    def transfer_types(self) -> tuple[str, ...]:
        """The union over the data planes, in configured order."""
        return tuple(dict.fromkeys(t for plane in self._data_planes for t in plane.transfer_types))

    async def start(self, process: TransferProcess, *, source: DataAddress, provider_id: str) -> StartedFlow:
        """POST dataflows/start; a flow that exists already is asked for its state."""
        plane = self._plane_for(process)
        start = DataFlowStartMessage(
            participant_id=provider_id,
            counter_party_id=process.counter_party_id,
            dataspace_context=self._dataspace_context,
            process_id=process.id,
            agreement_id=process.contract_id,
            dataset_id=process.asset_id,
            profile=process.transfer_type,
            metadata={"source": {"type": source.type, "properties": dict(source.properties)}},
            data_address=DataAddressMessage.of(await self._destination(plane, process)),
            callback_address=self._signaling_url,
        )
        try:
            answer = await self._call(plane, "POST", "start", start)
        except PeerRefusedError as error:
            if error.status != _CONFLICT:
                raise
            answer = await self._call(plane, "GET", f"{quote(process.id, safe='')}/status")
        return StartedFlow(data_plane_id=plane.id, state=_state(answer))

    async def status(self, process: TransferProcess) -> FlowStatus | None:
        """GET dataflows/{id}/status."""
        try:
            answer = await self._call(self._plane_for(process), "GET", f"{quote(process.id, safe='')}/status")
            told = DataFlowStatusMessage.model_validate(answer)
        except PeerRefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            return None
        except ValidationError as error:
            raise PeerUnavailableError("The data plane's answer is not a data flow status.") from error
        return FlowStatus(state=told.state, failure=told.failure) if told.state else None

    async def suspend(self, process: TransferProcess) -> None:
        """POST dataflows/{id}/suspend."""
        await self._signal(process, "suspend", DataFlowSuspendMessage(reason="suspended"))

    async def resume(self, process: TransferProcess) -> None:
        """POST dataflows/{id}/resume."""
        await self._signal(process, "resume", DataFlowResumeMessage())

    async def terminate(self, process: TransferProcess) -> None:
        """POST dataflows/{id}/terminate; a flow that the data plane does not know needs no end."""
        # The answer to `start` may have been lost, so a data plane is asked even when none is known to have the flow.
        reason = process.error.message if process.error else None
        try:
            await self._signal(process, "terminate", DataFlowTerminateMessage(reason=reason))
        except PeerRefusedError as error:
            if error.status != _NOT_FOUND:
                raise

    async def _signal(self, process: TransferProcess, action: str, message: SignalingMessage) -> None:
        plane = self._plane_for(process)
        await self._call(plane, "POST", f"{quote(process.id, safe='')}/{action}", message)

    def _plane_for(self, process: TransferProcess) -> DataPlaneEndpoint:
        for plane in self._data_planes:
            chosen = plane.id == process.data_plane_id if process.data_plane_id else True
            if chosen and process.transfer_type in plane.transfer_types:
                return plane
        raise PeerRefusedError(f"No data plane serves the transfer type {process.transfer_type!r}.", status=0)

    async def _destination(self, plane: DataPlaneEndpoint, process: TransferProcess) -> DataAddress:
        """The destination with the vault alias, or, for a data plane with a vault of its own, with the secret."""
        destination = process.data_destination.with_properties(
            transferNonce=process.nonce, consumerProcessId=process.correlation_id or ""
        )
        alias = process.secret_alias
        if alias is None or plane.shares_vault:
            return destination
        return destination.without(KEY_NAME).with_properties(**{SECRET: await self._vault.resolve(alias)})

    async def _call(
        self, plane: DataPlaneEndpoint, method: str, path: str, message: SignalingMessage | None = None
    ) -> dict[str, Any]:
        headers = {}
        if plane.token_alias:
            headers["Authorization"] = f"Bearer {await self._vault.resolve(plane.token_alias)}"
        url = f"{plane.url.rstrip('/')}/dataflows/{path}"
        try:
            body = message.wire() if message else None
            response = await plane.http.request(method, url, json=body, headers=headers)
        except httpx.TransportError as error:
            what = type(error).__name__
            raise PeerUnavailableError(f"The data plane {plane.id!r} cannot be reached ({what}).") from error
        return _answer(plane.id, response)


def _answer(plane_id: str, response: httpx.Response) -> dict[str, Any]:
    try:
        answer = parsed_object(response.content)
    except InvalidInputError:
        answer = {}
    if response.is_success:
        return answer
    said = redacted(str(answer.get("message") or answer.get("detail") or ""))[:500]
    text = f"The data plane {plane_id!r} answered {response.status_code}" + (f": {said}" if said else ".")
    if response.status_code in _RETRYABLE or response.is_server_error:
        raise PeerUnavailableError(text)
    raise PeerRefusedError(text, status=response.status_code)


def _state(answer: dict[str, Any]) -> DataFlowState:
    """The flow's state; a data plane that leaves it out has done what it was asked."""
    try:
        return DataFlowStatusMessage.model_validate(answer).state or DataFlowState.STARTED
    except ValidationError:
        return DataFlowState.STARTED
