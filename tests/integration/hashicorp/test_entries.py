"""What the adapter makes of entries, of other people's entries, and of servers that are no vault."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector_spi.errors import (
    SecretNotFoundError,
    VaultForbiddenError,
    VaultSealedError,
    VaultThrottledError,
    VaultUnavailableError,
)
from tests.conformance.vaults import CREDENTIAL, approle_settings, hashicorp_settings
from tests.emulated import RunningVault, running_vault
from tests.eventually import eventually
from tests.integration.hashicorp.conftest import OpenVault, Operator, logins
from tests.loopback_server import answering, loopback_server
from vault_adapters.hashicorp.errors import SecretUnreadableError, VaultUntrustedError

BY_TOKEN = {"method": "token", "token_env": CREDENTIAL}


@pytest.mark.parametrize("key", ["content", "value"])
async def test_secrets_that_operators_stored_are_found(
    vault_server: RunningVault, operator: Operator, open_vault: OpenVault, key: str
) -> None:
    settings = approle_settings(vault_server)
    vault = open_vault(settings, {CREDENTIAL: vault_server.secret_id})
    await operator.put(f"{settings.folder}/provideraccount", {key: "a-key", "note": "by hand"})
    assert await vault.resolve("provideraccount") == "a-key"
    assert await vault.aliases() == ["provideraccount"]
    await vault.store("provideraccount", "another-key")
    assert await vault.resolve("provideraccount") == "another-key"


@pytest.mark.parametrize("fields", [{}, {"password": "planted-7f1e"}, {"content": 7}, {"value": {"a": "planted-7f1e"}}])
async def test_an_entry_without_a_text_is_named_and_not_shown(
    vault_server: RunningVault, operator: Operator, open_vault: OpenVault, fields: dict[str, Any]
) -> None:
    settings = approle_settings(vault_server)
    vault = open_vault(settings, {CREDENTIAL: vault_server.secret_id})
    await operator.put(f"{settings.folder}/alias", fields)
    with pytest.raises(SecretUnreadableError, match=r"'alias' .*content, value") as raised:
        await vault.resolve("alias")
    assert "planted" not in f"{raised.value!r} {vars(raised.value)}"


async def test_entries_and_folders_of_others_are_not_listed(
    vault_server: RunningVault, operator: Operator, open_vault: OpenVault
) -> None:
    settings = approle_settings(vault_server)
    vault = open_vault(settings, {CREDENTIAL: vault_server.secret_id})
    for path in ("ours", "not an alias", "theirs/inner", "~61"):
        await operator.put(f"{settings.folder}/{path}", {"content": "x"})
    await operator.put(f"{settings.folder}-2/neighbour", {"content": "x"})
    assert await vault.aliases() == ["ours"]


async def test_an_alias_stays_in_its_folder(
    vault_server: RunningVault, operator: Operator, open_vault: OpenVault
) -> None:
    settings = approle_settings(vault_server)
    vault = open_vault(settings, {CREDENTIAL: vault_server.secret_id})
    await operator.put("theirs", {"content": "their secret"})
    with pytest.raises(SecretNotFoundError):
        await vault.resolve("../theirs")
    await vault.store("../theirs", "ours")
    kept = await operator.call("GET", "secret/data/theirs")
    assert kept.json()["data"]["data"] == {"content": "their secret"}


async def test_deleting_leaves_no_version_behind(
    vault_server: RunningVault, operator: Operator, open_vault: OpenVault
) -> None:
    settings = approle_settings(vault_server)
    vault = open_vault(settings, {CREDENTIAL: vault_server.secret_id})
    for value in ("first", "second"):
        await vault.store("alias", value)
    versions = await operator.call("GET", f"secret/metadata/{settings.folder}/alias")
    assert len(versions.json()["data"]["versions"]) == 2
    await vault.delete("alias")
    assert (await operator.call("GET", f"secret/metadata/{settings.folder}/alias")).status_code == 404


async def test_a_secret_that_an_operator_deleted_softly_is_missing_and_can_be_stored(
    vault_server: RunningVault, operator: Operator, open_vault: OpenVault
) -> None:
    settings = approle_settings(vault_server)
    vault = open_vault(settings, {CREDENTIAL: vault_server.secret_id})
    await vault.store("alias", "old")
    await operator.call("DELETE", f"secret/data/{settings.folder}/alias")
    with pytest.raises(SecretNotFoundError):
        await vault.resolve("alias")
    await vault.store("alias", "new")
    assert await vault.resolve("alias") == "new"


async def test_a_write_that_arrives_late_replaces_nothing_newer(tmp_path: Path, open_vault: OpenVault) -> None:
    async with running_vault(tmp_path) as server:
        environ = {CREDENTIAL: server.secret_id}
        settings = approle_settings(server)
        quick = open_vault(settings, environ)
        slow = open_vault(settings.model_copy(update={"call_seconds": 1.0}), environ)
        await quick.store("alias", "old")
        assert await slow.resolve("alias") == "old"
        await server.delay(1, seconds=3)
        with pytest.raises(VaultUnavailableError):
            await slow.store("alias", "late")
        await quick.store("alias", "new")

        async def late_write_arrived() -> bool:
            return any(asked["status"] == 400 for asked in (await server.requests())[-3:])

        await eventually(late_write_arrived)
        assert await quick.resolve("alias") == "new"


async def test_a_sealed_vault_says_so_and_works_again_when_it_is_unsealed(
    tmp_path: Path, open_vault: OpenVault
) -> None:
    async with running_vault(tmp_path) as server:
        vault = open_vault(approle_settings(server), {CREDENTIAL: server.secret_id})
        await vault.store("alias", "value")
        await server.seal()
        for call in (vault.resolve("alias"), vault.store("alias", "x"), vault.delete("alias"), vault.aliases()):
            with pytest.raises(VaultSealedError):
                await call
        await server.unseal()
        assert await vault.resolve("alias") == "value"


async def test_a_throttled_caller_is_told_how_long_to_wait(tmp_path: Path, open_vault: OpenVault) -> None:
    async with running_vault(tmp_path) as server:
        vault = open_vault(approle_settings(server), {CREDENTIAL: server.secret_id})
        await server.throttle(1)
        with pytest.raises(VaultThrottledError) as raised:
            await vault.resolve("alias")
        assert raised.value.retry_after_seconds == 1


async def test_a_certificate_is_checked_against_the_authority_that_is_named(
    tmp_path: Path, open_vault: OpenVault
) -> None:
    async with running_vault(tmp_path, tls=True) as server:
        environ = {CREDENTIAL: server.secret_id}
        settings = approle_settings(server)
        trusting = open_vault(settings, environ)
        await trusting.store("alias", "value")
        assert await trusting.resolve("alias") == "value"
        before = await logins(server)
        without = open_vault(settings.model_copy(update={"ca_file": None}), environ)
        with pytest.raises(VaultUntrustedError, match=r"vault\.ca_file"):
            await without.resolve("alias")
        assert await logins(server) == before


async def test_a_mount_that_is_not_there_is_named(vault_server: RunningVault, open_vault: OpenVault) -> None:
    settings = hashicorp_settings(vault_server.url, BY_TOKEN, mount="nowhere")
    vault = open_vault(settings, {CREDENTIAL: vault_server.root_token})
    for call in (vault.resolve("alias"), vault.aliases(), vault.delete("alias"), vault.store("alias", "x")):
        with pytest.raises(VaultForbiddenError, match=r"vault\.mount"):
            await call


async def test_a_redirect_does_not_carry_the_token_elsewhere(open_vault: OpenVault) -> None:
    async with loopback_server(answering()) as elsewhere:
        redirect = answering(status="307 Temporary Redirect", headers=(f"Location: {elsewhere.address}/",))
        async with loopback_server(redirect) as server:
            vault = open_vault(hashicorp_settings(server.address, BY_TOKEN), {CREDENTIAL: "planted-7f1e"})
            with pytest.raises(VaultUnavailableError, match=r"vault\.url"):
                await vault.resolve("alias")
        assert elsewhere.requests == []


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
@pytest.mark.parametrize("body", [b"<html>Hello</html>", b"[]", b'"text"'])
async def test_a_server_that_is_no_vault_is_not_believed(open_vault: OpenVault, body: bytes, status: str) -> None:
    async with loopback_server(answering(body, status=status)) as server:
        vault = open_vault(hashicorp_settings(server.address, BY_TOKEN), {CREDENTIAL: "planted-7f1e"})
        for call in (vault.resolve("alias"), vault.aliases()):
            with pytest.raises(VaultUnavailableError, match=r"vault\.url"):
                await call


async def test_an_answer_that_repeats_what_was_sent_shows_no_secret(open_vault: OpenVault) -> None:
    body = b'{"errors": ["cannot store planted-7f1e with planted-token"]}'
    async with loopback_server(answering(body, status="400 Bad Request")) as server:
        table = {"method": "approle", "role_id": "role", "secret_id_env": CREDENTIAL}
        vault = open_vault(hashicorp_settings(server.address, table), {CREDENTIAL: "planted-token"})
        with pytest.raises(VaultForbiddenError) as raised:
            await vault.store("alias", "planted-7f1e")
        assert "planted" not in f"{raised.value!r} {vars(raised.value)} {raised.value.__context__!r}"


async def test_so_many_calls_are_made_at_once_and_no_more(open_vault: OpenVault) -> None:
    limit = 2
    arrived = 0
    enough = asyncio.Event()

    async def respond(writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        arrived += 1
        if arrived > limit:
            enough.set()  # the login, and as many calls as there may be
        if arrived > 1:
            await enough.wait()
        await answering(b'{"data": {"keys": [], "ttl": 0}}')(writer)

    async with loopback_server(respond) as server:
        settings = hashicorp_settings(server.address, BY_TOKEN, parallel_calls=limit)
        vault = open_vault(settings, {CREDENTIAL: "token"})
        assert await asyncio.gather(*(vault.aliases() for _ in range(10))) == [[]] * 10
        assert server.connections == limit
