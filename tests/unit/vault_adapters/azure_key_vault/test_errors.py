"""The Key Vault SDK's errors as those of the vault port, told by status and by Key Vault's own codes."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, IncompleteReadError, ServiceRequestError

from connector_spi.errors import (
    ConfigurationError,
    ConnectorError,
    SecretNotFoundError,
    VaultForbiddenError,
    VaultThrottledError,
    VaultUnavailableError,
)
from entra_identity.errors import IdentityRefusedError, IdentityUnavailableError
from tests.unit.azure_answers import Answer
from vault_adapters.azure_key_vault.errors import codes_of, key_vault_errors


def answered(status: int, *codes: str, **headers: str) -> HttpResponseError:
    body: dict[str, Any] | None = None
    for code in reversed(codes):
        body = {"code": code, "message": "planted words"} | ({"innererror": body} if body else {})
    return HttpResponseError(response=Answer(status, {"error": body} if body else None, headers))


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (answered(404, "SecretNotFound"), SecretNotFoundError, "'an/alias'"),
        (answered(404), VaultForbiddenError, "look at vault.url"),
        (answered(401, "Unauthorized"), VaultForbiddenError, "does not accept the identity's token"),
        (answered(403, "Forbidden", "ForbiddenByRbac"), VaultForbiddenError, "Secrets Officer"),
        (answered(403, "Forbidden", "ForbiddenByFirewall"), VaultForbiddenError, "firewall"),
        (answered(403, "Forbidden", "SecretDisabled"), VaultForbiddenError, "disabled"),
        (answered(400, "BadParameter"), VaultForbiddenError, "400 BadParameter"),
        (answered(429, "Throttled"), VaultThrottledError, "too many requests"),
        (answered(409, "Conflict", "ObjectIsBeingDeleted"), VaultUnavailableError, "409 Conflict ObjectIsBeing"),
        (answered(503), VaultUnavailableError, "503"),
        (answered(302), VaultUnavailableError, "302"),
        (ServiceRequestError("refused"), VaultUnavailableError, "did not answer"),
        (IncompleteReadError("cut"), VaultUnavailableError, "could not read"),
        (IdentityUnavailableError(identity="kv", problem="x"), VaultUnavailableError, "'kv'"),
        (IdentityRefusedError(identity="kv", reason="x", aadsts="AADSTS1234"), VaultForbiddenError, "AADSTS1234"),
        (ConfigurationError(key="a.b", problem="is gone"), VaultForbiddenError, "a.b: is gone"),
        (ValueError("The challenge resource 'x' does not match"), VaultForbiddenError, "verify_challenge_resource"),
    ],
)
def test_each_answer_is_its_own_error(error: Exception, kind: type[ConnectorError], told: str) -> None:
    with pytest.raises(kind) as raised, key_vault_errors("read", "an/alias"):
        raise error
    assert type(raised.value) is kind
    assert told in raised.value.message
    assert "planted" not in f"{raised.value} {vars(raised.value)}"


def test_a_bug_is_not_hidden_as_an_error_of_the_vault() -> None:
    with pytest.raises(ValueError, match="something else"), key_vault_errors("read", "alias"):
        raise ValueError("something else")


def test_the_time_to_come_back_is_kept() -> None:
    with pytest.raises(VaultThrottledError) as raised, key_vault_errors("read", "alias"):
        raise answered(429, "Throttled", **{"Retry-After": "12"})
    assert raised.value.retry_after_seconds == 12


@pytest.mark.parametrize(
    "body",
    [None, "text", [], {"error": "text"}, {"error": {"code": 5}}, {"error": {}}, {"error": {"code": "two words"}}],
)
def test_an_answer_without_codes_has_none(body: object) -> None:
    assert codes_of(HttpResponseError(response=Answer(500, body))) == ()
