"""Errors as Entra ID answers them: an OAuth error with an AADSTS number in its text. The texts are shortened.

Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

import uuid
from datetime import datetime
from enum import Enum

from fastapi.responses import JSONResponse


class Refusal(Enum):
    """Number, OAuth error, status, and text; `{}` is what the text is about."""

    TENANT_UNKNOWN = (90002, "invalid_request", 400, "Tenant '{}' not found.")
    CLIENT_UNKNOWN = (700016, "unauthorized_client", 400, "Application with identifier '{}' was not found.")
    SECRET_WRONG = (7000215, "invalid_client", 401, "Invalid client secret provided for app '{}'.")
    NO_PROOF = (7000218, "invalid_client", 401, "The request must contain 'client_assertion' or 'client_secret'.")
    ASSERTION_SIGNATURE = (700027, "invalid_client", 401, "Client assertion failed signature validation.")
    ASSERTION_TIME = (700024, "invalid_client", 401, "Client assertion is not within its valid time range.")
    ASSERTION_MALFORMED = (50027, "invalid_request", 400, "JWT token is invalid or malformed.")
    ASSERTION_ISSUER = (700211, "invalid_client", 401, "No matching federated identity record found for the issuer.")
    ASSERTION_AUDIENCE = (
        700212,
        "invalid_client",
        401,
        "No matching federated identity record found for the audience.",
    )
    ASSERTION_SUBJECT = (700213, "invalid_client", 401, "No matching federated identity record found for subject '{}'.")
    SCOPE_INVALID = (1002012, "invalid_scope", 400, "Scope {} is not valid; it must be a resource and /.default.")
    RESOURCE_UNKNOWN = (500011, "invalid_resource", 400, "The resource principal named {} was not found in the tenant.")
    GRANT_UNSUPPORTED = (70003, "unsupported_grant_type", 400, "The app requested an unsupported grant type '{}'.")
    PARAMETER_MISSING = (900144, "invalid_request", 400, "The request body must contain the parameter '{}'.")
    THROTTLED = (90055, "temporarily_unavailable", 429, "The request was ended because of an excessive request rate.")
    BROKEN = (90033, "temporarily_unavailable", 503, "A transient error has occurred. Please try again.")

    def __init__(self, number: int, error: str, status: int, text: str) -> None:
        self.number, self.error, self.status, self.text = number, error, status, text


class EntraRefusalError(Exception):
    """The request is not granted."""

    def __init__(self, refusal: Refusal, about: str = "") -> None:
        super().__init__(refusal.name)
        self.refusal = refusal
        self.about = about


def refusal_answer(error: EntraRefusalError, now: datetime, *, status: int | None = None) -> JSONResponse:
    """The answer that says so."""
    refusal = error.refusal
    trace, correlation, when = str(uuid.uuid4()), str(uuid.uuid4()), f"{now:%Y-%m-%d %H:%M:%SZ}"
    marks = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {when}"
    body = {
        "error": refusal.error,
        "error_description": f"AADSTS{refusal.number}: {refusal.text.format(error.about)} {marks}",
        "error_codes": [refusal.number],
        "timestamp": when,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    return JSONResponse(body, status or refusal.status, headers={"Cache-Control": "no-store"})
