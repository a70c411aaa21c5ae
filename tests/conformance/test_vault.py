"""One text over every vault: what `connector_spi.vault.Vault` promises, whichever technology keeps it."""

import asyncio
import logging
import os
import string
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_spi.errors import InvalidInputError, SecretNotFoundError
from connector_spi.vault import Vault
from tests.conformance.vaults import (
    OpenOneMore,
    Wrapping,
    delete_all,
    in_a_file,
    in_emulated_hashicorp,
    in_key_vault,
    in_memory,
    in_real_hashicorp,
)

OpenVault = Callable[[], Awaitable[Vault]]
"""Opens one more instance on the same storage; it is closed after the test."""

MARKED_SECRET = "planted-5e1f-secret"

KINDS = ["memory", "local", "hashicorp", "azure-key-vault"]
if "VAULT_ADDR" in os.environ:
    KINDS.append("hashicorp-at-vault-addr")


@pytest.fixture(params=["plain", "cached and audited"])
def wrapping(request: pytest.FixtureRequest) -> Wrapping:
    return Wrapping(cached=request.param != "plain")


@pytest.fixture(params=KINDS)
def one_more(request: pytest.FixtureRequest, tmp_path: Path, wrapping: Wrapping) -> OpenOneMore:
    """Opens instances on a storage of this test, or on one that other tests have used before."""
    match request.param:
        case "memory":
            return in_memory(wrapping)
        case "local":
            return in_a_file(tmp_path / "vault", wrapping)
        case "hashicorp":
            return in_emulated_hashicorp(request.getfixturevalue("vault_server"), wrapping)
        case "hashicorp-at-vault-addr":
            return in_real_hashicorp(wrapping)
    return in_key_vault(request.getfixturevalue("key_vault_server"), wrapping)


@pytest.fixture
async def open_vault(one_more: OpenOneMore) -> AsyncIterator[OpenVault]:
    async with AsyncExitStack() as stack:
        cleaner = await stack.enter_async_context(one_more())
        await delete_all(cleaner)
        stack.push_async_callback(delete_all, cleaner)
        yield lambda: stack.enter_async_context(one_more())


@pytest.fixture
async def vault(open_vault: OpenVault) -> Vault:
    return await open_vault()


async def test_resolves_what_was_stored(vault: Vault) -> None:
    await vault.store("transfers/1/sas", "one")
    await vault.store("transfers/2/sas", "two")
    assert await vault.resolve("transfers/1/sas") == "one"
    assert await vault.resolve("transfers/2/sas") == "two"


async def test_storing_again_replaces(vault: Vault) -> None:
    await vault.store("account-key", "old")
    await vault.store("account-key", "new")
    assert await vault.resolve("account-key") == "new"
    assert await vault.aliases() == ["account-key"]


async def test_a_missing_secret_is_named_by_its_alias(vault: Vault) -> None:
    with pytest.raises(SecretNotFoundError, match="'account-key'") as raised:
        await vault.resolve("account-key")
    assert raised.value.alias == "account-key"


async def test_a_deleted_secret_is_gone(vault: Vault) -> None:
    await vault.store("transfers/1/sas", "one")
    await vault.delete("transfers/1/sas")
    with pytest.raises(SecretNotFoundError):
        await vault.resolve("transfers/1/sas")
    assert await vault.aliases() == []


async def test_deleting_an_absent_secret_leaves_the_others(vault: Vault) -> None:
    await vault.store("kept", "value")
    await vault.delete("never-there")
    assert await vault.resolve("kept") == "value"


async def test_a_deleted_alias_can_be_used_again(vault: Vault) -> None:
    await vault.store("sas", "first")
    await vault.delete("sas")
    await vault.store("sas", "second")
    assert await vault.resolve("sas") == "second"


async def test_aliases_are_sorted_and_filtered_by_prefix(vault: Vault) -> None:
    for alias in ("transfers/2/sas", "account-key", "transfers/10/sas", "transfers.1"):
        await vault.store(alias, "value")
    assert await vault.aliases() == ["account-key", "transfers.1", "transfers/10/sas", "transfers/2/sas"]
    assert await vault.aliases("transfers/") == ["transfers/10/sas", "transfers/2/sas"]
    assert await vault.aliases("nothing") == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * 25_000, id="longest"),
        pytest.param("€" * 25_000, id="longest, three bytes each"),
        pytest.param("schlüssel 鍵 🔑", id="non-ASCII"),
        pytest.param(" \t\r\n\x00\x7f ", id="white space and controls"),
        pytest.param('sv=2025-01-05&sig=a%2Bb%3D"\\', id="SAS-like"),
    ],
)
async def test_every_text_comes_back_unchanged(vault: Vault, value: str) -> None:
    await vault.store("alias", value)
    assert await vault.resolve("alias") == value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param(MARKED_SECRET + "x" * 25_000, id="too long"),
        pytest.param(MARKED_SECRET + "\ud83d", id="half a surrogate pair"),
    ],
)
async def test_a_refused_value_is_not_shown_and_the_old_one_stands(vault: Vault, value: str) -> None:
    await vault.store("alias", "old")
    with pytest.raises(InvalidInputError) as raised:
        await vault.store("alias", value)
    assert MARKED_SECRET not in f"{raised.value!r} {raised.value} {vars(raised.value)}"
    assert await vault.resolve("alias") == "old"


@pytest.mark.parametrize("alias", ["", "a" * 201, "a b", "a\n", "ä", "a:b", "a\\b", "a\x00", "a%2Fb", "٣"])
async def test_an_alias_that_breaks_the_rule_is_refused(vault: Vault, alias: str) -> None:
    with pytest.raises(InvalidInputError, match="alias"):
        await vault.store(alias, "value")
    with pytest.raises(InvalidInputError, match="alias"):
        await vault.resolve(alias)
    with pytest.raises(InvalidInputError, match="alias"):
        await vault.delete(alias)
    assert await vault.aliases() == []


async def test_aliases_that_look_alike_are_different_secrets(vault: Vault) -> None:
    look_alikes = ["a.b", "a_b", "a-b", "a/b", "A.b", "a..b", "../a", "/a", "a/", "a" * 200]
    for number, alias in enumerate(look_alikes):
        await vault.store(alias, f"value {number}")
    assert [await vault.resolve(alias) for alias in look_alikes] == [f"value {n}" for n in range(10)]
    assert await vault.aliases() == sorted(look_alikes)


async def test_many_tasks_at_once_lose_nothing(open_vault: OpenVault) -> None:
    vaults = [await open_vault(), await open_vault()]

    async def live(number: int) -> None:
        vault = vaults[number % 2]
        await vault.store(f"kept/{number}", f"value {number}")
        await vault.store(f"dropped/{number}", "value")
        assert await vault.resolve(f"kept/{number}") == f"value {number}"
        await vault.delete(f"dropped/{number}")

    async with asyncio.TaskGroup() as tasks:
        for number in range(30):
            tasks.create_task(live(number))

    assert await vaults[0].aliases("dropped/") == []
    assert len(await vaults[1].aliases("kept/")) == 30


@pytest.mark.parametrize("wrapping", [Wrapping(cached=False)], ids=["plain"])
async def test_instances_on_the_same_storage_see_each_other_at_once(open_vault: OpenVault) -> None:
    control_plane, data_plane = await open_vault(), await open_vault()
    await control_plane.store("sas", "first")
    assert await data_plane.resolve("sas") == "first"
    await data_plane.store("sas", "other")  # of the same length
    assert await control_plane.resolve("sas") == "other"
    await control_plane.delete("sas")
    with pytest.raises(SecretNotFoundError):
        await data_plane.resolve("sas")


async def test_what_another_instance_changed_is_seen_by_whoever_forgot_what_it_had(open_vault: OpenVault) -> None:
    control_plane, data_plane = await open_vault(), await open_vault()
    await control_plane.store("key", "old")
    assert await data_plane.resolve("key") == "old"
    await control_plane.store("key", "new")
    data_plane.forget("key")
    assert await data_plane.resolve("key") == "new"


async def test_writers_of_one_alias_at_once_leave_one_whole_value(open_vault: OpenVault) -> None:
    vaults = [await open_vault(), await open_vault()]
    values = [f"{number}" * 1000 for number in range(8)]
    await vaults[0].store("sas", "first")

    async with asyncio.TaskGroup() as tasks:
        for number, value in enumerate(values):
            tasks.create_task(vaults[number % 2].store("sas", value))

    vaults[0].forget("sas")
    assert await vaults[0].resolve("sas") in values


async def test_a_secret_that_is_read_while_it_is_deleted_and_stored_is_whole_or_missing(open_vault: OpenVault) -> None:
    writer, reader = await open_vault(), await open_vault()
    whole = {"a" * 5000, "b" * 5000}
    seen: set[str] = set()
    written = asyncio.Event()

    async def write() -> None:
        for _ in range(5):
            for value in sorted(whole):
                await writer.store("sas", value)
                await writer.delete("sas")
        written.set()

    async def read() -> None:
        while not written.is_set():
            reader.forget("sas")
            try:
                seen.add(await reader.resolve("sas"))
            except SecretNotFoundError:
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        tasks.create_task(read())
    assert seen <= whole


async def test_closing_twice_is_fine_and_loses_nothing(open_vault: OpenVault) -> None:
    first = await open_vault()
    await first.store("alias", "value")
    await first.aclose()
    await first.aclose()
    second = await open_vault()
    assert await second.resolve("alias") == "value"


async def test_no_repr_error_or_log_record_shows_a_secret(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await vault.store("alias", MARKED_SECRET)
        assert await vault.resolve("alias") == MARKED_SECRET
        await vault.aliases()
        await vault.delete("alias")
        with pytest.raises(SecretNotFoundError) as raised:
            await vault.resolve("alias")
    assert MARKED_SECRET not in f"{vault!r} {vault} {raised.value!r} {raised.value} {vars(raised.value)}"
    assert MARKED_SECRET not in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize("wrapping", [Wrapping(cached=False)], ids=["plain"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    secrets=st.dictionaries(
        st.text(string.ascii_letters + string.digits + "._/-", min_size=1, max_size=200),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=500),
        max_size=5,
    )
)
def test_any_legal_secrets_are_kept(one_more: OpenOneMore, secrets: dict[str, str]) -> None:
    async def check() -> None:
        async with one_more() as vault:
            await delete_all(vault)
            for alias, value in secrets.items():
                await vault.store(alias, value)
            assert {alias: await vault.resolve(alias) for alias in await vault.aliases()} == secrets
            await delete_all(vault)

    asyncio.run(check())
