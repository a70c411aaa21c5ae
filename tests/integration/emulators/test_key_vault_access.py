"""Whose tokens the emulated Key Vault takes: nobody's but those that it must."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest
import pytest_asyncio
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential, ManagedIdentityCredential
from jwt.utils import base64url_decode, base64url_encode

from connector_spi.clock import SystemClock
from emulators.token_issuer import TokenIssuer
from tests.emulated import RunningEntra, RunningKeyVault, running_entra, running_key_vault
from tests.integration.emulators.sdk_clients import (
    KEY_VAULT_SCOPE,
    STORAGE_SCOPE,
    client_secret_credential,
    secret_client,
)


class GivenToken:
    """A credential that brings one token, whatever is asked for."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._token, int(SystemClock().now().timestamp()) + 3600)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        pass


async def refused_with(vault: RunningKeyVault, token: str) -> str:
    async with secret_client(vault, GivenToken(token)) as client:
        with pytest.raises(ClientAuthenticationError) as refused:
            await client.get_secret("any")
    assert refused.value.status_code == 401
    return str(refused.value.message)


@pytest_asyncio.fixture
async def credential(key_vault_server: RunningKeyVault) -> AsyncIterator[ClientSecretCredential]:
    async with client_secret_credential(key_vault_server.entra) as opened:
        yield opened


async def test_a_token_of_another_resource_is_refused(
    key_vault_server: RunningKeyVault, credential: ClientSecretCredential
) -> None:
    token = (await credential.get_token(STORAGE_SCOPE)).token
    assert "Invalid audience" in await refused_with(key_vault_server, token)


@pytest.mark.parametrize("of", ["another key", "another tenant", "nothing"])
async def test_a_token_that_entra_did_not_sign_is_refused(key_vault_server: RunningKeyVault, of: str) -> None:
    tenant, now = key_vault_server.entra.tenant, SystemClock().now().timestamp()
    forger = TokenIssuer(f"https://sts.windows.net/{tenant if of == 'another key' else 'other'}/")
    forged = forger.issue(
        audience="https://vault.azure.net", issued=now, begins=now - 5, expires=now + 60, oid="somebody", tid=tenant
    )
    message = await refused_with(key_vault_server, "not-a-token" if of == "nothing" else forged)
    assert ("malformed" if of == "nothing" else "Signature validation failed") in message


async def test_a_token_that_was_changed_is_refused(
    key_vault_server: RunningKeyVault, credential: ClientSecretCredential
) -> None:
    header, payload, signature = (await credential.get_token(KEY_VAULT_SCOPE)).token.split(".")
    claims = {**json.loads(base64url_decode(payload)), "oid": "somebody-else"}
    changed = base64url_encode(json.dumps(claims).encode()).decode()
    assert "Signature validation failed" in await refused_with(key_vault_server, f"{header}.{changed}.{signature}")
    unsigned = base64url_encode(json.dumps({**json.loads(base64url_decode(header)), "alg": "none"}).encode()).decode()
    assert "malformed" in await refused_with(key_vault_server, f"{unsigned}.{changed}.")


async def test_a_token_of_another_entra_is_refused(key_vault_server: RunningKeyVault, tmp_path: Path) -> None:
    async with running_entra(tmp_path) as other, client_secret_credential(other) as credential:
        token = (await credential.get_token(KEY_VAULT_SCOPE)).token
    assert "Signature validation failed" in await refused_with(key_vault_server, token)


async def test_a_token_is_good_from_its_beginning_to_its_end(entra_server: RunningEntra, tmp_path: Path) -> None:
    async with (
        running_key_vault(tmp_path, entra_server) as vault,
        client_secret_credential(entra_server) as credential,
    ):
        token = (await credential.get_token(KEY_VAULT_SCOPE)).token
        for offset in (3610, -3600):
            await vault.set_clock(offset_seconds=offset)
            assert "Lifetime validation failed" in await refused_with(vault, token)
        await vault.set_clock(offset_seconds=3500)
        async with secret_client(vault, GivenToken(token)) as client:
            with pytest.raises(ResourceNotFoundError):
                await client.get_secret("any")


async def test_who_has_no_role_is_forbidden(
    entra_server: RunningEntra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra_server.imds_environment.items():
        monkeypatch.setenv(name, value)
    with_role = (entra_server.managed_identity_object_id,)
    async with (
        running_key_vault(tmp_path, entra_server, object_ids=with_role) as vault,
        ManagedIdentityCredential() as machine,
        client_secret_credential(entra_server) as application,
        secret_client(vault, machine) as permitted,
        secret_client(vault, application) as forbidden,
    ):
        await permitted.set_secret("a", "kept")
        with pytest.raises(HttpResponseError) as refused:
            await forbidden.get_secret("a")
        log = await vault.requests()
    assert refused.value.status_code == 403
    assert refused.value.error
    assert refused.value.error.innererror == {"code": "ForbiddenByRbac"}
    assert [record["status"] for record in log] == [401, 200, 403]
    assert log[1]["caller"] == entra_server.managed_identity_object_id
    assert "kept" not in json.dumps(log)


async def test_the_first_call_is_challenged_before_its_body_is_sent(
    key_vault_server: RunningKeyVault, credential: ClientSecretCredential
) -> None:
    async with secret_client(key_vault_server, credential, verify_challenge_resource=True) as strict:
        with pytest.raises(ValueError, match="does not match"):
            await strict.set_secret("never", "sent")


async def test_while_entra_is_down_no_token_can_be_checked_for_the_first_time(tmp_path: Path) -> None:
    async with (
        running_entra(tmp_path / "entra") as entra,
        running_key_vault(tmp_path / "vault", entra) as vault,
        client_secret_credential(entra) as credential,
    ):
        token = (await credential.get_token(KEY_VAULT_SCOPE)).token
        await entra.kill()
        async with secret_client(vault, GivenToken(token)) as client:
            with pytest.raises(HttpResponseError) as unavailable:
                await client.get_secret("any")
            assert unavailable.value.status_code == 503
            await entra.start_again()
            with pytest.raises(ResourceNotFoundError):  # the signing key is the same as before
                await client.get_secret("any")
