"""One exchange with a data plane: who is calling, and how results and errors are told."""

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from connector_spi.errors import (
    ConnectorError,
    ForbiddenAddressError,
    InvalidInputError,
    NotFoundError,
    TransientError,
    UnauthenticatedError,
)
from connector_spi.json_body import BodyTooLargeError
from control_plane.domain.credential_renewal import RenewalRefusedError
from control_plane.ports.data_plane_identity import DataPlaneIdentity

_log = logging.getLogger(__name__)

_STATUS: Final[tuple[tuple[type[ConnectorError], int], ...]] = (
    (UnauthenticatedError, 401),
    (NotFoundError, 404),
    (BodyTooLargeError, 413),
    (InvalidInputError, 400),
    (ForbiddenAddressError, 400),
    (RenewalRefusedError, 409),
    (TransientError, 503),
    (ConnectorError, 500),
)
_NO_CONTENT: Final = 204


class SignalingExchange:
    """Answers one request, whatever happens."""

    def __init__(self, identity: DataPlaneIdentity) -> None:
        self._identity = identity

    async def answer(
        self,
        request: Request,
        handle: Callable[[frozenset[str]], Awaitable[dict[str, Any]]],
        *,
        status: int = 200,
    ) -> Response:
        """Authenticate the caller, handle the request, and put result or error into a response.

        `handle` gets the ids of the data planes that the caller proved to be, and returns the body of the answer.
        """
        try:
            for value in request.path_params.values():
                if "\0" in value:
                    raise NotFoundError(kind="Object", object_id=value)
            callers = await self._identity.authenticate(request.headers.get("Authorization"))
            body = await handle(callers)
        except ConnectorError as error:
            return _refusal(error)
        return Response(status_code=status) if status == _NO_CONTENT else JSONResponse(body, status_code=status)


def _refusal(error: ConnectorError) -> JSONResponse:
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    _log.warning("a data plane's call was refused", extra={"status": status, "code": error.code})
    wait = math.ceil(error.retry_after_seconds or 1) if isinstance(error, TransientError) else None
    headers = {"Retry-After": str(wait)} if wait else None
    return JSONResponse({"code": error.code, "message": error.message}, status_code=status, headers=headers)
