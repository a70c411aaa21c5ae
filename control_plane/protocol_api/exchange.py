"""One exchange with a counterparty: who is calling, what it sent, and how errors are told in the protocol's form."""

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from connector_spi.errors import (
    ConflictError,
    ConnectorError,
    InvalidInputError,
    NotFoundError,
    TransientError,
    UnauthenticatedError,
)
from connector_spi.json_body import BodyTooLargeError, read_json_object, validated
from connector_spi.log_context import redacted
from control_plane.domain.credential_renewal import RenewalRefusedError, TooManyRenewalsError
from control_plane.domain.participant import Participant
from control_plane.dsp_messages import message
from control_plane.ports.counterparty_identity import CounterpartyIdentity

_log = logging.getLogger(__name__)

CATALOG_ERROR: Final = "CatalogError"
NEGOTIATION_ERROR: Final = "ContractNegotiationError"
TRANSFER_ERROR: Final = "TransferError"

_STATUS: Final[tuple[tuple[type[ConnectorError], int], ...]] = (
    (UnauthenticatedError, 401),
    (NotFoundError, 404),
    (BodyTooLargeError, 413),
    (InvalidInputError, 400),
    (RenewalRefusedError, 409),
    # The specification wants 400, not 409, for a move that the state does not allow.
    (ConflictError, 400),
    (TooManyRenewalsError, 429),
    (TransientError, 503),
    (ConnectorError, 400),
)

M = TypeVar("M", bound=BaseModel)


class Exchange:
    """Answers one request, whatever happens, in the form that the protocol prescribes."""

    def __init__(self, identity: CounterpartyIdentity) -> None:
        self._identity = identity

    async def answer(
        self,
        request: Request,
        error_type: str,
        handle: Callable[[Participant], Awaitable[dict[str, Any]]],
        *,
        status: int = 200,
    ) -> JSONResponse:
        """Authenticate the caller, handle the request, and put result or error into a response.

        `handle` gets the counterparty, its identity proven, and returns the body of the answer.
        """
        try:
            _check_path(request)
            caller = await self._identity.authenticate(request.headers.get("Authorization"))
            return JSONResponse(await handle(caller), status_code=status)
        except ConnectorError as error:
            return _refusal(request, error_type, error)


async def read_message(request: Request, model: type[M], message_type: str) -> M:
    """The request's message.

    Raises:
        InvalidInputError: the body is not this message; names the member.
        BodyTooLargeError: the body is larger than the limit.
    """
    body = await read_json_object(request)
    found = body.get("@type")
    if found is not None and str(found).rpartition("/")[2].rpartition(":")[2] != message_type:
        raise InvalidInputError(field="@type", value=found, problem="is not expected here", remedy=message_type)
    return validated(model, body)


def _check_path(request: Request) -> None:
    for value in request.path_params.values():
        if "\0" in value:
            raise NotFoundError(kind="Object", object_id=value)


def _refusal(request: Request, error_type: str, error: ConnectorError) -> JSONResponse:
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    _log.info(
        "a counterparty's message was refused",
        extra={"path": request.url.path, "status": status, "code": error.code, "error": redacted(error.message)},
    )
    pid = request.path_params.get("pid", "")
    pids = {} if error_type == CATALOG_ERROR else {"providerPid": pid, "consumerPid": pid}
    body = message(error_type, **pids, code=error.code, reason=[redacted(error.message)])
    wait = math.ceil(error.retry_after_seconds or 1) if isinstance(error, TransientError) else None
    headers = {"Retry-After": str(wait)} if wait else None
    return JSONResponse(body, status_code=status, headers=headers)
