"""The public inbox of HTTP pushes: `/public/inbox/<flow>/` and, under it, objects by name.

The gate of the signaling messages lets it pass; each request proves itself by the flow's own token.
"""

import logging
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from connector_spi.errors import (
    ConflictError,
    ConnectorError,
    InvalidInputError,
    NotFoundError,
    TransientError,
    UnauthenticatedError,
)
from data_plane.domain.inbox_errors import (
    DestinationFullError,
    LengthRequiredError,
    UploadIncompleteError,
    UploadTooLargeError,
    UploadTooSlowError,
)
from data_plane.services.inbox_writes import InboxWrites, Upload
from data_plane.signaling_api.public import bearer_token

_log = logging.getLogger(__name__)

_PRIVATE: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_HEADER_MAX: Final = 256
_USUAL_TYPE: Final = "application/octet-stream"

_STATUS: Final[tuple[tuple[type[ConnectorError], int], ...]] = (
    (UnauthenticatedError, 401),
    (NotFoundError, 404),
    (UploadTooSlowError, 408),
    (ConflictError, 409),
    (LengthRequiredError, 411),
    (UploadTooLargeError, 413),
    (InvalidInputError, 400),
    (UploadIncompleteError, 400),
    (DestinationFullError, 507),
    (TransientError, 503),
    (ConnectorError, 502),
)
"""The first that fits."""
_TELLS_OF_US: Final = frozenset({502, 503, 507})
"""Answers whose cause is on this side: its text may name places that are none of the sender's business."""


def inbox_router(writes: InboxWrites) -> APIRouter:
    """The routes under /public/inbox."""
    router = APIRouter(prefix="/public/inbox")

    @router.api_route("/{key}", methods=["PUT", "POST"])
    @router.api_route("/{key}/{name:path}", methods=["PUT", "POST"])
    async def receive(key: str, request: Request, name: str = "") -> Response:
        """Store one object: 201 when it is new, 204 when this very object was there already."""
        try:
            flow = await writes.admitted(key, bearer_token(request))
            upload = _upload(request)
            is_new = await writes.store_object(flow, writes.named(flow, name), upload)
        except ConnectorError as error:
            return _refused(error)
        return Response(status_code=201 if is_new else 204, headers=_PRIVATE)

    return router


def _upload(request: Request) -> Upload:
    return Upload(
        body=_body(request),
        size=_size(request),
        content_type=_header(request, "Content-Type") or _USUAL_TYPE,
        content_encoding=_header(request, "Content-Encoding") or None,
    )


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise UploadIncompleteError("The sender went away in the middle of the body.") from None


def _size(request: Request) -> int | None:
    text = request.headers.get("Content-Length")
    if text is None:
        if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
            return None
        raise LengthRequiredError("The request does not say how long its body is. Send Content-Length.")
    if not (text.isascii() and text.isdigit()):
        raise InvalidInputError(field="Content-Length", value=text[:32], problem="is not a number")
    return int(text)


def _header(request: Request, name: str) -> str:
    value = request.headers.get(name, "")
    if len(value) > _HEADER_MAX or not (value.isascii() and value.isprintable()):
        raise InvalidInputError(
            field=name, value=value[:_HEADER_MAX], problem=f"is not printable ASCII of at most {_HEADER_MAX} characters"
        )
    return value


def _refused(error: ConnectorError) -> JSONResponse:
    """An answer that tells the sender, who is of another organisation, nothing of where its objects come to rest."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    code, message = error.code, error.message
    if status in _TELLS_OF_US:
        _log.warning("an upload failed", extra={"code": code, "reason": message})
        code, message = "DestinationUnavailable", "The object cannot be stored now; its receiver's log tells why."
    headers = dict(_PRIVATE)
    if isinstance(error, UnauthenticatedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TransientError):
        headers["Retry-After"] = f"{error.retry_after_seconds or 1:.0f}"
    return JSONResponse({"code": code, "message": message}, status_code=status, headers=headers)
