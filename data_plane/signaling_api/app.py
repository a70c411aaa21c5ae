"""The data plane's FastAPI apps: everything, and what is public alone."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import FastAPI

from connector_spi.json_body import BODY_MAX_SECONDS
from data_plane.services.callers import CallerCheck
from data_plane.services.control_plane_registration import ControlPlaneRegistration
from data_plane.services.data_flow_service import DataFlowService
from data_plane.services.flow_creation import FlowCreation
from data_plane.services.inbox_writes import InboxWrites
from data_plane.services.public_reads import PublicReads
from data_plane.services.token_renewal import TokenRenewal
from data_plane.signaling_api import error_answers
from data_plane.signaling_api.gate import SignalingGate
from data_plane.signaling_api.health import Check, health_router
from data_plane.signaling_api.inbox import inbox_router
from data_plane.signaling_api.public import public_router
from data_plane.signaling_api.routes import registration_router, signaling_router
from data_plane.signaling_api.token_endpoint import token_router


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """Who may send what: see `SignalingGate`."""

    callers: CallerCheck | None
    max_body_bytes: int
    body_seconds: float = BODY_MAX_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What the app serves. Without `reads`, `writes` and `renewal`, nothing is public."""

    creation: FlowCreation
    flows: DataFlowService
    registration: ControlPlaneRegistration
    reads: PublicReads | None = None
    writes: InboxWrites | None = None
    renewal: TokenRenewal | None = None


def create_app(
    use_cases: UseCases,
    *,
    checks: Mapping[str, Check],
    gate: GateRules,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> FastAPI:
    """Routes, gate, error answers; `lifespan` runs the workers for as long as the app is served."""
    app = FastAPI(title="Data plane", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(signaling_router(use_cases.creation, use_cases.flows))
    app.include_router(registration_router(use_cases.registration))
    _include_public(app, use_cases)
    app.include_router(health_router(checks))
    error_answers.install(app)
    app.add_middleware(
        SignalingGate, callers=gate.callers, max_body_bytes=gate.max_body_bytes, body_seconds=gate.body_seconds
    )
    return app


def create_public_app(use_cases: UseCases) -> FastAPI:
    """/public alone, for a listener that other organisations reach. Its workers are those of the other app."""
    app = FastAPI(title="Data plane", docs_url=None, redoc_url=None, openapi_url=None)
    _include_public(app, use_cases)
    error_answers.install(app)
    return app


def _include_public(app: FastAPI, use_cases: UseCases) -> None:
    if use_cases.renewal is not None:
        app.include_router(token_router(use_cases.renewal))
    if use_cases.reads is not None:
        app.include_router(public_router(use_cases.reads))
    if use_cases.writes is not None:
        app.include_router(inbox_router(use_cases.writes))
