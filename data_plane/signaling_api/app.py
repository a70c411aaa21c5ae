"""The data plane's FastAPI app."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import FastAPI

from connector_spi.json_body import BODY_MAX_SECONDS
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.destination_service import DestinationService
from data_plane.signaling_api import error_answers
from data_plane.signaling_api.gate import SignalingGate
from data_plane.signaling_api.health import Check, health_router
from data_plane.signaling_api.routes import signaling_router


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """Who may send what: see `SignalingGate`."""

    token: Callable[[], Awaitable[str]] | None
    max_body_bytes: int
    body_seconds: float = BODY_MAX_SECONDS


def create_app(
    *,
    flows: DataFlowService,
    destinations: DestinationService,
    checks: Mapping[str, Check],
    gate: GateRules,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> FastAPI:
    """Routes, gate, error answers; `lifespan` runs the workers for as long as the app is served."""
    app = FastAPI(title="Data plane", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(signaling_router(flows, destinations))
    app.include_router(health_router(checks))
    error_answers.install(app)
    app.add_middleware(
        SignalingGate, token=gate.token, max_body_bytes=gate.max_body_bytes, body_seconds=gate.body_seconds
    )
    return app
