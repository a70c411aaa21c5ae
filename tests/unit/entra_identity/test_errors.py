"""azure-identity's errors in our words: a refusal is told from a service that is not there."""

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import CredentialUnavailableError

from connector_spi.errors import ConfigurationError
from entra_identity.errors import IdentityRefusedError, IdentityUnavailableError, identity_errors
from tests.unit.azure_answers import Answer


def refused(text: str, status: int | None) -> ClientAuthenticationError:
    return ClientAuthenticationError(message=text, response=None if status is None else Answer(status))


def unavailable_because(cause: Exception) -> CredentialUnavailableError:
    error = CredentialUnavailableError(message="ManagedIdentityCredential authentication unavailable.")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "aadsts", "told"),
    [
        (refused("(invalid_client) AADSTS7000215: Invalid client secret", 401), "AADSTS7000215", "secret is wrong"),
        (refused("(invalid_client) AADSTS7000222: expired", 401), "AADSTS7000222", "has expired"),
        (refused("(x) AADSTS99999: something new", 400), "AADSTS99999", "see Entra's error codes"),
        (refused("No response content from Microsoft Entra ID", 400), None, "HTTP status 400"),
        (refused("The current credential is not configured to acquire tokens for tenant x", None), None, "another ten"),
        (refused("DefaultAzureCredential failed to retrieve a token", None), None, "finds nothing"),
        (unavailable_because(HttpResponseError(message="no identity", response=Answer(400))), None, "HTTP status 400"),
        (CredentialUnavailableError(message="No managed identity endpoint found."), None, "finds nothing"),
    ],
)
def test_a_refusal_is_permanent(error: Exception, aadsts: str | None, told: str) -> None:
    with pytest.raises(IdentityRefusedError, match=told) as raised, identity_errors("storage"):
        raise error
    assert raised.value.aadsts == aadsts
    assert raised.value.identity == "storage"


@pytest.mark.parametrize(
    "error",
    [
        ServiceRequestError("name not known"),
        ServiceResponseError("connection lost"),
        TimeoutError(),
        DecodeError(message="no JSON", response=Answer(200)),
        refused("(temporarily_unavailable) AADSTS90033: A transient error", 503),
        refused("(temporarily_unavailable) AADSTS90033: A transient error", 400),
        refused("(x) AADSTS90055: excessive request rate", 429),
        refused("the host is being updated", 410),
        refused("Unexpected response from Microsoft Entra ID: <html>Bad gateway</html>", None),
        unavailable_because(ServiceRequestError("no route")),
        unavailable_because(TimeoutError()),
        unavailable_because(HttpResponseError(message="starting", response=Answer(500))),
    ],
)
def test_what_may_pass_is_transient(error: Exception) -> None:
    with pytest.raises(IdentityUnavailableError, match="'storage'"), identity_errors("storage"):
        raise error


@pytest.mark.parametrize(("given", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)])
def test_the_time_to_come_back_is_kept(given: str, seconds: float | None) -> None:
    error = ClientAuthenticationError(message="busy", response=Answer(429, headers={"Retry-After": given}))
    with pytest.raises(IdentityUnavailableError) as raised, identity_errors("storage"):
        raise error
    assert raised.value.retry_after_seconds == seconds


def test_entras_own_words_are_not_passed_on() -> None:
    error = refused("AADSTS7000215: Invalid client secret for app 'planted-app'. Trace ID: planted-trace", 401)
    with pytest.raises(IdentityRefusedError) as raised, identity_errors("storage"):
        raise error
    assert "planted" not in f"{raised.value} {vars(raised.value)}"
    assert raised.value.__cause__ is None


def test_a_federated_token_that_cannot_be_read_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigurationError, match=r"azure_identities\.pod\.token_file"), identity_errors("pod"):
        raise FileNotFoundError(2, "No such file or directory")


def test_errors_of_ours_pass_unchanged() -> None:
    ours = IdentityRefusedError(identity="inner", reason="known")
    with pytest.raises(IdentityRefusedError) as raised, identity_errors("outer"):
        raise ours
    assert raised.value is ours
