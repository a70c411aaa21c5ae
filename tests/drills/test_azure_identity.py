"""A Key Vault that throttles, fails and is away, and an Entra secret that is replaced. Nobody has an account key."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio

from connector_cli.azurite import new_account_key, running_azurite
from emulators.certificates import write_self_signed
from tests.conftest import AzuriteForTests, AzuriteWithOAuth
from tests.drills.clients import Record, everybody_records, is_access_with
from tests.drills.commands import write_credential
from tests.drills.drill import Drill, paced_drill
from tests.drills.server_vaults import credentials_of, key_vault
from tests.emulated import RunningEntra, RunningKeyVault, running_entra, running_key_vault

pytestmark = [
    pytest.mark.azurite,
    pytest.mark.end_to_end,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

TOKEN_SECONDS: Final = 20
"""Life of Entra's tokens: a process needs a new one that often."""
SIGNATURE_SECONDS: Final = 30
"""Life of signatures for the destination: they are renewed meanwhile, too."""
ENDLESS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class AzureDrill:
    """A drill, the vault of each organisation, Entra, and the file that all processes prove themselves with."""

    drill: Drill
    vaults: tuple[RunningKeyVault, RunningKeyVault]
    entra: RunningEntra
    client_secret_file: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(azurite: AzuriteForTests, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AzureDrill]:
    """One for all tests of this file, which leave it as they found it."""
    del azurite  # says whether one is installed; this one takes tokens
    folder = tmp_path_factory.mktemp("drill")
    certificates = write_self_signed(folder / "storage")
    keys = {account: new_account_key() for account in ("providerorg", "consumerorg")}
    secret_file = folder / "credentials" / "client-secret"
    settings = {"CONNECTOR_STORAGE__DELEGATION_SAS_SECONDS": str(SIGNATURE_SECONDS)}
    async with (
        running_azurite(
            accounts=keys, data_folder=folder / "storage", in_memory=True, certificates=certificates, oauth=True
        ) as running,
        running_entra(folder / "entra", token_seconds=TOKEN_SECONDS) as entra,
        running_key_vault(folder / "provider-vault", entra) as providers,
        running_key_vault(folder / "consumer-vault", entra) as consumers,
    ):
        write_credential(secret_file, entra.client_secret)
        credentials = credentials_of(providers, secret_file)
        vaults = {
            "provider": key_vault(providers, secret_file, credentials),
            "consumer": key_vault(consumers, secret_file, credentials),
        }
        storage = AzuriteWithOAuth(running.endpoint_template, keys, certificates.ca_file, entra)
        kept = tuple(folder / f"{name}-vault" / "key-vault.json" for name in vaults)
        async with paced_drill(
            storage, folder, vaults, servers=kept, certificates=certificates, environment=settings
        ) as drill:
            drill.hygiene.known |= {entra.client_secret, *keys.values()}
            yield AzureDrill(drill, (providers, consumers), entra, secret_file)
        await credentials.aclose()


async def test_transfers_outlast_a_vault_that_throttles_fails_and_is_away(place: AzureDrill) -> None:
    drill = place.drill
    running = await drill.begun("throttled")
    for vault in place.vaults:
        await vault.throttle(ENDLESS)
    await everybody_records(drill.stage, is_access_with("VaultThrottled"))
    for vault in place.vaults:
        await vault.throttle(0)
        await vault.fail(ENDLESS, status=httpx.codes.SERVICE_UNAVAILABLE)
    await everybody_records(drill.stage, is_access_with("VaultUnavailable"))
    for vault in place.vaults:
        await vault.fail(0)
    await running.more_arrive()

    ending = await drill.begun("away", objects=8)
    for vault in place.vaults:
        await vault.kill()
    await ending.all_arrive()
    await everybody_records(drill.stage, is_access_with("VaultUnavailable"))
    drill.all_processes_go_on()
    for vault in place.vaults:
        await vault.start_again()
    await drill.end_well(running, ending)


async def test_a_new_client_secret_is_no_end(place: AzureDrill) -> None:
    """Each process needs tokens that the old secret gets no more: for its vault, and for storage."""
    drill = place.drill
    transfer = await drill.begun("new-secret")
    secret = await place.entra.rotate_client_secret()
    drill.hygiene.known.add(secret)
    write_credential(place.client_secret_file, secret)
    await everybody_records(drill.stage, _has_read_its_secret_again)
    await transfer.more_arrive()
    await drill.end_well(transfer)


def _has_read_its_secret_again(record: Record) -> bool:
    return record["logger"] == "entra_identity.credential" and "had changed" in record["message"]
