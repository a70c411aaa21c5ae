"""The demo from beginning to end."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from connector_cli.azurite import ensure_installed, new_account_key, running_azurite
from connector_cli.demo import parts, terms
from connector_cli.demo.checklist import Checklist
from connector_cli.demo.narrator import Narrator
from connector_cli.demo.organisation import Organisation
from connector_cli.demo.processes import ConnectorProcess
from connector_cli.demo.sample_files import container_client, upload


def run(console: Console, *, keep: Path | None = None) -> bool:
    """Run the demo; returns whether everything was as promised.

    `keep`: a folder that does not exist yet, for configuration, databases, vaults and logs; else a temporary one.
    """
    ensure_installed()
    if keep is not None:
        keep.mkdir(parents=True)
        return asyncio.run(_play(console, keep.resolve()))
    with tempfile.TemporaryDirectory(prefix="connector-demo-") as folder:
        return asyncio.run(_play(console, Path(folder)))


async def _play(console: Console, folder: Path) -> bool:
    checklist = Checklist(console)
    async with _stage(console, checklist, folder) as stage:
        console.rule("1  The provider offers its files")
        await _fill_source(stage.provider)
        await parts.offer_assets(stage)
        await parts.negotiate(stage)
        console.rule("2  A transfer, from the request to the last trace removed")
        await parts.good_transfer(stage)
        console.rule("3  The data plane is killed in the middle")
        await parts.killed_transfer(stage)
        console.rule("4  A transfer that fails")
        await parts.failing_transfer(stage)
        console.rule("5  Other terms, a push and a pull under them, both paused and resumed")
        await terms.offer_for_thirty_days(stage)
        await terms.counter_offer(stage)
        await terms.paused_push(stage)
        await terms.paused_pull(stage)
    checklist.print_summary()
    return checklist.all_held


@asynccontextmanager
async def _stage(console: Console, checklist: Checklist, folder: Path) -> AsyncIterator[parts.Stage]:
    """Storage, two organisations and their three processes, up while the context is open."""
    keys = {"providerorg": new_account_key(), "consumerorg": new_account_key()}
    async with running_azurite(accounts=keys, data_folder=folder / "azurite") as azurite:
        template = azurite.endpoint_template
        provider = Organisation("provider", "providerorg", keys["providerorg"], folder / "provider", template, True)
        consumer = Organisation("consumer", "consumerorg", keys["consumerorg"], folder / "consumer", template, False)
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
    async with container_client(
        provider.endpoint_template, provider.account, provider.account_key, "outbox"
    ) as container:
        await container.create_container()
        await upload(container, parts.SOURCE_PREFIX)
