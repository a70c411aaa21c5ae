"""The demo from beginning to end."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from connector_cli.azurite import ensure_installed, new_account_key, running_azurite
from connector_cli.demo import existing_container, parts, terms
from connector_cli.demo.account_keys import note_absence
from connector_cli.demo.checklist import Checklist
from connector_cli.demo.narrator import Narrator
from connector_cli.demo.organisation import Organisation
from connector_cli.demo.processes import ConnectorProcess
from connector_cli.demo.sample_files import upload
from connector_cli.demo.slow_data_plane import slowly
from connector_cli.demo.vaults.azure_key_vault import azure_key_vaults
from connector_cli.demo.vaults.furniture import Furnishing, Furniture
from connector_cli.demo.vaults.hashicorp import hashicorp_vaults
from connector_cli.demo.vaults.kind import VaultKind
from connector_cli.demo.vaults.local import local_vaults

FURNISHINGS: Final[dict[VaultKind, Furnishing]] = {
    VaultKind.LOCAL: local_vaults,
    VaultKind.HASHICORP: hashicorp_vaults,
    VaultKind.AZURE_KEY_VAULT: azure_key_vaults,
}


def run(console: Console, vault: VaultKind, *, keep: Path | None = None) -> bool:
    """Run the demo; returns whether everything was as promised.

    `keep`: a folder that does not exist yet, for configuration, databases, vaults and logs; else a temporary one.

    Raises:
        ConfigurationError: `vault` has to be emulated, and there is no emulator.
        AzuriteError, DemoProcessError: something did not start.
    """
    if keep is not None:
        keep.mkdir(parents=True)
        return asyncio.run(_play(console, vault, keep.resolve()))
    with tempfile.TemporaryDirectory(prefix="connector-demo-") as folder:
        return asyncio.run(_play(console, vault, Path(folder)))


async def _play(console: Console, vault: VaultKind, folder: Path) -> bool:
    checklist = Checklist(console)
    async with _stage(console, checklist, vault, folder) as stage:
        console.rule("1  The provider offers its files")
        await _fill_source(stage.provider)
        await parts.offer_assets(stage)
        await parts.negotiate(stage)
        console.rule("2  A transfer, from the request to the last trace removed")
        await parts.good_transfer(stage)
        console.rule("3  The data plane is killed in the middle")
        async with slowly(stage.data_plane):
            await parts.killed_transfer(stage)
            console.rule("4  A transfer that fails")
            await parts.failing_transfer(stage)
            console.rule("5  Other terms, a push and a pull under them, both paused and resumed")
            await terms.offer_for_thirty_days(stage)
            await terms.counter_offer(stage)
            await terms.paused_push(stage)
        await terms.paused_pull(stage)
        console.rule("6  A container that the consumer's client has already")
        await existing_container.existing_container(stage)
        await note_absence(stage)
    checklist.print_summary()
    return checklist.all_held


@asynccontextmanager
async def _stage(console: Console, checklist: Checklist, vault: VaultKind, folder: Path) -> AsyncIterator[parts.Stage]:
    """Vaults, storage, two organisations and their three processes, up while the context is open."""
    folders = {name: folder / name for name in ("provider", "consumer")}
    for place in folders.values():
        place.mkdir(parents=True, mode=0o700)
    keys = {f"{name}org": new_account_key() for name in folders}
    async with (
        FURNISHINGS[vault](folders) as furniture,
        _running_storage(furniture, keys, folder / "azurite") as endpoint_template,
    ):
        console.print(f"  vaults: {furniture.told}", highlight=False)
        ca_file = furniture.certificates.certificate_file if furniture.certificates else None

        def organisation(name: str, *, has_data_plane: bool) -> Organisation:
            account, own_vault = f"{name}org", furniture.vaults[name]
            return Organisation(
                name, account, keys[account], folders[name], endpoint_template, has_data_plane, own_vault, None, ca_file
            )

        provider = organisation("provider", has_data_plane=True)
        consumer = organisation("consumer", has_data_plane=False)
        for side in (provider, consumer):
            await side.furnish()
        provider.write_configuration(consumer)
        consumer.write_configuration(provider)
        processes = (provider.data_plane(), provider.connector(), consumer.connector())
        async with _running(console, processes):
            logs = dict(zip(("data plane", "provider", "consumer"), (p.log_file for p in processes), strict=True))
            narrator = Narrator(console, logs)
            yield parts.Stage(console, checklist, narrator, provider, consumer, processes[0], {})


@asynccontextmanager
async def _running_storage(furniture: Furniture, keys: dict[str, str], folder: Path) -> AsyncIterator[str]:
    """Azurite; yields the template of its addresses."""
    await asyncio.to_thread(ensure_installed)
    certificates = furniture.certificates
    async with running_azurite(
        accounts=keys, data_folder=folder, certificates=certificates, oauth=certificates is not None
    ) as azurite:
        yield azurite.endpoint_template


@asynccontextmanager
async def _running(console: Console, processes: tuple[ConnectorProcess, ...]) -> AsyncIterator[None]:
    try:
        for process in processes:
            await process.start()
            console.print(f"  {process.name}: process {process.pid}", highlight=False)
        yield
    finally:
        for process in processes:
            await process.stop()


async def _fill_source(provider: Organisation) -> None:
    async with provider.container("outbox") as container:
        await container.create_container()
        await upload(container, parts.SOURCE_PREFIX)
