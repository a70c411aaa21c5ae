"""What the vault port promises when a vault server is away, slow, overloaded or unwilling: over each such vault."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from connector_spi.errors import (
    SecretNotFoundError,
    VaultForbiddenError,
    VaultThrottledError,
    VaultUnavailableError,
)
from connector_spi.vault import Vault
from tests.conformance.vaults import OpenOneMore, Wrapping, in_emulated_hashicorp, in_key_vault
from tests.emulated import RunningEmulator, RunningEntra, RunningVault, running_key_vault, running_vault

MARKED_SECRET = "planted-93ab-secret"
LIMIT_SECONDS = 1.5
HANGS_SECONDS = 600
"""How long a server that hangs takes: no test waits for it."""
FAR_MORE_THAN_THE_LIMIT = 60
MANY = 10_000
"""More requests than a vault repeats by itself."""

PLAIN = Wrapping(cached=False)
CALLS: dict[str, Callable[[Vault], Awaitable[Any]]] = {
    "resolve": lambda vault: vault.resolve("alias"),
    "store": lambda vault: vault.store("alias", MARKED_SECRET),
    "delete": lambda vault: vault.delete("absent"),
    "aliases": lambda vault: vault.aliases(),
}
call_by_name = pytest.mark.parametrize("name", CALLS)


@dataclass(frozen=True, slots=True)
class NetworkVault:
    """A server and how its secrets are opened; `unwilling` opens it as somebody whom the server refuses."""

    server: RunningEmulator
    open: OpenOneMore
    unwilling: OpenOneMore


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["hashicorp", "azure-key-vault"])
async def network_vault(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, entra_server: RunningEntra
) -> AsyncIterator[NetworkVault]:
    folder = tmp_path_factory.mktemp("faults")
    limit = {"call_seconds": LIMIT_SECONDS}
    if request.param == "hashicorp":
        # Who logs in may use this prefix alone, so another folder is one that the policy does not allow.
        async with running_vault(folder, login_prefix="test-") as server:
            yield NetworkVault(
                server,
                in_emulated_hashicorp(server, PLAIN, **limit),
                in_emulated_hashicorp(server, PLAIN, folder="somebody-elses", **limit),
            )
        return
    async with (
        running_key_vault(folder, entra_server) as key_vault,
        running_key_vault(folder / "unwilling", entra_server, object_ids=("somebody-else",)) as unwilling,
    ):
        yield NetworkVault(key_vault, in_key_vault(key_vault, PLAIN, **limit), in_key_vault(unwilling, PLAIN, **limit))


@pytest.fixture
async def vault(network_vault: NetworkVault) -> AsyncIterator[Vault]:
    """Open, in use, and with a secret under `alias`."""
    async with network_vault.open() as vault:
        await vault.store("alias", MARKED_SECRET)
        yield vault


@pytest.fixture
async def hanging(network_vault: NetworkVault, vault: Vault) -> AsyncIterator[Vault]:
    """A vault whose server takes requests and answers none of them."""
    await network_vault.server.delay(MANY, seconds=HANGS_SECONDS)
    yield vault
    await network_vault.server.kill()  # or it would finish what it was asked
    await network_vault.server.start_again()


@call_by_name
async def test_a_server_that_is_away_is_transient_and_nothing_needs_to_be_reopened(
    network_vault: NetworkVault, vault: Vault, name: str
) -> None:
    await network_vault.server.kill()
    try:
        with pytest.raises(VaultUnavailableError) as raised:
            async with asyncio.timeout(FAR_MORE_THAN_THE_LIMIT):
                await CALLS[name](vault)
    finally:
        await network_vault.server.start_again()
    assert MARKED_SECRET not in shown(raised.value)
    await CALLS[name](vault)
    assert await vault.resolve("alias") == MARKED_SECRET


async def test_a_vault_can_be_opened_while_its_server_is_away(network_vault: NetworkVault, vault: Vault) -> None:
    await network_vault.server.kill()
    try:
        async with network_vault.open() as opened:
            with pytest.raises(VaultUnavailableError):
                await opened.resolve("alias")
            await network_vault.server.start_again()
            assert await opened.resolve("alias") == MARKED_SECRET
    finally:
        if network_vault.server.process.process is None:
            await network_vault.server.start_again()


@call_by_name
async def test_a_server_that_does_not_answer_holds_nobody_longer_than_the_limit(hanging: Vault, name: str) -> None:
    with pytest.raises(VaultUnavailableError) as raised:
        async with asyncio.timeout(FAR_MORE_THAN_THE_LIMIT):
            await CALLS[name](hanging)
    assert MARKED_SECRET not in shown(raised.value)


async def test_a_server_that_does_not_answer_leaves_loop_and_threads_to_others(hanging: Vault) -> None:
    others = 0
    waiting = [asyncio.create_task(settled(hanging.resolve("alias"))) for _ in range(100)]
    while not all(task.done() for task in waiting):
        # The default threads of the loop, which files and name look-ups need.
        others += await asyncio.to_thread(lambda: 1)
    assert others > 100
    assert {type(task.result()) for task in waiting} <= {VaultUnavailableError}


async def test_a_caller_that_is_cancelled_is_told_nothing_else(hanging: Vault) -> None:
    waiting = asyncio.create_task(hanging.resolve("alias"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@call_by_name
async def test_a_server_that_is_overloaded_says_so(network_vault: NetworkVault, vault: Vault, name: str) -> None:
    await network_vault.server.throttle(MANY)
    try:
        with pytest.raises(VaultThrottledError) as raised:
            await CALLS[name](vault)
    finally:
        await network_vault.server.throttle(0)
    assert raised.value.throttled
    assert MARKED_SECRET not in shown(raised.value)
    await CALLS[name](vault)


@pytest.mark.parametrize("status", [500, 503])
@call_by_name
async def test_a_server_that_fails_is_transient(
    network_vault: NetworkVault, vault: Vault, name: str, status: int
) -> None:
    await network_vault.server.fail(MANY, status=status)
    try:
        with pytest.raises(VaultUnavailableError) as raised:
            await CALLS[name](vault)
    finally:
        await network_vault.server.fail(0)
    assert MARKED_SECRET not in shown(raised.value)
    await CALLS[name](vault)


@call_by_name
async def test_a_caller_whom_the_server_refuses_is_forbidden(network_vault: NetworkVault, name: str) -> None:
    async with network_vault.unwilling() as vault:
        with pytest.raises(VaultForbiddenError) as raised:
            await CALLS[name](vault)
    assert not isinstance(raised.value, SecretNotFoundError)
    assert MARKED_SECRET not in shown(raised.value)


async def test_no_log_record_of_a_failure_shows_a_secret(
    network_vault: NetworkVault, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await network_vault.server.fail(MANY, status=500)
        outcomes = [await settled(call(vault)) for call in CALLS.values()]
        await network_vault.server.fail(0)
    assert all(isinstance(outcome, VaultUnavailableError) for outcome in outcomes)
    records = str([vars(record) for record in caplog.records])
    assert MARKED_SECRET not in records
    if isinstance(network_vault.server, RunningVault):
        assert network_vault.server.secret_id not in records


async def settled(call: Awaitable[Any]) -> Any:
    """The outcome of a call: its error, if it raises one."""
    return (await asyncio.gather(call, return_exceptions=True))[0]


def shown(error: BaseException) -> str:
    """All that an error shows, that of its causes included."""
    texts = []
    seen: BaseException | None = error
    while seen is not None:
        texts.append(f"{seen!r} {seen} {vars(seen)}")
        seen = seen.__cause__ or seen.__context__
    return " ".join(texts)
