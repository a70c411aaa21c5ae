"""Errors as the Dataspace Protocol tells them: a body of the message's family, with the processes that it is about."""

import math
from dataclasses import dataclass
from typing import Final

from fastapi.responses import JSONResponse

from connector_spi.errors import (
    ConflictError,
    ConnectorError,
    InvalidInputError,
    NotFoundError,
    TransientError,
    UnauthenticatedError,
)
from connector_spi.json_body import BodyTooLargeError
from connector_spi.log_context import redacted
from control_plane.domain.credential_renewal import RenewalNotNowError, RenewalRefusedError, TooManyRenewalsError
from control_plane.domain.policy_denial import PolicyDeniedError
from control_plane.dsp_messages import message

CATALOG_ERROR: Final = "CatalogError"
NEGOTIATION_ERROR: Final = "ContractNegotiationError"
TRANSFER_ERROR: Final = "TransferError"
VERSIONS_ERROR: Final = "VersionsError"

NO_PROCESS: Final = "urn:uuid:00000000-0000-0000-0000-000000000000"
"""Where the schemas demand the id of a process that there is not: the nil UUID (RFC 9562, section 5.9)."""

_INTERNAL: Final = 500
_UNAVAILABLE: Final = 503
_UNAUTHENTICATED: Final = 401
_STATUS: Final[tuple[tuple[type[ConnectorError], int], ...]] = (
    (UnauthenticatedError, _UNAUTHENTICATED),
    (PolicyDeniedError, 403),
    (NotFoundError, 404),
    (BodyTooLargeError, 413),
    (InvalidInputError, 400),
    (RenewalRefusedError, 409),
    # The specification wants 400, not 409, for a move that the state does not allow.
    (ConflictError, 400),
    (TooManyRenewalsError, 429),
    (TransientError, _UNAVAILABLE),
    (ConnectorError, 400),
)
"""The first row that fits counts: the general ones come last."""
_DEFECT: Final = "This connector failed to handle the message."
# What stands in their place in the answer: the cause is trouble of this side's, and none of the caller's business.
_NEUTRAL: Final = {
    _INTERNAL: _DEFECT,
    _UNAVAILABLE: "This connector cannot handle the message now. Send it again later.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIds:
    """What the two sides call one process."""

    consumer: str = NO_PROCESS
    provider: str = NO_PROCESS


def status_of(error: ConnectorError) -> int:
    """The HTTP status of an error."""
    if error.outward and not isinstance(error, TransientError):
        return _INTERNAL  # of this connector's inside: nothing that the caller sent is wrong
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def error_answer(error_type: str, error: ConnectorError, ids: ProcessIds) -> JSONResponse:
    """A refusal with its reason. What is wrong with this connector itself stays in its log."""
    status = status_of(error)
    reason = None if isinstance(error, RenewalNotNowError) else _NEUTRAL.get(status)
    headers = {"WWW-Authenticate": "Bearer"} if status == _UNAUTHENTICATED else {}
    if isinstance(error, TransientError):
        headers["Retry-After"] = str(math.ceil(error.retry_after_seconds or 1))
    code = "InternalError" if status == _INTERNAL else error.code
    return told(error_type, ids, status=status, code=code, reason=reason or redacted(error.message), headers=headers)


def defect_answer(error_type: str, ids: ProcessIds) -> JSONResponse:
    """What a counterparty sees of a defect."""
    return told(error_type, ids, status=_INTERNAL, code="InternalError", reason=_DEFECT)


def told(
    error_type: str, ids: ProcessIds, *, status: int, code: str, reason: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """An answer with the protocol's body for errors."""
    about_process = error_type in {NEGOTIATION_ERROR, TRANSFER_ERROR}
    pids = {"providerPid": ids.provider, "consumerPid": ids.consumer} if about_process else {}
    return JSONResponse(message(error_type, **pids, code=code, reason=[reason]), status_code=status, headers=headers)
