"""How the adapter gets a token, keeps it, and gets another one; each on a server of its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from connector_spi.errors import VaultForbiddenError, VaultUnavailableError
from tests.conformance.vaults import CREDENTIAL, approle_settings, hashicorp_settings
from tests.emulated import RunningVault, running_vault
from tests.eventually import eventually
from tests.integration.hashicorp.conftest import OpenVault, Operator, logins, paths_asked
from vault_adapters.hashicorp.errors import VaultLoginLostError

LEASE_SECONDS = 2
LONGEST_SECONDS = 6


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningVault]:
    """A server whose tokens these tests may revoke."""
    async with running_vault(tmp_path_factory.mktemp("logins"), login_prefix="test-", namespaces=("team",)) as running:
        yield running


@pytest.fixture
async def forgetful(tmp_path: Path) -> AsyncIterator[RunningVault]:
    """A server whose tokens end soon."""
    async with running_vault(tmp_path, lease_seconds=LEASE_SECONDS, longest_seconds=LONGEST_SECONDS) as running:
        yield running


def login(method: str, server: RunningVault, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The `login` table and the environment for each method."""
    file = folder / "credential"
    match method:
        case "token":
            return {"method": "token", "token_env": CREDENTIAL}, {CREDENTIAL: server.root_token}
        case "approle":
            file.write_text(server.secret_id)
            return {"method": "approle", "role_id": server.role_id, "secret_id_file": file}, {}
    file.write_text(server.cluster.token())
    return {"method": method, "role": server.role, "token_file": file}, {}


@pytest.mark.parametrize("method", ["token", "approle", "kubernetes", "jwt"])
async def test_each_method_logs_in_and_again_after_its_token_was_revoked(
    server: RunningVault, open_vault: OpenVault, tmp_path: Path, method: str
) -> None:
    table, environ = login(method, server, tmp_path)
    vault = open_vault(hashicorp_settings(server.url, table), environ)
    await vault.store("alias", "value")
    await server.revoke_all_tokens()
    assert await vault.resolve("alias") == "value"


@pytest.mark.parametrize("method", ["approle", "kubernetes", "jwt"])
async def test_a_credential_that_the_vault_does_not_take_is_forbidden(
    server: RunningVault, open_vault: OpenVault, tmp_path: Path, method: str
) -> None:
    table, environ = login(method, server, tmp_path)
    (tmp_path / "credential").write_text("planted-7f1e")
    vault = open_vault(hashicorp_settings(server.url, table), environ)
    with pytest.raises(VaultForbiddenError, match=rf"login by {method}") as raised:
        await vault.resolve("alias")
    assert "planted" not in f"{raised.value!r} {vars(raised.value)}"


async def test_a_token_that_the_vault_does_not_take_is_forbidden(server: RunningVault, open_vault: OpenVault) -> None:
    table = {"method": "token", "token_env": CREDENTIAL}
    vault = open_vault(hashicorp_settings(server.url, table), {CREDENTIAL: "planted-7f1e"})
    with pytest.raises(VaultForbiddenError) as raised:
        await vault.resolve("alias")
    assert "planted" not in f"{raised.value!r} {vars(raised.value)}"


async def test_a_namespace_has_secrets_and_tokens_of_its_own(server: RunningVault, open_vault: OpenVault) -> None:
    settings = approle_settings(server)
    environ = {CREDENTIAL: server.secret_id}
    inside = open_vault(settings.model_copy(update={"namespace": "team"}), environ)
    outside = open_vault(settings, environ)
    await inside.store("alias", "inside")
    assert await outside.aliases() == []
    assert await inside.resolve("alias") == "inside"


async def test_a_server_that_would_ignore_the_namespace_gets_no_secret(
    forgetful: RunningVault, open_vault: OpenVault
) -> None:
    environ = {CREDENTIAL: forgetful.secret_id}
    vault = open_vault(approle_settings(forgetful).model_copy(update={"namespace": "team"}), environ)
    with pytest.raises(VaultForbiddenError, match=r"ignores vault\.namespace"):
        await vault.store("alias", "value")
    assert await open_vault(approle_settings(forgetful), environ).aliases() == []


async def test_many_calls_with_a_revoked_token_are_one_login(server: RunningVault, open_vault: OpenVault) -> None:
    vault = open_vault(approle_settings(server), {CREDENTIAL: server.secret_id})
    await vault.store("alias", "value")
    before = await logins(server)
    await server.revoke_all_tokens()
    assert await asyncio.gather(*(vault.resolve("alias") for _ in range(50))) == ["value"] * 50
    assert await logins(server) == before + 1


async def test_the_first_calls_at_once_are_one_login(server: RunningVault, open_vault: OpenVault) -> None:
    before = await logins(server)
    vault = open_vault(approle_settings(server), {CREDENTIAL: server.secret_id})
    assert await asyncio.gather(*(vault.aliases() for _ in range(20))) == [[]] * 20
    assert await logins(server) == before + 1


async def test_what_a_working_token_may_not_do_needs_no_other_login(
    server: RunningVault, open_vault: OpenVault
) -> None:
    vault = open_vault(approle_settings(server, folder="somebody-elses"), {CREDENTIAL: server.secret_id})
    with pytest.raises(VaultForbiddenError, match="somebody-elses/alias"):
        await vault.resolve("alias")
    before = await logins(server)
    for _ in range(3):
        with pytest.raises(VaultForbiddenError):
            await vault.resolve("alias")
    assert await logins(server) == before


async def test_a_first_caller_that_is_cancelled_takes_nobody_along(server: RunningVault, open_vault: OpenVault) -> None:
    before = await logins(server)
    vault = open_vault(approle_settings(server), {CREDENTIAL: server.secret_id})
    first = asyncio.create_task(vault.aliases())
    second = asyncio.create_task(vault.aliases())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == []
    assert await logins(server) == before + 1


async def test_a_new_secret_id_is_read_when_the_old_one_is_refused(
    tmp_path: Path, forgetful: RunningVault, open_vault: OpenVault
) -> None:
    table, environ = login("approle", forgetful, tmp_path)
    vault = open_vault(hashicorp_settings(forgetful.url, table), environ)
    await vault.store("alias", "value")
    new = await forgetful.rotate_secret_id()
    await forgetful.revoke_all_tokens()
    before = await logins(forgetful)
    for _ in range(5):
        with pytest.raises(VaultLoginLostError, match="login by approle"):
            await vault.resolve("alias")
    assert await logins(forgetful) == before + 1, "a vault locks the role after some refusals"
    (tmp_path / "credential").write_text(new)
    assert await vault.resolve("alias") == "value"


async def test_a_credential_that_is_away_for_a_moment_is_waited_for(
    tmp_path: Path, server: RunningVault, open_vault: OpenVault
) -> None:
    table, environ = login("approle", server, tmp_path)
    vault = open_vault(hashicorp_settings(server.url, table), environ)
    (tmp_path / "credential").unlink()
    with pytest.raises(VaultUnavailableError, match=r"vault\.login\.secret_id_file"):
        await vault.resolve("alias")
    (tmp_path / "credential").write_text(server.secret_id)
    assert await vault.aliases() == []


async def test_a_token_file_is_read_again_when_its_token_is_refused(
    tmp_path: Path, server: RunningVault, open_vault: OpenVault
) -> None:
    operator, file = Operator(server), tmp_path / "token"
    first = await operator.new_token()
    file.write_text(first)
    settings = hashicorp_settings(server.url, {"method": "token", "token_file": file})
    vault = open_vault(settings, {})
    await vault.store("alias", "value")
    await operator.revoke(first)
    with pytest.raises(VaultLoginLostError):
        await vault.resolve("alias")
    file.write_text(await operator.new_token())
    assert await vault.resolve("alias") == "value"


async def test_a_token_is_renewed_and_at_its_greatest_age_replaced_without_a_call_that_fails(
    forgetful: RunningVault, open_vault: OpenVault
) -> None:
    vault = open_vault(approle_settings(forgetful), {CREDENTIAL: forgetful.secret_id})
    await vault.store("alias", "value")

    async def renewed_and_replaced() -> bool:
        assert await vault.resolve("alias") == "value"
        asked = await paths_asked(forgetful)
        return asked.count("POST auth/token/renew-self") >= 2 and await logins(forgetful) >= 2

    await eventually(renewed_and_replaced)
    # Vault counts in whole seconds: a renewal may come too late for such a short life, and is answered with 500.
    others = [asked for asked in await forgetful.requests() if not asked["path"].endswith("/renew-self")]
    assert {asked["status"] for asked in others} <= {200, 204}


async def test_a_token_that_is_not_used_is_renewed_all_the_same(forgetful: RunningVault, open_vault: OpenVault) -> None:
    vault = open_vault(approle_settings(forgetful), {CREDENTIAL: forgetful.secret_id})
    assert await vault.aliases() == []

    async def renewed() -> bool:
        return "POST auth/token/renew-self" in await paths_asked(forgetful)

    await eventually(renewed)


async def test_renewal_survives_a_server_that_is_away(forgetful: RunningVault, open_vault: OpenVault) -> None:
    vault = open_vault(approle_settings(forgetful), {CREDENTIAL: forgetful.secret_id})
    await vault.store("alias", "value")
    await forgetful.fail(3, status=500)

    async def renewed() -> bool:
        asked = [(asked["path"], asked["status"]) for asked in await forgetful.requests()]
        return ("/v1/auth/token/renew-self", 200) in asked or await logins(forgetful) > 1

    await eventually(renewed)
    assert await vault.resolve("alias") == "value"


async def test_closing_ends_the_renewal_and_the_token_that_was_made_for_it(
    server: RunningVault, open_vault: OpenVault
) -> None:
    before = asyncio.all_tasks()
    vault = open_vault(approle_settings(server), {CREDENTIAL: server.secret_id})
    await vault.store("alias", "value")
    assert asyncio.all_tasks() > before
    await vault.aclose()
    assert asyncio.all_tasks() == before
    assert (await paths_asked(server))[-1] == "POST auth/token/revoke-self"
    with pytest.raises(VaultUnavailableError, match="closed"):
        await vault.resolve("alias")


async def test_closing_leaves_somebody_elses_token_alone(server: RunningVault, open_vault: OpenVault) -> None:
    token = await Operator(server).new_token()
    settings = hashicorp_settings(server.url, {"method": "token", "token_env": CREDENTIAL})
    for _ in range(2):
        vault = open_vault(settings, {CREDENTIAL: token})
        await vault.store("alias", "value")
        await vault.aclose()
