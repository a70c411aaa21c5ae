"""The application that counterparties call."""

import logging
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.dsp_messages import VERSION
from control_plane.protocol_api.error_answers import (
    CATALOG_ERROR,
    NEGOTIATION_ERROR,
    TRANSFER_ERROR,
    VERSIONS_ERROR,
    ProcessIds,
    defect_answer,
    told,
)
from control_plane.protocol_api.versions import VERSION_PATH, VersionEntry, version_route

_log = logging.getLogger(__name__)

_ERROR_TYPES: Final = {
    "catalog": CATALOG_ERROR,
    "negotiations": NEGOTIATION_ERROR,
    "transfers": TRANSFER_ERROR,
}
_TOLD: Final = {
    404: ("NotFound", "There is no such path in this version of the protocol."),
    405: ("MethodNotAllowed", "The path is not served with this method."),
}


def create_protocol_app(*routers: APIRouter, versions: VersionEntry | None = None) -> FastAPI:
    """The routers under the version's path, and the version document; every error has the protocol's form."""
    app = FastAPI(
        title="Dataspace Protocol",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    for router in routers:
        app.include_router(router, prefix=VERSION_PATH)
    app.router.routes.append(version_route(versions or VersionEntry()))
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_unreadable)
    app.add_exception_handler(Exception, _on_defect)
    app.add_middleware(_WithoutTrailingSlash)
    return app


class _WithoutTrailingSlash:
    """A path with a slash at its end is the path without: a redirect would lose the message that was posted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Of the path as it was sent: in the decoded one a slash may belong to an id.
        if scope["type"] == "http" and scope.get("raw_path", b"").endswith(b"/"):
            raw_path, path = scope["raw_path"].removesuffix(b"/"), scope["path"].removesuffix("/")
            scope = {**scope, "path": path, "raw_path": raw_path}
        await self._app(scope, receive, send)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    """No such path, or not with this method."""
    if not isinstance(error, HTTPException):
        raise error
    code, reason = _TOLD.get(error.status_code, ("Refused", "The request cannot be handled."))
    answer = told(_error_type(request), ProcessIds(), status=error.status_code, code=code, reason=reason)
    answer.headers.update(error.headers or {})
    return answer


async def _on_unreadable(request: Request, error: Exception) -> JSONResponse:
    """A parameter that FastAPI refused."""
    del error
    reason = "A parameter of the request cannot be read."
    return told(_error_type(request), ProcessIds(), status=400, code="InvalidInput", reason=reason)


async def _on_defect(request: Request, error: Exception) -> JSONResponse:
    """What happened outside of an exchange; those answer their own defects."""
    _log.error("a request could not be handled", extra={"path": request.url.path}, exc_info=error)
    return defect_answer(_error_type(request), ProcessIds())


def _error_type(request: Request) -> str:
    """The kind of error of the part of the protocol that was asked for."""
    _, _, below = request.url.path.partition(f"{VERSION_PATH}/")
    return _ERROR_TYPES.get(below.partition("/")[0], VERSIONS_ERROR)
