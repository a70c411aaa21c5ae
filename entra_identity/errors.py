"""What can go wrong with an identity of Entra ID, and azure-identity's errors as these.

The texts hold Entra's error number and never Entra's own words, which name tenants and applications: our texts
may reach the other organisation. azure-identity writes Entra's words to the log.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from connector_spi.errors import ConfigurationError, PermanentError, TransientError

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpResponse

_AADSTS: Final = re.compile(r"AADSTS\d{4,10}")
_SECONDS: Final = re.compile(r"\d{1,6}")
_TRY_AGAIN: Final = frozenset({404, 408, 410, 429})
"""404 and 410: the endpoint of managed identities is starting or being updated; Entra answers neither."""
_UNAVAILABLE_WORD: Final = "temporarily_unavailable"

_REASONS: Final[Mapping[str, str]] = {
    "AADSTS7000215": "the client secret is wrong; set the secret's value, not its id",
    "AADSTS7000222": "the client secret has expired; make a new one",
    "AADSTS700016": "the tenant has no application with this client_id",
    "AADSTS7000112": "the application is disabled",
    "AADSTS90002": "there is no such tenant; look at tenant_id and authority",
    "AADSTS900023": "tenant_id is not the id or name of a tenant",
    "AADSTS500011": "the tenant does not know the service that the token is for",
    "AADSTS700024": "the federated token is not valid at this time; look at the clocks",
    "AADSTS70021": "no federated credential of the application fits the federated token",
    "AADSTS700211": "no federated credential of the application fits the token's issuer",
    "AADSTS700212": "no federated credential of the application fits the token's audience",
    "AADSTS700213": "no federated credential of the application fits the token's subject",
    "AADSTS53003": "a conditional access policy forbids it",
}
"""Source: learn.microsoft.com/entra/identity-platform/reference-error-codes."""


class IdentityRefusedError(PermanentError):
    """Entra ID, or the managed identity's host, answered and gives no token to this identity."""

    code = "IdentityRefused"
    cause = "Entra ID, or the host of a managed identity, answers that an identity of `azure_identities` gets no token"
    remedy = (
        "Look up the AADSTS number of the message, compare tenant_id and client_id with the application's "
        "registration, and renew a client secret that has expired; it is read again without a restart. A managed "
        "identity must be assigned to this host."
    )
    outward = "This connector's identity gets no access to its own storage or vault; its operator's log tells why."

    def __init__(self, *, identity: str, reason: str, aadsts: str | None = None) -> None:
        shown = f"{aadsts}: {reason}" if aadsts else reason
        super().__init__(f"The identity {identity!r} gets no token ({shown}).")
        self.identity = identity
        self.aadsts = aadsts
        """Entra's own error number, such as `AADSTS7000215`; None when it gave none."""


class IdentityUnavailableError(TransientError):
    """The service that gives tokens to this identity did not answer, or says that it cannot serve now."""

    code = "IdentityUnavailable"
    cause = (
        "the service that gives tokens to an identity of `azure_identities` does not answer, is overloaded, or shows a "
        "certificate that is not trusted"
    )
    remedy = (
        "It is tried again by itself. When it lasts, check the way from this host to the identity's authority, and its "
        "ca_file; a managed identity needs the host's own endpoint, which containers are sometimes kept from."
    )
    outward = "The service that proves this connector's identity cannot be reached now; its operator's log tells why."

    def __init__(self, *, identity: str, problem: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(
            f"The token service of the identity {identity!r} is not available ({problem}).",
            retry_after_seconds=retry_after_seconds,
        )
        self.identity = identity


class IdentityLostError(IdentityUnavailableError):
    """The identity, which got this token before in this process, is refused now: its new proof may not count yet."""

    code = "IdentityLost"
    cause = (
        "an identity of `azure_identities` that got tokens until now gets none: its client secret or federated token "
        "has ended or was exchanged, or a new one is not known everywhere in Entra ID yet"
    )
    remedy = (
        "It is tried again. Look up the AADSTS number of the message; put the new client secret where the identity's "
        "settings say, from where it is read without a restart. A new one may take some minutes to count."
    )


@contextmanager
def identity_errors(identity: str) -> Iterator[None]:
    """Turn what azure-identity raises inside into a leaf of our error tree; `identity` is its configured name.

    The credentials of `EntraCredentials` do so by themselves: only who asks azure-identity directly needs this.

    Raises:
        IdentityRefusedError: there was an answer, and it is no.
        IdentityUnavailableError: there was no answer, or the service asks to come back later.
        ConfigurationError: the file with the federated token cannot be read.
    """
    try:
        yield
    except ClientAuthenticationError as error:
        raise _judged(identity, error) from None
    except (AzureError, TimeoutError) as error:
        inner = getattr(error, "inner_exception", None) or error
        raise IdentityUnavailableError(identity=identity, problem=type(inner).__name__) from None
    except OSError as error:  # from files alone: azure-core wraps those of the network
        raise ConfigurationError(
            key=f"azure_identities.{identity}.token_file", problem=f"cannot be read ({error.strerror})"
        ) from None


def _judged(identity: str, error: ClientAuthenticationError) -> IdentityRefusedError | IdentityUnavailableError:
    """azure-identity raises one class for "no" and for "not now": the HTTP status and the cause tell which."""
    answer: BaseException = error
    if error.status_code is None and error.__cause__ is not None:
        answer = error.__cause__
    if not isinstance(answer, HttpResponseError):
        return IdentityUnavailableError(identity=identity, problem=type(answer).__name__)
    text = error.message
    found = _AADSTS.search(text)
    aadsts = found.group() if found else None
    if _says_not_now(answer, text):
        problem = f"HTTP status {answer.status_code}" if answer.status_code else "an answer that is not Entra's"
        return IdentityUnavailableError(
            identity=identity, problem=aadsts or problem, retry_after_seconds=retry_after(answer)
        )
    return IdentityRefusedError(identity=identity, reason=_reason(aadsts, answer, text), aadsts=aadsts)


def _says_not_now(answer: HttpResponseError, text: str) -> bool:
    if answer.status_code is None:
        # A proxy's page in place of Entra's answer; azure-identity does not keep its status.
        return text.startswith("Unexpected response")
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status_code in _TRY_AGAIN:
        return True
    return _UNAVAILABLE_WORD in text


def _reason(aadsts: str | None, answer: HttpResponseError, text: str) -> str:
    if aadsts is not None:
        return _REASONS.get(aadsts, "see Entra's error codes")
    if "not configured to acquire tokens for tenant" in text:
        return "the service belongs to another tenant than the identity"
    if answer.status_code is not None:
        return f"HTTP status {answer.status_code}; a managed identity must be assigned to this host"
    return "azure-identity finds nothing here to prove it with; its log says what it tried"


def retry_after(error: HttpResponseError) -> float | None:
    """Seconds of the answer's Retry-After; None when there is none, or when it is a date."""
    if error.response is None:
        return None
    value = cast("AsyncHttpResponse", error.response).headers.get("Retry-After", "")
    return float(value) if _SECONDS.fullmatch(value) else None
