"""The one place where an error becomes an HTTP answer.

The body is EDC's: a JSON array with one object for each broken rule. Source: ApiErrorDetail of EDC v0.18.0. Ours
besides: `code`, which docs/troubleshooting.md and `connector explain` know, and `remedy`.
"""

import http
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from connector_spi.data_address import SECRET_PROPERTIES
from connector_spi.errors import (
    ConflictError,
    ConnectorError,
    ForbiddenAddressError,
    InvalidInputError,
    NotFoundError,
    PeerRefusedError,
    PeerUnavailableError,
    TransientError,
    UnauthenticatedError,
)
from connector_spi.json_body import BodyTooLargeError
from connector_spi.log_context import redacted
from management_api.errors import (
    BodyTimeoutError,
    InvalidBodyError,
    MalformedRequestError,
    UnsupportedMediaTypeError,
    Violation,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """How one kind of error is told."""

    status: int
    type: str


_TABLE: Final[tuple[tuple[type[ConnectorError], Problem], ...]] = (
    (InvalidInputError, Problem(400, "ValidationFailure")),
    (InvalidBodyError, Problem(400, "ValidationFailure")),
    (MalformedRequestError, Problem(400, "InvalidRequest")),
    (ForbiddenAddressError, Problem(400, "InvalidRequest")),
    (UnauthenticatedError, Problem(401, "AuthenticationFailed")),
    (NotFoundError, Problem(404, "ObjectNotFound")),
    (BodyTimeoutError, Problem(408, "InvalidRequest")),
    (ConflictError, Problem(409, "ObjectConflict")),
    (BodyTooLargeError, Problem(413, "InvalidRequest")),
    (UnsupportedMediaTypeError, Problem(415, "InvalidRequest")),
    (PeerRefusedError, Problem(502, "BadGateway")),
    (PeerUnavailableError, Problem(502, "BadGateway")),
    (TransientError, Problem(503, "ServiceUnavailable")),
    (ConnectorError, Problem(500, "UnexpectedError")),
)
"""The first row that fits counts: the general ones come last."""

_UNEXPECTED: Final = Problem(500, "UnexpectedError")
_HTTP_TYPES: Final = {404: "ObjectNotFound"}
_PLAIN: Final = (str, bool, int, float)


def problem_of(error: ConnectorError) -> Problem:
    """Status and type of an error."""
    return next(problem for kind, problem in _TABLE if isinstance(error, kind))


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of the app an answer in this shape."""
    app.add_exception_handler(ConnectorError, _on_connector_error)
    app.add_exception_handler(RequestValidationError, _on_parameter_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_unexpected_error)


async def _on_connector_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ConnectorError):
        raise error
    problem = problem_of(error)
    if problem.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("A management request failed.", extra={"error_code": error.code, "error": error.message})
    headers = {}
    if isinstance(error, TransientError) and error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_seconds)))
    return _answer(problem, _violations(error), headers, code=error.code)


async def _on_parameter_error(_request: Request, error: Exception) -> JSONResponse:
    """A query parameter that FastAPI refused."""
    if not isinstance(error, RequestValidationError):
        raise error
    violations = [Violation(path=str(e["loc"][-1]), message=f"{e['loc'][-1]}: {e['msg']}") for e in error.errors()]
    return _answer(Problem(400, "ValidationFailure"), violations)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    """No such path, or not with this method."""
    if not isinstance(error, HTTPException):
        raise error
    phrase = http.HTTPStatus(error.status_code).phrase
    problem = Problem(error.status_code, _HTTP_TYPES.get(error.status_code, "InvalidRequest"))
    message = f"{phrase}: {request.method} {request.url.path}"
    return _answer(problem, [Violation(path="", message=message)], error.headers)


async def _on_unexpected_error(_request: Request, _error: Exception) -> JSONResponse:
    """A defect. The server logs the traceback (Starlette raises the error again); the caller sees none of it."""
    return _answer(_UNEXPECTED, [Violation(path="", message="An internal error occurred; the log has the details.")])


def _violations(error: ConnectorError) -> Sequence[Violation]:
    if isinstance(error, InvalidBodyError):
        return error.violations
    if isinstance(error, InvalidInputError):
        return [_of_invalid_input(error)]
    return [Violation(path="", message=error.message, remedy=error.advice)]


def _of_invalid_input(error: InvalidInputError) -> Violation:
    if error.field.rpartition(".")[2] in SECRET_PROPERTIES:
        message = f"{error.field}: {error.problem}. {error.hint}".strip()
        return Violation(path=error.field, message=message, invalid_value="***")
    if isinstance(error.value, _PLAIN):
        return Violation(path=error.field, message=error.message, invalid_value=error.value)
    # Whatever stands inside an object or a list may be a secret.
    return Violation(path=error.field, message=f"{error.field}: {error.problem}. {error.hint}".strip())


def _answer(
    problem: Problem, violations: Sequence[Violation], headers: Mapping[str, str] | None = None, *, code: str = ""
) -> JSONResponse:
    named = {"code": code} if code else {}
    body = [{**_detail(problem.type, violation), **named} for violation in violations]
    return JSONResponse(body, status_code=problem.status, headers=dict(headers or {}))


def _detail(kind: str, violation: Violation) -> dict[str, Any]:
    detail: dict[str, Any] = {"message": redacted(violation.message), "type": kind}
    if violation.path:
        detail["path"] = violation.path
    if violation.invalid_value is not None:
        value = violation.invalid_value
        detail["invalidValue"] = redacted(value) if isinstance(value, str) else value
    if violation.remedy:
        detail["remedy"] = violation.remedy
    return detail
