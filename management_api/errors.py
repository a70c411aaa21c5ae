"""Errors of the HTTP edge itself, besides those that the services raise."""

from dataclasses import dataclass

from connector_spi.errors import PermanentError, TransientError


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken rule of a request: where, what, and the value when it may be shown."""

    path: str
    message: str
    invalid_value: object = None


class InvalidBodyError(PermanentError):
    """The body is JSON, and breaks rules of this request; all of them are told at once."""

    code = "InvalidBody"

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(v.message for v in violations))
        self.violations = violations


class MalformedRequestError(PermanentError):
    """The body is no JSON that this API could read."""

    code = "MalformedRequest"


class UnsupportedMediaTypeError(PermanentError):
    """The body is declared to be something else than JSON."""

    code = "UnsupportedMediaType"


class BodyTimeoutError(TransientError):
    """The body did not arrive in time."""

    code = "BodyTimeout"


class AuthenticationUnavailableError(TransientError):
    """Nobody can be authenticated now: the API key could not be read from the vault."""

    code = "AuthenticationUnavailable"
