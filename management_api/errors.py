"""Errors of the HTTP edge itself, besides those that the services raise."""

from dataclasses import dataclass

from connector_spi.errors import PermanentError, TransientError


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken rule of a request: where, what, and the value when it may be shown."""

    path: str
    message: str
    invalid_value: object = None
    remedy: str = ""
    """What to do about it, where the message alone does not say so."""


class InvalidBodyError(PermanentError):
    """The body is JSON, and breaks rules of this request; all of them are told at once."""

    code = "InvalidBody"
    cause = "the body breaks rules of this request"
    remedy = "Correct every member that the answer lists; all of them are named at once."

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(v.message for v in violations))
        self.violations = violations


class MalformedRequestError(PermanentError):
    """The body is no JSON that this API could read."""

    code = "MalformedRequest"
    cause = "the body is not JSON, or nested or repeated beyond what is read"
    remedy = "Send one JSON object in UTF-8 (`python -m json.tool FILE` finds the place)."


class UnsupportedMediaTypeError(PermanentError):
    """The body is declared to be something else than JSON."""

    code = "UnsupportedMediaType"
    cause = "the body is declared to be something else than JSON"
    remedy = "Send Content-Type: application/json."


class BodyTimeoutError(TransientError):
    """The body did not arrive in time."""

    code = "BodyTimeout"
    cause = "the body of the request did not arrive in time"
    remedy = "Send it again; see what delays it between client and connector."


class AuthenticationUnavailableError(TransientError):
    """Nobody can be authenticated now: the API key could not be read from the vault."""

    code = "AuthenticationUnavailable"
    cause = "the API key could not be read from the vault, so nobody can be let in"
    remedy = "The log says why the vault does not answer; `management.api_key_alias` names the key."
