"""What the data planes report of their flows, and ask about them."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from connector_spi.errors import NotFoundError
from connector_spi.json_body import read_json_object, validated
from connector_spi.signaling import DataFlowStatusMessage
from control_plane.dsp_messages import CONTEXT, agreement_body
from control_plane.services.data_flow_service import DataFlowService
from control_plane.signaling_api.exchange import SignalingExchange

Handler = Callable[[frozenset[str], str, DataFlowStatusMessage], Awaitable[None]]


def callbacks_router(exchange: SignalingExchange, service: DataFlowService) -> APIRouter:
    """POST /transfers/{id}/dataflow/{prepared,started,completed,errored}, our own progress and suspended there.

    And GET /transfers/{id}/agreement.
    """
    router = APIRouter(prefix="/transfers")
    callbacks = _Callbacks(service)

    @router.post("/{process_id}/dataflow/{name}")
    async def receive(request: Request, process_id: str, name: str) -> Response:
        async def handle(callers: frozenset[str]) -> dict[str, Any]:
            message = validated(DataFlowStatusMessage, await read_json_object(request))
            await callbacks.named(name)(callers, process_id, message)
            return {}

        return await exchange.answer(request, handle)

    @router.get("/{process_id}/agreement")
    async def get_agreement(request: Request, process_id: str) -> Response:
        async def handle(callers: frozenset[str]) -> dict[str, Any]:
            return {"@context": [CONTEXT], **agreement_body(await service.agreement_of(callers, process_id))}

        return await exchange.answer(request, handle)

    return router


class _Callbacks:
    """What each call-back means; `progress` and `suspended` are this project's own."""

    def __init__(self, service: DataFlowService) -> None:
        self._service = service
        self._handlers: dict[str, Handler] = {
            "prepared": self._prepared,
            "started": self._started,
            "completed": self._completed,
            "errored": self._errored,
            "progress": self._progress,
            "suspended": self._suspended,
        }

    def named(self, name: str) -> Handler:
        if name not in self._handlers:
            raise NotFoundError(kind="Call-back", object_id=name)
        return self._handlers[name]

    async def _prepared(self, callers: frozenset[str], process_id: str, message: DataFlowStatusMessage) -> None:
        address = message.data_address.to_address() if message.data_address else None
        await self._service.on_prepared(callers, process_id, address)

    async def _started(self, callers: frozenset[str], process_id: str, message: DataFlowStatusMessage) -> None:
        address = message.data_address.to_address() if message.data_address else None
        await self._service.on_started(callers, process_id, address)

    async def _completed(self, callers: frozenset[str], process_id: str, message: DataFlowStatusMessage) -> None:
        if message.progress is not None:
            await self._service.on_progress(callers, process_id, message.progress)
        await self._service.on_completed(callers, process_id)

    async def _errored(self, callers: frozenset[str], process_id: str, message: DataFlowStatusMessage) -> None:
        failure = message.failure
        code = failure.code if failure else "DataFlowError"
        text = (failure.message if failure else message.error) or "The data plane gave no reason."
        if failure and failure.object_name:
            text = f"{text} (object {failure.object_name!r})"
        remedy = (failure.remedy if failure else None) or ""
        await self._service.on_errored(callers, process_id, code=code, message=text, remedy=remedy)

    async def _progress(self, callers: frozenset[str], process_id: str, message: DataFlowStatusMessage) -> None:
        if message.progress is not None:
            await self._service.on_progress(callers, process_id, message.progress)

    async def _suspended(self, callers: frozenset[str], process_id: str, message: DataFlowStatusMessage) -> None:
        reason = message.reason or "The data plane gave no reason."
        await self._service.on_suspended(callers, process_id, message_id=message.message_id, reason=reason)
