"""The endpoints of Data Plane Signaling 1.0-RC3. Flow ids may hold slashes and colons."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from connector_spi.errors import InvalidInputError
from connector_spi.json_body import parsed_object, validated
from connector_spi.signaling import (
    DataFlowPrepareMessage,
    DataFlowResumeMessage,
    DataFlowStartedNotificationMessage,
    DataFlowStartMessage,
    DataFlowSuspendMessage,
    DataFlowTerminateMessage,
    SignalingMessage,
)
from data_plane.services.data_flow_service import Body as Answer
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.destination_service import DestinationService

M = TypeVar("M", bound=SignalingMessage)


def _body(kind: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Reads the request's body as this message; an empty body has no members. The gate has limited its size."""

    async def message(request: Request) -> M:
        return validated(kind, parsed_object(await request.body()))

    return message


PrepareMessage = Annotated[DataFlowPrepareMessage, Depends(_body(DataFlowPrepareMessage))]
StartMessage = Annotated[DataFlowStartMessage, Depends(_body(DataFlowStartMessage))]
StartedMessage = Annotated[DataFlowStartedNotificationMessage, Depends(_body(DataFlowStartedNotificationMessage))]
SuspendMessage = Annotated[DataFlowSuspendMessage, Depends(_body(DataFlowSuspendMessage))]
ResumeMessage = Annotated[DataFlowResumeMessage, Depends(_body(DataFlowResumeMessage))]
TerminateMessage = Annotated[DataFlowTerminateMessage, Depends(_body(DataFlowTerminateMessage))]


def signaling_router(flows: DataFlowService, destinations: DestinationService) -> APIRouter:
    """The routes under /dataflows."""
    router = APIRouter(prefix="/dataflows", default_response_class=JSONResponse)

    @router.post("/prepare")
    async def prepare(message: PrepareMessage) -> Answer:
        """Receiver: make the destination ready."""
        return await destinations.prepare(message)

    @router.post("/start")
    async def start(message: StartMessage) -> Answer:
        """Sender: begin to copy."""
        return await flows.start(message)

    @router.post("/{flow_id:path}/started")
    async def started(flow_id: str, message: StartedMessage) -> Answer:
        """Receiver: the sender has started."""
        return await flows.started(flow_id, message.message_id)

    @router.post("/{flow_id:path}/suspend")
    async def suspend(flow_id: str, message: SuspendMessage) -> Answer:
        """Stop the bytes for now."""
        return await flows.suspend(flow_id, message.message_id, message.reason or "")

    @router.post("/{flow_id:path}/resume")
    async def resume(flow_id: str, message: ResumeMessage) -> Answer:
        """Go on."""
        return await flows.resume(flow_id, message)

    @router.post("/{flow_id:path}/terminate")
    async def terminate(flow_id: str, message: TerminateMessage) -> Answer:
        """Stop the bytes for good."""
        return await flows.terminate(flow_id, message.message_id, message.reason or "")

    @router.post("/{flow_id:path}/completed")
    async def completed(flow_id: str, request: Request) -> Answer:
        """The other side found that everything is there. The body may be anything, or nothing."""
        return await flows.completed(flow_id, _message_id(await request.body()))

    @router.get("/{flow_id:path}/status")
    async def status(flow_id: str) -> Answer:
        """State, progress, reason."""
        return await flows.status(flow_id)

    return router


def _message_id(body: bytes) -> str | None:
    try:
        sent = parsed_object(body).get("messageId")
    except InvalidInputError:
        return None
    return sent if isinstance(sent, str) and 0 < len(sent) <= 256 else None  # noqa: PLR2004 - as in the messages
