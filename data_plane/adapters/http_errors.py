"""What an HTTP server's answer means for a flow. Texts name method and address, never the query or a credential."""

from collections.abc import Mapping
from typing import ClassVar, Final

from connector_spi.errors import ConflictError, PermanentError, TransientError

_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 507})


class HttpRefusedError(PermanentError):
    """The server refused for good. The leaves below are the refusals with a cause that is known."""

    code = "HttpRefused"
    cause = "the HTTP server of the data address refused for good"
    remedy: ClassVar[str] = "Ask the owner of the server, or correct the address."

    def __init__(self, *, method: str, resource: str, status: int, reason: str = "") -> None:
        why = f" {reason}" if reason else ""
        super().__init__(f"{method} {resource}: the server answered HTTP {status}.{why} {self.remedy}")
        self.status = status


class HttpAccessDeniedError(HttpRefusedError):
    """The credential is missing, wrong, or not good for this."""

    code = "HttpAccessDenied"
    cause = "the credential of the data address is missing, wrong, or not good for this"
    remedy = "Check the credential of the address (secret or keyName, authHeader, authType)."


class HttpNotFoundError(HttpRefusedError):
    """There is nothing at this address."""

    code = "HttpNotFound"
    cause = "there is nothing at the data address"
    remedy = "Check baseUrl, path and queryParams."


class HttpRedirectedError(HttpRefusedError):
    """The server points elsewhere; that address was never checked or agreed on."""

    code = "HttpRedirected"
    cause = "the server points to another address, which was never checked or agreed on"
    remedy = "Redirects are not followed: use the address that the server points to."


class HttpPreconditionFailedError(HttpRefusedError):
    """The object at this address is not the one that the condition of the request speaks of."""

    code = "HttpPreconditionFailed"
    cause = "the object at the data address is not the one that was read or written before: somebody else changed it"
    remedy = "Let only one writer use the address, and start a new transfer."


class HttpObjectExistsError(ConflictError):
    """An object is there already, and the address says that none is overwritten."""

    code = "HttpObjectExists"
    cause = "an object is at the address already, and the address says that none is overwritten"
    remedy = "Choose another address, or set overwrite to true in it."

    def __init__(self, *, resource: str) -> None:
        super().__init__(f"{resource}: an object is there already, and overwrite is false. Choose another address.")


class HttpLengthUnknownError(PermanentError):
    """The server does not say how long a large object is."""

    code = "HttpLengthUnknown"
    cause = "the server does not say how long a large object is"
    remedy = "Let the server send Content-Length, or offer the data from storage."

    def __init__(self, *, resource: str, limit: int) -> None:
        super().__init__(
            f"{resource}: the server sends no Content-Length, and the object is larger than {limit} bytes, the most "
            "that is served without one. Let the server send its length."
        )


class HttpSourceIsListingError(PermanentError):
    """What is behind the address is a list of objects, and not one of them."""

    code = "HttpSourceIsListing"
    cause = "the provider serves several objects there, and a pull over HTTP copies one"
    remedy = "Fetch them with `connector fetch`, use AzureStorage-PUSH, or have one object offered."

    def __init__(self, *, resource: str) -> None:
        super().__init__(
            f"{resource}: the provider serves several objects there, and a pull over HTTP copies one. Let a client "
            "fetch them one by one, use AzureStorage-PUSH, or have one object offered."
        )


class HttpAnswerMalformedError(PermanentError):
    """The server's answer breaks HTTP."""

    code = "HttpAnswerMalformed"
    cause = "the server's answer breaks HTTP"
    remedy = "See what stands between: a proxy, or a port that speaks something else. `curl -v` shows the answer."

    def __init__(self, *, resource: str, problem: str) -> None:
        super().__init__(f"{resource}: {problem}.")


class HttpUnavailableError(TransientError):
    """The server did not answer, cannot do it now, or broke off."""

    code = "HttpUnavailable"
    cause = "the HTTP server of the data address did not answer, cannot do it now, or broke off"
    remedy = "It is tried again. Check that this machine reaches the address, and the server's load and log."

    def __init__(self, *, method: str, resource: str, problem: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"{method} {resource}: {problem}. It is tried again.", retry_after_seconds=retry_after_seconds)


_BY_STATUS: Final[Mapping[int, type[HttpRefusedError]]] = {
    401: HttpAccessDeniedError,
    403: HttpAccessDeniedError,
    404: HttpNotFoundError,
    407: HttpAccessDeniedError,
    410: HttpNotFoundError,
    412: HttpPreconditionFailedError,
    **dict.fromkeys((301, 302, 303, 307, 308), HttpRedirectedError),
}


def error_of(method: str, resource: str, *, status: int, retry_after: str = "") -> PermanentError | TransientError:
    """The leaf for an answer that is not a success."""
    if status in _TRANSIENT:
        # The header's other form, a date, is taken as not given.
        seconds = float(retry_after) if retry_after.strip().isascii() and retry_after.strip().isdigit() else None
        problem = f"the server answered HTTP {status}"
        return HttpUnavailableError(method=method, resource=resource, problem=problem, retry_after_seconds=seconds)
    return _BY_STATUS.get(status, HttpRefusedError)(method=method, resource=resource, status=status)
