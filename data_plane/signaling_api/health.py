"""Health for operators, in EDC's shape: `/api/check/{liveness,readiness,startup,health}`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from connector_spi.errors import ConnectorError

Check = Callable[[], Awaitable[None]]
"""Returns when the component is well, raises a ConnectorError when it is not."""


def health_router(checks: Mapping[str, Check]) -> APIRouter:
    """Liveness says that the process answers; the others ask every component in `checks`."""
    router = APIRouter(prefix="/api/check")

    @router.get("/liveness")
    async def liveness() -> JSONResponse:
        """The process answers."""
        return _answer([])

    async def all_components() -> JSONResponse:
        """Every component answers."""
        return _answer([await _result(name, check) for name, check in checks.items()])

    for path in ("/readiness", "/startup", "/health"):
        router.add_api_route(path, all_components, methods=["GET"])
    return router


async def _result(name: str, check: Check) -> dict[str, Any]:
    try:
        await check()
    except ConnectorError as error:
        return {"component": name, "isHealthy": False, "failure": {"messages": [error.message]}}
    return {"component": name, "isHealthy": True}


def _answer(results: list[dict[str, Any]]) -> JSONResponse:
    healthy = all(result["isHealthy"] for result in results)
    return JSONResponse({"isSystemHealthy": healthy, "componentResults": results}, status_code=200 if healthy else 503)
