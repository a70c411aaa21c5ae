"""DataFlowController over HTTP: the control plane's side of Data Plane Signaling.

An embedded data plane is reached through a Unix socket, a separate one over TCP: the same requests either way.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from connector_spi.data_address import KEY_NAME, SECRET, DataAddress, DataAddressMessage
from connector_spi.errors import PeerRefusedError, PeerUnavailableError, SecretNotFoundError
from connector_spi.signaling import (
    DataFlowBaseMessage,
    DataFlowPrepareMessage,
    DataFlowResumeMessage,
    DataFlowStartedNotificationMessage,
    DataFlowStartMessage,
    DataFlowStatusMessage,
    DataFlowSuspendMessage,
    DataFlowTerminateMessage,
    SignalingMessage,
)
from connector_spi.vault import Vault
from connector_spi.vault_access import resolved
from control_plane.adapters.data_plane_calls import DataPlaneAnswer, call_data_plane
from control_plane.adapters.data_plane_directory import DataPlaneDirectory, DataPlaneEndpoint
from control_plane.domain.sealed_address import unsealed
from control_plane.domain.transfer_process import TransferProcess, TransferProcessType, data_address_alias
from control_plane.ports.data_flow_controller import FlowAnswer, FlowStatus

_ACCEPTED: Final = 202
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_FLOW_ID_MAX: Final = 256
_TOLD: Final = "tell a data plane the address"
"""Why secrets are read here."""
_SECRET_NAMES: Final = {"HttpData": "authorization"}
"""What a destination's secret is called on the wire, where its profile has a name of its own."""


class DataFlowClient:
    """Signals data planes; a process stays with the data plane that it was given to."""

    def __init__(
        self,
        *,
        directory: DataPlaneDirectory,
        vault: Vault,
        signaling_url: str,
        dataspace_context: str,
        call_seconds: float,
    ) -> None:
        """`signaling_url`: where data planes call back. `call_seconds`: limit of one call."""
        self._directory = directory
        self._vault = vault
        self._signaling_url = signaling_url
        self._dataspace_context = dataspace_context
        self._call_seconds = call_seconds

    async def transfer_types(self, source_type: str | None = None) -> tuple[str, ...]:
        """The union over the data planes, in configured order."""
        planes = [plane for plane in await self._directory.all() if plane.reads(source_type)]
        return tuple(dict.fromkeys(t for plane in planes for t in plane.transfer_types))

    async def data_plane_for(self, transfer_type: str, source_type: str | None = None) -> str:
        """The first that serves the type."""
        serving = [plane for plane in await self._directory.serving(transfer_type) if plane.reads(source_type)]
        if not serving:
            known = ", ".join(await self.transfer_types(source_type)) or "none"
            what = f" for data of the type {source_type!r}" if source_type else ""
            text = f"No data plane serves the transfer type {transfer_type!r}{what}; there is: {known}."
            raise PeerRefusedError(text, status=0)
        return serving[0].id

    async def preparing_data_plane_for(self, transfer_type: str) -> str | None:
        """The first that serves the type and prepares."""
        serving = await self._directory.serving(transfer_type)
        return next((plane.id for plane in serving if plane.prepares), None)

    async def prepare(self, process: TransferProcess) -> FlowAnswer:
        """POST dataflows/prepare."""
        wish = process.data_destination
        metadata = {"destination": _in_metadata(wish)} if wish.type else None
        message = DataFlowPrepareMessage(**self._facts(process), metadata=metadata)
        return await self._begun(process, "prepare", message)

    async def start(self, process: TransferProcess, *, source: DataAddress) -> FlowAnswer:
        """POST dataflows/start."""
        plane = await self._directory.named(process.data_plane_id)
        destination = None if process.is_pull else await self._destination(plane, process)
        message = DataFlowStartMessage(
            **self._facts(process),
            metadata={"source": _in_metadata(source)},
            data_address=DataAddressMessage.of(destination) if destination else None,
        )
        return await self._begun(process, "start", message)

    async def destination(self, process: TransferProcess) -> DataAddress:
        """As `start` has it."""
        return await self._destination(await self._directory.named(process.data_plane_id), process)

    async def notify_started(self, process: TransferProcess) -> None:
        """POST dataflows/{id}/started."""
        address = await self._served_at(process)
        await self._signal(process, "started", DataFlowStartedNotificationMessage(**_id(process), data_address=address))

    async def status(self, process: TransferProcess) -> FlowStatus | None:
        """GET dataflows/{id}/status."""
        try:
            told = DataFlowStatusMessage.model_validate((await self._signal(process, "status")).body)
        except PeerRefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            return None
        except ValidationError as error:
            raise PeerUnavailableError("The data plane's answer is not a data flow status.") from error
        return FlowStatus(state=told.state, failure=told.failure) if told.state else None

    async def suspend(self, process: TransferProcess) -> None:
        """POST dataflows/{id}/suspend."""
        await self._signal(process, "suspend", DataFlowSuspendMessage(**_id(process), reason="suspended"))

    async def resume(self, process: TransferProcess) -> FlowAnswer:
        """POST dataflows/{id}/resume."""
        fetches = process.type is TransferProcessType.CONSUMER
        address = await self._served_at(process) if fetches else None
        answer = await self._signal(process, "resume", DataFlowResumeMessage(**_id(process), data_address=address))
        return _flow_answer(process, answer)

    async def renew_credential(self, process: TransferProcess) -> FlowAnswer:
        """POST dataflows/{id}/credential; this project's extension."""
        return _flow_answer(process, await self._signal(process, "credential", SignalingMessage()))

    async def complete(self, process: TransferProcess) -> None:
        """POST dataflows/{id}/completed."""
        await self._signal(process, "completed", SignalingMessage(**_id(process)))

    async def terminate(self, process: TransferProcess) -> None:
        """POST dataflows/{id}/terminate; a flow that the data plane does not know needs no end."""
        reason = process.error.message if process.error else None
        try:
            await self._signal(process, "terminate", DataFlowTerminateMessage(**_id(process), reason=reason))
        except PeerRefusedError as error:
            if error.status != _NOT_FOUND:
                raise

    async def _begun(self, process: TransferProcess, action: str, message: DataFlowBaseMessage) -> FlowAnswer:
        """Prepare or start; a flow that exists already is asked for its state."""
        plane = await self._directory.named(process.data_plane_id)
        body = message.wire()
        if plane.legacy_members:
            body |= {"transferType": process.transfer_type, "callbackAddress": self._signaling_url}
        try:
            answer = await self._call(plane, "POST", action, body)
        except PeerRefusedError as error:
            if error.status != _CONFLICT:
                raise
            answer = await self._signal(process, "status")
        return _flow_answer(process, answer)

    async def _signal(
        self, process: TransferProcess, action: str, message: SignalingMessage | None = None
    ) -> DataPlaneAnswer:
        plane = await self._directory.named(process.data_plane_id)
        path = f"{quote(process.flow_id, safe='')}/{action}"
        return await self._call(plane, "POST" if message else "GET", path, message.wire() if message else None)

    async def _call(
        self, plane: DataPlaneEndpoint, method: str, path: str, body: dict[str, Any] | None
    ) -> DataPlaneAnswer:
        return await call_data_plane(plane, method, f"dataflows/{path}", body, call_seconds=self._call_seconds)

    def _facts(self, process: TransferProcess) -> dict[str, Any]:
        return {
            **_id(process),
            "participant_id": process.participant_id,
            "counter_party_id": process.counter_party_id,
            "dataspace_context": self._dataspace_context,
            "process_id": process.id,
            "agreement_id": process.contract_id,
            "dataset_id": process.asset_id,
            "profile": process.transfer_type,
        }

    async def _destination(self, plane: DataPlaneEndpoint, process: TransferProcess) -> DataAddress:
        """The destination with the vault alias, or, for a data plane with a vault of its own, with the secret."""
        destination = process.data_destination.with_properties(
            transferNonce=process.nonce, consumerProcessId=process.correlation_id or ""
        )
        alias = process.secret_alias
        if alias is None or plane.shares_vault:
            return destination
        name = _SECRET_NAMES.get(destination.type, SECRET)
        return destination.without(KEY_NAME).with_properties(
            **{name: await resolved(self._vault, alias, purpose=_TOLD)}
        )

    async def _served_at(self, process: TransferProcess) -> DataAddressMessage | None:
        """Where a consumer's pull fetches the data, as the provider's start message told."""
        if not process.is_pull:
            return None
        try:
            return DataAddressMessage.of(
                unsealed(await resolved(self._vault, data_address_alias(process.id), purpose=_TOLD))
            )
        except SecretNotFoundError:
            return None


def _id(process: TransferProcess) -> dict[str, Any]:
    """The message's id, the same when a send is repeated."""
    return {"message_id": process.message_id} if process.message_id else {}


def _in_metadata(address: DataAddress) -> Mapping[str, Any]:
    return {"type": address.type, "properties": dict(address.properties)}


def _flow_answer(process: TransferProcess, answer: DataPlaneAnswer) -> FlowAnswer:
    """What the data plane answered; one that leaves the state out has done what it was asked, or will (202)."""
    state = str(answer.body.get("state") or ("STARTING" if answer.status == _ACCEPTED else "")).upper()
    return FlowAnswer(
        pending=state.endswith("ING"),
        data_flow_id=_other_id(answer.body.get("dataFlowId"), process.id),
        data_address=_address(answer.body.get("dataAddress")),
    )


def _other_id(told: object, process_id: str) -> str | None:
    """The data plane's own name of the flow; None where it is the process's id, or none that can be used."""
    usable = isinstance(told, str) and 0 < len(told) <= _FLOW_ID_MAX and told != process_id
    return str(told) if usable else None


def _address(told: object) -> DataAddress | None:
    if told is None:
        return None
    try:
        return DataAddressMessage.model_validate(told).to_address()
    except ValidationError:
        raise PeerRefusedError("The data plane's answer holds a data address that cannot be read.", status=0) from None
