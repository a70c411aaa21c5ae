"""Transfer endpoints, of the provider and of the consumer: one table, for only the process's role differs."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from connector_spi.errors import NotFoundError
from control_plane.domain.participant import Participant
from control_plane.domain.transfer_process import TransferProcess, TransferProcessType
from control_plane.dsp_messages import PROTOCOL, PidsMessage, TransferRequestMessage, TransferStartMessage, message
from control_plane.protocol_api.error_answers import NO_PROCESS
from control_plane.protocol_api.exchange import TRANSFER_ERROR, Exchange, read_message
from control_plane.services.transfer_messages import (
    COMPLETION,
    START,
    SUSPENSION,
    TERMINATION,
    IncomingTransferMessage,
)
from control_plane.services.transfer_protocol_service import TransferProtocolService
from control_plane.services.transfer_request_intake import IncomingTransferRequest

_MESSAGES: Final = {
    START: "TransferStartMessage",
    COMPLETION: "TransferCompletionMessage",
    SUSPENSION: "TransferSuspensionMessage",
    TERMINATION: "TransferTerminationMessage",
}


class TransferEndpoints:
    """/transfers."""

    def __init__(self, exchange: Exchange, service: TransferProtocolService) -> None:
        self._exchange = exchange
        self._service = service

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/transfers")
        router.add_api_route("/request", self.request_transfer, methods=["POST"])
        router.add_api_route("/{pid}", self.get_transfer, methods=["GET"])
        router.add_api_route("/{pid}/{name}", self.receive, methods=["POST"])
        return router

    async def get_transfer(self, request: Request, pid: str) -> JSONResponse:
        """The process as the protocol shows it."""

        async def handle(caller: Participant) -> dict[str, Any]:
            return _shown(await self._service.get(caller.id, pid))

        return await self._exchange.answer(request, TRANSFER_ERROR, handle)

    async def request_transfer(self, request: Request) -> JSONResponse:
        """A consumer asks for data."""

        async def handle(caller: Participant) -> dict[str, Any]:
            body = await read_message(request, TransferRequestMessage, "TransferRequestMessage")
            incoming = IncomingTransferRequest(
                consumer_pid=body.consumer_pid,
                agreement_id=body.agreement_id,
                transfer_type=body.format,
                callback_address=body.callback_address,
                protocol=PROTOCOL,
                data_address=body.data_address.to_address() if body.data_address else None,
            )
            return _shown(await self._service.on_request(caller, incoming))

        return await self._exchange.answer(request, TRANSFER_ERROR, handle, status=201)

    async def receive(self, request: Request, pid: str, name: str) -> JSONResponse:
        """A start, completion, suspension or termination message."""

        async def handle(caller: Participant) -> dict[str, Any]:
            if name not in _MESSAGES:
                raise NotFoundError(kind="Endpoint", object_id=name)
            model = TransferStartMessage if name == START else PidsMessage
            body = await read_message(request, model, _MESSAGES[name])
            data_address = body.data_address if isinstance(body, TransferStartMessage) else None
            incoming = IncomingTransferMessage(
                name=name,
                message_id=body.id,
                consumer_pid=body.consumer_pid,
                provider_pid=body.provider_pid,
                code=body.code,
                reason=body.reason_text(),
                data_address=data_address.to_address() if data_address else None,
            )
            await self._service.on_message(caller.id, pid, incoming)
            return {}

        return await self._exchange.answer(request, TRANSFER_ERROR, handle)


def _shown(process: TransferProcess) -> dict[str, Any]:
    own, other = process.id, process.correlation_id or NO_PROCESS
    consumer = process.type is TransferProcessType.CONSUMER
    progress = process.progress.model_dump(mode="json", by_alias=True, exclude_none=True) if process.progress else None
    return message(
        "TransferProcess",
        message_id=own,
        consumerPid=own if consumer else other,
        providerPid=other if consumer else own,
        state=process.public_state.name,
        progress=progress,
    )
