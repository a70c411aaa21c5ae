"""The emulated Entra ID, as the unmodified azure-identity sees it: who gets a token, and what is in it."""

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential as BlockingClientSecretCredential
from azure.identity import CredentialUnavailableError
from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential

from emulators.bearer_tokens import keys_of_jwks, verified_claims
from emulators.certificates import write_certificates
from tests.emulated import Cluster, EmulatorProcess, RunningEntra, running_entra
from tests.integration.emulators.sdk_clients import (
    KEY_VAULT_SCOPE,
    STORAGE_SCOPE,
    authority_options,
    client_secret_credential,
    workload_credential,
)


@pytest_asyncio.fixture
async def entra(tmp_path: Path) -> AsyncIterator[RunningEntra]:
    async with running_entra(tmp_path) as running:
        yield running


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


async def test_a_token_says_who_for_what_and_until_when(entra_server: RunningEntra) -> None:
    async with client_secret_credential(entra_server) as credential:
        token = await credential.get_token(STORAGE_SCOPE)
    claims = claims_of(token.token)
    assert claims["iss"] == f"https://sts.windows.net/{entra_server.tenant}/"
    assert claims["aud"] == "https://storage.azure.com"
    assert (claims["oid"], claims["tid"]) == (entra_server.client_object_id, entra_server.tenant)
    assert claims["exp"] - token.expires_on in range(-5, 6)


async def test_tokens_are_signed_with_the_published_key(entra_server: RunningEntra) -> None:
    async with client_secret_credential(entra_server) as credential:
        token = (await credential.get_token(KEY_VAULT_SCOPE)).token
    async with entra_server._client() as http:
        discovery = (await http.get(f"/{entra_server.tenant}/v2.0/.well-known/openid-configuration")).json()
        keys = keys_of_jwks((await http.get(discovery["jwks_uri"])).json())
    claims = claims_of(token)
    assert verified_claims(
        token, keys, issuer=discovery["issuer"], audiences=frozenset([claims["aud"]]), now=claims["exp"] - 1
    )


async def test_the_blocking_client_finds_its_way_too(entra_server: RunningEntra) -> None:
    arguments = entra_server.tenant, entra_server.client_id, entra_server.client_secret
    with BlockingClientSecretCredential(*arguments, **authority_options(entra_server)) as credential:
        assert claims_of(credential.get_token(KEY_VAULT_SCOPE).token)["aud"] == "https://vault.azure.net"


async def test_a_wrong_secret_is_refused(entra_server: RunningEntra) -> None:
    async with client_secret_credential(entra_server, secret="wrong") as credential:
        with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
            await credential.get_token(KEY_VAULT_SCOPE)


@pytest.mark.parametrize(
    ("changed", "code"), [("tenant", "AADSTS90002"), ("client_id", "AADSTS700016")], ids=["tenant", "client"]
)
async def test_who_is_unknown_is_refused(entra_server: RunningEntra, changed: str, code: str) -> None:
    asked = {"tenant": entra_server.tenant, "client_id": entra_server.client_id, changed: "somebody-else"}
    options = authority_options(entra_server)
    async with ClientSecretCredential(
        asked["tenant"], asked["client_id"], entra_server.client_secret, **options
    ) as credential:
        with pytest.raises(ClientAuthenticationError, match=code):
            await credential.get_token(KEY_VAULT_SCOPE)


@pytest.mark.parametrize(
    ("scope", "code"), [("https://vault.azure.net", "AADSTS1002012"), ("https://other.test/.default", "AADSTS500011")]
)
async def test_a_scope_that_the_directory_does_not_know_is_refused(
    entra_server: RunningEntra, scope: str, code: str
) -> None:
    async with client_secret_credential(entra_server) as credential:
        with pytest.raises(ClientAuthenticationError, match=code):
            await credential.get_token(scope)


async def test_a_rotated_secret_takes_the_place_of_the_old_one_also_after_a_restart(entra: RunningEntra) -> None:
    new = await entra.rotate_client_secret()
    await entra.kill()
    await entra.start_again()
    async with client_secret_credential(entra) as old:
        with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
            await old.get_token(KEY_VAULT_SCOPE)
    async with client_secret_credential(entra, secret=new) as current:
        assert await current.get_token(KEY_VAULT_SCOPE)


async def test_a_federated_token_stands_for_the_secret(entra_server: RunningEntra, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(entra_server.cluster.federated_token())
    async with workload_credential(entra_server, str(file)) as credential:
        token = await credential.get_token(KEY_VAULT_SCOPE)
    assert claims_of(token.token)["oid"] == entra_server.client_object_id


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("expired", "AADSTS700024"),
        ("audience", "AADSTS700212"),
        ("subject", "AADSTS700213"),
        ("issuer", "AADSTS700211"),
        ("signature", "AADSTS700027"),
        ("no token", "AADSTS50027"),
    ],
)
async def test_a_federated_token_that_is_not_good_is_refused(
    entra_server: RunningEntra, tmp_path: Path, wrong: str, code: str
) -> None:
    cluster, exchange = entra_server.cluster, "api://AzureADTokenExchange"
    tokens = {
        "expired": cluster.federated_token(seconds=-1),
        "audience": cluster.token(audience="vault"),
        "subject": cluster.token(audience=exchange, subject="system:serviceaccount:other:other"),
        "issuer": cluster.token(audience=exchange, issuer="https://other.test"),
        "signature": Cluster(tmp_path).federated_token(),
        "no token": "not a token",
    }
    file = tmp_path / "token"
    file.write_text(tokens[wrong])
    async with workload_credential(entra_server, str(file)) as credential:
        with pytest.raises(ClientAuthenticationError, match=code):
            await credential.get_token(KEY_VAULT_SCOPE)


@pytest.mark.parametrize("environment", ["imds_environment", "app_service_environment"])
async def test_a_managed_identity_gets_its_token(
    entra_server: RunningEntra, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    for name, value in getattr(entra_server, environment).items():
        monkeypatch.setenv(name, value)
    async with ManagedIdentityCredential() as credential:
        token = await credential.get_token(STORAGE_SCOPE)
    assert claims_of(token.token)["oid"] == entra_server.managed_identity_object_id


async def test_a_managed_identity_that_the_machine_does_not_have_is_refused(
    entra_server: RunningEntra, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra_server.imds_environment.items():
        monkeypatch.setenv(name, value)
    async with ManagedIdentityCredential(client_id="another") as credential:
        with pytest.raises(CredentialUnavailableError, match="Identity not found"):
            await credential.get_token(STORAGE_SCOPE)


async def test_app_services_endpoint_demands_its_header(
    entra_server: RunningEntra, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**entra_server.app_service_environment, "IDENTITY_HEADER": "wrong"}.items():
        monkeypatch.setenv(name, value)
    async with ManagedIdentityCredential() as credential:
        with pytest.raises(ClientAuthenticationError):
            await credential.get_token(STORAGE_SCOPE)


async def test_the_default_chain_finds_the_client_secret(
    entra_server: RunningEntra, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", entra_server.tenant)
    monkeypatch.setenv("AZURE_CLIENT_ID", entra_server.client_id)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", entra_server.client_secret)
    async with DefaultAzureCredential(**authority_options(entra_server)) as credential:
        token = await credential.get_token(KEY_VAULT_SCOPE)
    assert claims_of(token.token)["oid"] == entra_server.client_object_id


async def test_it_fails_as_often_as_it_is_told_and_publishes_its_keys_all_the_same(entra: RunningEntra) -> None:
    await entra.fail(1, status=503)
    async with client_secret_credential(entra) as credential:
        with pytest.raises(ClientAuthenticationError, match="AADSTS90033"):
            await credential.get_token(KEY_VAULT_SCOPE)
        assert await credential.get_token(KEY_VAULT_SCOPE)


async def test_the_life_of_tokens_can_be_set(entra: RunningEntra) -> None:
    await entra.set_token_life(2)
    async with client_secret_credential(entra) as credential:
        claims = claims_of((await credential.get_token(KEY_VAULT_SCOPE)).token)
    assert claims["exp"] - claims["iat"] == pytest.approx(302, abs=1)  # they begin five minutes before they are issued


async def test_the_request_log_names_callers_and_holds_no_secret(entra: RunningEntra, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(entra.cluster.federated_token())
    async with client_secret_credential(entra) as by_secret, workload_credential(entra, str(file)) as by_token:
        issued = [(await each.get_token(KEY_VAULT_SCOPE)).token for each in (by_secret, by_token)]
    log = await entra.requests()
    assert [record["caller"] for record in log if record["path"].endswith("/token")] == [
        f"client {entra.client_id} by {proof} for {KEY_VAULT_SCOPE}" for proof in ("secret", "assertion")
    ]
    secrets = (entra.client_secret, file.read_text(), *issued)
    assert [secret for secret in secrets if secret in json.dumps(log)] == []


async def test_what_it_makes_up_it_tells_whoever_started_it(tmp_path: Path) -> None:
    certificates = write_certificates(tmp_path)
    files = ["--certificate", str(certificates.certificate_file), "--key", str(certificates.key_file)]
    process = EmulatorProcess("emulators.entra_server", files, tmp_path / "log")
    await process.start()
    try:
        told = process.told
        options = {"authority": told["url"], "disable_instance_discovery": True}
        async with ClientSecretCredential(
            told["tenant"],
            told["client_id"],
            told["client_secret"],
            connection_verify=str(certificates.ca_file),
            **options,
        ) as credential:
            assert claims_of((await credential.get_token(KEY_VAULT_SCOPE)).token)["oid"] == told["client_object_id"]
    finally:
        await process.end(signal.SIGTERM)


async def test_an_emulator_that_cannot_start_says_why(tmp_path: Path) -> None:
    process = EmulatorProcess("emulators.entra_server", ["--port", "no number"], tmp_path / "log")
    with pytest.raises(RuntimeError, match="invalid int value"):
        await process.start()
    assert process.process is None
