"""Health, for whoever watches over the process; needs no key."""

import asyncio
import logging
from typing import Any, Final

from fastapi import APIRouter, Response
from starlette.status import HTTP_503_SERVICE_UNAVAILABLE

from connector_spi.errors import ConnectorError
from management_api.dependencies import ControlPlane
from management_api.managed_control_plane import ManagedControlPlane
from management_api.schemas.answers import ComponentFailure, ComponentResult, HealthStatus

logger = logging.getLogger(__name__)

_LIMIT_SECONDS: Final = 5.0
_UNHEALTHY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": HealthStatus, "description": "A component is not healthy."}
}

router = APIRouter(prefix="/api/check", tags=["health"])


async def _components(control_plane: ManagedControlPlane) -> dict[str, bool]:
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            return dict(await control_plane.ready())
    except (ConnectorError, TimeoutError):
        logger.warning("The control plane could not tell whether it is ready.", exc_info=True)
        return {"control-plane": False}


def _status(components: dict[str, bool], response: Response) -> HealthStatus:
    """An empty list counts as unhealthy, as in EDC: nothing has said that it works."""
    healthy = bool(components) and all(components.values())
    if not healthy:
        response.status_code = HTTP_503_SERVICE_UNAVAILABLE
    results = [
        ComponentResult(component=name, is_healthy=works, failure=None if works else _failure(name))
        for name, works in components.items()
    ]
    return HealthStatus(is_system_healthy=healthy, component_results=results)


def _failure(component: str) -> ComponentFailure:
    detail = f"{component} does not answer."
    return ComponentFailure(failure_detail=detail, messages=[detail])


@router.get("/liveness", summary="Whether this process answers", response_model_exclude_none=True)
async def liveness(response: Response) -> HealthStatus:
    """A process that fails this should be started again. It asks nobody else."""
    return _status({"process": True}, response)


@router.get(
    "/readiness", summary="Whether requests can be served", responses=_UNHEALTHY, response_model_exclude_none=True
)
@router.get(
    "/startup", summary="Whether the connector has started", responses=_UNHEALTHY, response_model_exclude_none=True
)
@router.get("/health", summary="The health of every component", responses=_UNHEALTHY, response_model_exclude_none=True)
async def readiness(response: Response, control_plane: ControlPlane) -> HealthStatus:
    """Every component that must work before requests can be served."""
    return _status(await _components(control_plane), response)
