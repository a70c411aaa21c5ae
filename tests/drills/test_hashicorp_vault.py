"""A HashiCorp Vault that is away or sealed, or takes tokens back, while transfers run on it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from secrets import token_urlsafe
from typing import Final

import httpx
import pytest
import pytest_asyncio

from connector_cli.demo.organisation import API_KEY, SIGNALING_TOKEN, Organisation
from connector_cli.management_client import ManagementError
from tests.conftest import AzuriteForTests
from tests.drills.clients import (
    clients_ask_until,
    everybody_records,
    is_access_with,
    is_served,
    status_at_data_plane,
    status_at_management,
)
from tests.drills.commands import connector
from tests.drills.drill import Drill
from tests.drills.hashicorp_drill import VaultDrill, hashicorp_drill
from tests.drills.hygiene import audited
from tests.drills.transfers import Transfer, offered, requested
from tests.emulated import RunningVault
from tests.eventually import eventually

pytestmark = [
    pytest.mark.azurite,
    pytest.mark.end_to_end,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]

OUTAGE_SECONDS: Final = float(os.environ.get("DRILL_OUTAGE_SECONDS", "12"))
CACHE_SECONDS: Final = 4.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(azurite: AzuriteForTests, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VaultDrill]:
    """One for all tests of this file, which leave it as they found it."""
    folder = tmp_path_factory.mktemp("drill")
    async with hashicorp_drill(azurite, folder, cache_seconds=CACHE_SECONDS, outbox="drill-hashicorp") as place:
        yield place


async def test_transfers_outlast_a_vault_that_is_away(place: VaultDrill) -> None:
    """One that goes on meanwhile, and one whose last object arrives meanwhile: its receipt cannot be signed."""
    drill, vault = place.drill, place.vault
    long = await drill.begun("long", objects=20 + int(OUTAGE_SECONDS))
    short = await drill.begun("short", objects=8)

    await vault.kill()
    async with asyncio.TaskGroup() as outage:
        outage.create_task(_an_object_each_second(long, OUTAGE_SECONDS))
        outage.create_task(everybody_records(drill.stage, is_access_with("VaultUnavailable")))
    await short.all_arrive()
    await eventually(lambda: _has_no_key_for_the_receipt(drill.stage.provider))
    await long.more_arrive()
    drill.all_processes_go_on()
    await vault.start_again()

    await drill.end_well(long, short)


async def test_transfers_outlast_a_vault_that_is_sealed(place: VaultDrill) -> None:
    """One that runs, and one that is asked for while the vault is sealed."""
    drill, vault = place.drill, place.vault
    agreement, digests = await offered(drill.stage, "asked-for", objects=3)
    running = await drill.begun("sealed")
    asked_for = None
    while asked_for is None:
        await vault.unseal()
        assert await is_served(drill.stage.consumer)
        await vault.seal()
        # The API key is known for some seconds without the vault; when they were just over: once more.
        with suppress(ManagementError):
            asked_for = await requested(drill.stage, drill.pace, agreement, digests)

    await eventually(lambda: _waits_for_the_vault(drill.stage.consumer, asked_for.process_id))
    await running.more_arrive()
    assert await asked_for.arrived() == 0
    await vault.unseal()
    await drill.end_well(running, asked_for)


async def test_revoked_tokens_and_a_new_login_secret_are_no_end(place: VaultDrill) -> None:
    drill, vault = place.drill, place.vault
    transfer = await drill.begun("revoked")

    await _revoke_all_tokens(drill, vault)
    await transfer.more_arrive()

    await place.replace_secret_id()
    await _revoke_all_tokens(drill, vault)
    await transfer.more_arrive()
    await drill.end_well(transfer)


async def test_the_api_key_and_the_token_between_planes_are_replaced_without_a_restart(place: VaultDrill) -> None:
    drill, provider = place.drill, place.drill.stage.provider
    transfer = await drill.begun("tokens")
    old_key, old_token = provider.api_key, await _signaling_token(provider)
    provider.api_key, new_token = token_urlsafe(24), token_urlsafe(32)
    drill.hygiene.known |= {provider.api_key, new_token}

    await connector(provider, "vault", "set", API_KEY, value=provider.api_key)
    await connector(provider, "vault", "set", SIGNALING_TOKEN, value=new_token)
    await eventually(lambda: _api_takes_only(provider, provider.api_key, instead_of=old_key))
    await eventually(lambda: _data_plane_takes_only(provider, new_token, instead_of=old_token))
    await transfer.more_arrive()
    await drill.end_well(transfer)


async def _an_object_each_second(transfer: Transfer, seconds: float) -> None:
    for _ in range(int(seconds)):
        await asyncio.gather(transfer.more_arrive(1), asyncio.sleep(1))


async def _has_no_key_for_the_receipt(side: Organisation) -> bool:
    return any(r["outcome"] == "VaultUnavailable" and r["purpose"] == "sign a receipt" for r in audited(side))


async def _waits_for_the_vault(side: Organisation, process_id: str) -> bool:
    records = [r for r in audited(side) if r.get("transfer_process_id") == process_id]
    return any(r["outcome"] == "VaultSealed" for r in records)


async def _revoke_all_tokens(drill: Drill, vault: RunningVault) -> None:
    """Return when all three processes have logged in anew."""
    before = await _logins(vault)
    await vault.revoke_all_tokens()

    async def are_back() -> bool:
        return await _logins(vault) >= before + len(drill.pids)

    await clients_ask_until(drill.stage, are_back)


async def _logins(vault: RunningVault) -> int:
    return sum(r["path"].endswith("/login") and r["status"] == httpx.codes.OK for r in await vault.requests())


async def _signaling_token(side: Organisation) -> str:
    vault = side.open_vault()
    try:
        return await vault.resolve(SIGNALING_TOKEN)
    finally:
        await vault.aclose()


async def _api_takes_only(side: Organisation, new: str, *, instead_of: str) -> bool:
    statuses = [await status_at_management(side, key) for key in (new, instead_of)]
    return statuses == [httpx.codes.OK, httpx.codes.UNAUTHORIZED]


async def _data_plane_takes_only(side: Organisation, new: str, *, instead_of: str) -> bool:
    statuses = [await status_at_data_plane(side, token) for token in (new, instead_of)]
    return statuses == [httpx.codes.NOT_FOUND, httpx.codes.UNAUTHORIZED]
