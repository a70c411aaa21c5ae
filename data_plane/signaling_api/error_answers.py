"""The one table from errors to HTTP answers. Bodies are `{"code", "message"}` and hold no secret."""

import logging
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from connector_spi.errors import (
    ConfigurationError,
    ConflictError,
    ConnectorError,
    NotFoundError,
    TransientError,
    UnauthenticatedError,
)

_log = logging.getLogger(__name__)

_STATUS: Final[tuple[tuple[type[ConnectorError], int], ...]] = (
    (UnauthenticatedError, 401),
    (NotFoundError, 404),
    (ConflictError, 409),
    (ConfigurationError, 500),
    (TransientError, 503),
    (ConnectorError, 400),
)
"""The first that fits. A permanent error of a message is the message's: the same one cannot work later."""


def install(app: FastAPI) -> None:
    """Let the app answer errors."""
    app.add_exception_handler(ConnectorError, _connector_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _connector_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ConnectorError):
        raise error
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    wait = error.retry_after_seconds or 1 if isinstance(error, TransientError) else None
    if error.outward:
        # Some who ask are of another organisation, and the control plane passes on what it hears.
        _log.warning("a request failed", extra={"code": error.code, "reason": error.message})
    return _answer(status, error.code, error.told_outside, headers={"Retry-After": f"{wait:.0f}"} if wait else None)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return _answer(error.status_code, "HttpError", str(error.detail), headers=dict(error.headers or {}))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed unexpectedly", extra={"path": request.url.path}, exc_info=error)
    return _answer(500, "InternalError", "The data plane failed unexpectedly; its log tells why.")


def _answer(status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status_code=status, headers=headers)
