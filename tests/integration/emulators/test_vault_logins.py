"""Who gets a token of the emulated Vault, and what it is good for."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import hvac
import pytest
import pytest_asyncio
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

from tests.emulated import Cluster, RunningVault, running_vault

LEASE = 60
LONGEST = 150


@pytest_asyncio.fixture
async def vault(tmp_path: Path) -> AsyncIterator[RunningVault]:
    async with running_vault(
        tmp_path, lease_seconds=LEASE, longest_seconds=LONGEST, namespaces=("team-a", "team-b"), login_prefix="own/"
    ) as running:
        yield running


def approle_client(vault: RunningVault, *, namespace: str | None = None) -> hvac.Client:
    client = hvac.Client(vault.url, namespace=namespace)
    client.auth.approle.login(vault.role_id, vault.secret_id)
    return client


def write(client: hvac.Client, path: str = "own/a") -> None:
    client.secrets.kv.v2.create_or_update_secret(path, {"value": "v"})


async def test_each_way_to_log_in_gives_a_token(vault_server: RunningVault) -> None:
    client, cluster = hvac.Client(vault_server.url), vault_server.cluster
    logins = [
        client.auth.approle.login(vault_server.role_id, vault_server.secret_id),
        client.auth.kubernetes.login(role=vault_server.role, jwt=cluster.token()),
        client.auth.jwt.jwt_login(role=vault_server.role, jwt=cluster.token()),
    ]
    for login in logins:
        client.token = login["auth"]["client_token"]
        assert client.is_authenticated()
        write(client)


async def test_a_wrong_secret_id_is_refused_and_a_rotated_one_too(vault: RunningVault) -> None:
    client = hvac.Client(vault.url)
    for role_id, secret_id in ((vault.role_id, "wrong"), ("wrong", vault.secret_id)):
        with pytest.raises(InvalidRequest, match="invalid role or secret ID"):
            client.auth.approle.login(role_id, secret_id)
    new = await vault.rotate_secret_id()
    with pytest.raises(InvalidRequest):
        client.auth.approle.login(vault.role_id, vault.secret_id)
    client.auth.approle.login(vault.role_id, new)


@pytest.mark.parametrize("wrong", ["expired", "audience", "issuer", "signature", "no token"])
async def test_a_token_that_is_not_good_does_not_log_in(vault_server: RunningVault, wrong: str, tmp_path: Path) -> None:
    cluster = vault_server.cluster
    tokens = {
        "expired": cluster.token(seconds=-1),
        "audience": cluster.token(audience="somebody-else"),
        "issuer": cluster.token(issuer="https://other.test"),
        "signature": Cluster(tmp_path).token(),
        "no token": "not a token",
    }
    client = hvac.Client(vault_server.url)
    with pytest.raises(Forbidden):
        client.auth.kubernetes.login(role=vault_server.role, jwt=tokens[wrong])
    with pytest.raises(InvalidRequest, match="error validating token"):
        client.auth.jwt.jwt_login(role=vault_server.role, jwt=tokens[wrong])


async def test_a_role_that_is_not_there_does_not_log_in(vault_server: RunningVault) -> None:
    client, token = hvac.Client(vault_server.url), vault_server.cluster.token()
    with pytest.raises(InvalidRequest, match="invalid role name"):
        client.auth.kubernetes.login(role="other", jwt=token)
    with pytest.raises(InvalidRequest, match="could not be found"):
        client.auth.jwt.jwt_login(role="other", jwt=token)


@pytest.mark.parametrize("token", [None, "hvs.unknown"])
async def test_without_a_good_token_there_are_no_secrets(vault_server: RunningVault, token: str | None) -> None:
    client = hvac.Client(vault_server.url)
    client.token = token or ""  # else hvac looks for one in the user's home
    for call in (write, lambda c: c.secrets.kv.v2.list_secrets("own"), lambda c: c.auth.token.lookup_self()):
        with pytest.raises(Forbidden, match="permission denied"):
            call(client)


async def test_a_lease_ends_unless_it_is_renewed_and_renewal_has_an_end(vault: RunningVault) -> None:
    renewing, idle = approle_client(vault), approle_client(vault)
    assert renewing.auth.token.lookup_self()["data"]["ttl"] in {LEASE - 1, LEASE}
    await vault.set_clock(offset_seconds=50)
    assert renewing.auth.token.renew_self()["auth"]["lease_duration"] == LEASE
    await vault.set_clock(offset_seconds=100)
    write(renewing)
    with pytest.raises(Forbidden):
        write(idle)
    assert renewing.auth.token.renew_self()["auth"]["lease_duration"] < LEASE
    await vault.set_clock(offset_seconds=LONGEST + 1)
    with pytest.raises(Forbidden):
        renewing.auth.token.renew_self()


async def test_a_revoked_token_is_refused_and_logging_in_again_helps(vault: RunningVault) -> None:
    one, other = approle_client(vault), approle_client(vault)
    one.auth.token.revoke_self()
    with pytest.raises(Forbidden):
        write(one)
    write(other)
    await vault.revoke_all_tokens()
    with pytest.raises(Forbidden):
        write(other)
    write(approle_client(vault))
    write(hvac.Client(vault.url, token=vault.root_token))


async def test_a_login_may_use_its_own_paths_alone(vault: RunningVault) -> None:
    client = approle_client(vault)
    write(client, "own/a")
    assert client.secrets.kv.v2.list_secrets("own")["data"]["keys"] == ["a"]
    for path in ("other/a", "owner/a"):
        with pytest.raises(Forbidden, match="permission denied"):
            write(client, path)
    with pytest.raises(Forbidden):
        client.secrets.kv.v2.list_secrets("")
    with pytest.raises(Forbidden):
        client.auth.token.create()


async def test_root_makes_tokens_with_the_life_that_it_says(vault: RunningVault) -> None:
    root = hvac.Client(vault.url, token=vault.root_token)
    made = root.auth.token.create(ttl="30s", renewable=False, policies=["connector"])["auth"]
    assert made["lease_duration"] == 30
    client = hvac.Client(vault.url, token=made["client_token"])
    write(client)
    with pytest.raises(InvalidRequest, match="not renewable"):
        client.auth.token.renew_self()


async def test_namespaces_have_secrets_and_tokens_of_their_own(vault: RunningVault) -> None:
    client = approle_client(vault, namespace="team-a")
    write(client)
    with pytest.raises(Forbidden):
        write(hvac.Client(vault.url, namespace="team-b", token=client.token))
    with pytest.raises(Forbidden):
        write(hvac.Client(vault.url, token=client.token))
    other = approle_client(vault, namespace="team-b")
    with pytest.raises(InvalidPath):
        other.secrets.kv.v2.read_secret_version("own/a", raise_on_deleted_version=True)
    with pytest.raises(InvalidPath, match="no handler for route"):
        approle_client(vault, namespace="nobody")


async def test_a_login_method_can_be_mounted_elsewhere(tmp_path: Path) -> None:
    async with running_vault(tmp_path, auth_mounts={"approle": "team/roles"}) as vault:
        client = hvac.Client(vault.url)
        client.auth.approle.login(vault.role_id, vault.secret_id, mount_point="team/roles")
        write(client)
        client.token = ""
        with pytest.raises(Forbidden):
            client.auth.approle.login(vault.role_id, vault.secret_id)


async def test_answers_without_a_token_or_a_role_are_those_of_the_real_server(vault: RunningVault) -> None:
    async with httpx.AsyncClient(base_url=f"{vault.url}/v1/", trust_env=False) as http:
        tokenless = await http.get(f"{vault.mount}/data/a")
        assert (tokenless.status_code, tokenless.json()) == (403, {"errors": ["permission denied"]})
        nobody = await http.post("auth/approle/login", json={})
        assert (nobody.status_code, len(nobody.json()["errors"])) == (500, 1)
        root = {"X-Vault-Token": vault.root_token}
        astray = await http.get(f"{vault.mount}/a", headers=root)
        assert (astray.status_code, "errors" in astray.json()) == (404, False)
        assert "versioned" in astray.json()["warnings"][0]


async def test_a_server_without_namespaces_ignores_the_header(tmp_path: Path) -> None:
    async with running_vault(tmp_path) as plain:
        client = hvac.Client(plain.url, namespace="anything", token=plain.root_token)
        write(client)
        assert hvac.Client(plain.url).sys.read_health_status(method="GET")["enterprise"] is False
