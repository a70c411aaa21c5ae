"""The emulated Vault in trouble: sealed, throttled, failing, killed; and what it writes down."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import hvac
import pytest
import pytest_asyncio
import requests
from hvac.exceptions import Forbidden, InternalServerError, RateLimitExceeded, VaultDown

from tests.emulated import RunningVault, running_vault


@pytest_asyncio.fixture
async def vault(tmp_path: Path) -> AsyncIterator[RunningVault]:
    async with running_vault(tmp_path, tls=True) as running:
        yield running


@pytest.fixture
def client(vault: RunningVault) -> hvac.Client:
    connected = hvac.Client(vault.url, verify=str(vault.ca_file), timeout=10)
    connected.auth.approle.login(vault.role_id, vault.secret_id)
    return connected


def write(client: hvac.Client) -> None:
    client.secrets.kv.v2.create_or_update_secret("a", {"value": "kept"})


def read(client: hvac.Client) -> str:
    answer = client.secrets.kv.v2.read_secret_version("a", raise_on_deleted_version=True)
    return str(answer["data"]["data"]["value"])


async def test_a_sealed_vault_answers_nothing_but_its_health(vault: RunningVault, client: hvac.Client) -> None:
    write(client)
    await vault.seal()
    with pytest.raises(VaultDown, match="Vault is sealed"):
        read(client)
    assert client.sys.is_sealed()  # type: ignore[no-untyped-call]
    assert client.sys.read_health_status().status_code == 503
    await vault.unseal()
    assert read(client) == "kept"
    assert client.sys.read_health_status(method="GET")["sealed"] is False


async def test_it_throttles_and_fails_as_often_as_it_is_told(vault: RunningVault, client: hvac.Client) -> None:
    await vault.throttle(1)
    with pytest.raises(RateLimitExceeded, match="rate limit quota exceeded"):
        write(client)
    await vault.fail(2)
    for _ in range(2):
        with pytest.raises(InternalServerError):
            write(client)
    write(client)


async def test_a_slow_answer_runs_into_the_clients_time_out(vault: RunningVault, client: hvac.Client) -> None:
    write(client)
    await vault.delay(1, seconds=30)
    hasty = hvac.Client(vault.url, token=client.token, verify=str(vault.ca_file), timeout=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        read(hasty)
    assert read(client) == "kept"


async def test_a_killed_vault_comes_back_with_its_secrets_and_tokens(vault: RunningVault, client: hvac.Client) -> None:
    write(client)
    revoked = hvac.Client(vault.url, verify=str(vault.ca_file))
    revoked.auth.approle.login(vault.role_id, vault.secret_id)
    revoked.auth.token.revoke_self()
    address, pid = vault.url, vault.pid
    await vault.kill()
    with pytest.raises(requests.exceptions.ConnectionError):
        read(client)
    await vault.start_again()
    assert (vault.url, read(client)) == (address, "kept")
    assert vault.pid != pid
    with pytest.raises(Forbidden):
        read(revoked)


async def test_its_certificate_is_checked(vault: RunningVault) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        hvac.Client(vault.url).sys.read_health_status()


async def test_the_request_log_names_callers_and_holds_no_secret(vault: RunningVault, client: hvac.Client) -> None:
    write(client)
    log = await vault.requests()
    assert [(record["method"], record["path"], record["status"]) for record in log] == [
        ("POST", "/v1/auth/approle/login", 200),
        ("POST", "/v1/secret/data/a", 200),
    ]
    assert log[1]["caller"].startswith("approle-connector ")
    secrets = (vault.secret_id, vault.root_token, str(client.token), "kept")
    assert [secret for secret in secrets if secret in json.dumps(log)] == []
