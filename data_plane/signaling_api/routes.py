"""The endpoints of Data Plane Signaling 1.0-RC3. Flow ids may hold slashes and colons."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse

from connector_spi.signaling import (
    DataFlowPrepareMessage,
    DataFlowResumeMessage,
    DataFlowStartedNotificationMessage,
    DataFlowStartMessage,
    DataFlowSuspendMessage,
    DataFlowTerminateMessage,
)
from data_plane.services.data_flow_service import Body as Answer
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.destination_service import DestinationService


def signaling_router(flows: DataFlowService, destinations: DestinationService) -> APIRouter:
    """The routes under /dataflows."""
    router = APIRouter(prefix="/dataflows", default_response_class=JSONResponse)

    @router.post("/prepare")
    async def prepare(message: DataFlowPrepareMessage) -> Answer:
        """Receiver: make the destination ready."""
        return await destinations.prepare(message)

    @router.post("/start")
    async def start(message: DataFlowStartMessage) -> Answer:
        """Sender: begin to copy."""
        return await flows.start(message)

    @router.post("/{flow_id:path}/started")
    async def started(
        flow_id: str, message: Annotated[DataFlowStartedNotificationMessage | None, Body()] = None
    ) -> Answer:
        """Receiver: the sender has started."""
        message = message or DataFlowStartedNotificationMessage()
        return await flows.started(flow_id, message.message_id)

    @router.post("/{flow_id:path}/suspend")
    async def suspend(flow_id: str, message: Annotated[DataFlowSuspendMessage | None, Body()] = None) -> Answer:
        """Stop the bytes for now."""
        message = message or DataFlowSuspendMessage()
        return await flows.suspend(flow_id, message.message_id, message.reason or "")

    @router.post("/{flow_id:path}/resume")
    async def resume(flow_id: str, message: Annotated[DataFlowResumeMessage | None, Body()] = None) -> Answer:
        """Go on."""
        return await flows.resume(flow_id, message or DataFlowResumeMessage())

    @router.post("/{flow_id:path}/terminate")
    async def terminate(flow_id: str, message: Annotated[DataFlowTerminateMessage | None, Body()] = None) -> Answer:
        """Stop the bytes for good."""
        message = message or DataFlowTerminateMessage()
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
        members: Any = json.loads(body)
    except ValueError:
        return None
    sent = members.get("messageId") if isinstance(members, dict) else None
    return sent if isinstance(sent, str) and 0 < len(sent) <= 256 else None  # noqa: PLR2004 - as in the messages
