"""The endpoints of Data Plane Signaling 1.0-RC3. Flow ids may hold slashes and colons."""

from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from connector_spi.signaling import DataFlowState
from data_plane.services.control_plane_registration import ControlPlaneRegistration
from data_plane.services.data_flow_service import Body as Answer
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.flow_creation import FlowCreation
from data_plane.signaling_api.messages import (
    Caller,
    OptionalMessageId,
    PrepareMessage,
    RegistrationMessage,
    ResumeMessage,
    StartedMessage,
    StartMessage,
    SuspendMessage,
    TerminateMessage,
)

_UNDER_WAY = frozenset({DataFlowState.PREPARING, DataFlowState.STARTING})


def signaling_router(creation: FlowCreation, flows: DataFlowService) -> APIRouter:
    """The routes under /dataflows."""
    router = APIRouter(prefix="/dataflows", default_response_class=JSONResponse)

    @router.post("/prepare")
    async def prepare(message: PrepareMessage, caller: Caller) -> JSONResponse:
        """Consumer: make ready to receive."""
        return _created(await creation.prepare(message, caller))

    @router.post("/start")
    async def start(message: StartMessage, caller: Caller) -> JSONResponse:
        """Provider: begin to send, or give access."""
        return _created(await creation.start(message, caller))

    @router.post("/{flow_id:path}/started")
    async def started(flow_id: str, message: StartedMessage, caller: Caller) -> Answer:
        """Consumer: the provider has started."""
        return await flows.started(flow_id, message, caller)

    @router.post("/{flow_id:path}/suspend")
    async def suspend(flow_id: str, message: SuspendMessage, caller: Caller) -> Answer:
        """Stop the bytes for now."""
        return await flows.suspend(flow_id, message.message_id, message.reason or "", caller)

    @router.post("/{flow_id:path}/resume")
    async def resume(flow_id: str, message: ResumeMessage, caller: Caller) -> Answer:
        """Go on."""
        return await flows.resume(flow_id, message, caller)

    @router.post("/{flow_id:path}/credential")
    async def credential(flow_id: str, caller: Caller) -> JSONResponse:
        """Consumer: a credential with a later end for what was prepared (this project's extension)."""
        return JSONResponse(dict(await flows.credential(flow_id, caller)), headers={"Cache-Control": "no-store"})

    @router.post("/{flow_id:path}/terminate")
    async def terminate(flow_id: str, message: TerminateMessage, caller: Caller) -> Answer:
        """Stop the bytes for good."""
        return await flows.terminate(flow_id, message.message_id, message.reason or "", caller)

    @router.post("/{flow_id:path}/completed")
    async def completed(flow_id: str, message_id: OptionalMessageId, caller: Caller) -> Answer:
        """The other side found that everything is there. The body may be anything, or nothing."""
        return await flows.completed(flow_id, message_id, caller)

    @router.get("/{flow_id:path}/status")
    async def status(flow_id: str, caller: Caller) -> Answer:
        """State, progress, reason."""
        return await flows.status(flow_id, caller)

    return router


def registration_router(registration: ControlPlaneRegistration) -> APIRouter:
    """The routes under /controlplanes."""
    router = APIRouter(prefix="/controlplanes", default_response_class=JSONResponse)

    @router.put("")
    async def register(message: RegistrationMessage, caller: Caller) -> Answer:
        """Make a control plane known, or replace what is known of it."""
        await registration.register(message, caller)
        return {}

    @router.delete("/{control_plane_id:path}", status_code=204)
    async def leave(control_plane_id: str, caller: Caller) -> None:
        """Forget a control plane."""
        await registration.leave(control_plane_id, caller)

    return router


def _created(body: Answer) -> JSONResponse:
    """200; 202 with the address of the status, where the call-back will tell when it is done."""
    if body["state"] not in _UNDER_WAY:
        return JSONResponse(dict(body))
    location = f"/dataflows/{quote(body['dataFlowId'], safe='')}/status"
    return JSONResponse(dict(body), status_code=202, headers={"Location": location})
