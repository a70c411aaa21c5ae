"""`connector vault sweep`: secrets that nobody needs any more."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Final

import typer

from connector_cli.commands.options import AsJson, Config
from connector_cli.configuration import load_settings
from connector_cli.opened_vault import opened_vault
from connector_cli.orphans import PlaneOrphan, open_orphans
from connector_cli.output import console, note, print_json, reported_errors
from connector_cli.settings import ConnectorSettings
from connector_spi.vault_access import vault_purpose

_WAIT_SECONDS: Final = 60.0

Remove = Annotated[bool, typer.Option("--remove", help="Remove them, after a second look.")]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        metavar="SECONDS",
        help="Time between the two looks of --remove. Longer than it takes to begin a transfer, whose secret may be "
        "stored before anything else of it.",
    ),
]


def sweep(config: Config, *, remove: Remove = False, wait: Wait = _WAIT_SECONDS, as_json: AsJson = False) -> None:
    """List secrets of transfers that have ended or never were; remove them with --remove.

    A running connector removes by itself what was needless for a day (settings transfer.orphaned_secret_seconds and
    data_plane.orphaned_secret_seconds), but for secrets that its database does not know: those are told in its log,
    and removed by this command alone. Read the list first: with the wrong database, or with a vault that two
    connectors share, they belong to somebody else. What you stored with `connector vault set` stays, and so do the
    secrets of data planes with a database of their own.

    Example: connector vault sweep --config deploy/provider.toml

    Example: connector vault sweep --remove --json --config deploy/provider.toml
    """
    with reported_errors():
        found = asyncio.run(_swept(load_settings(config), remove=remove, wait=wait))
    if as_json:
        print_json([asdict(orphan) for orphan in found])
        return
    if not found:
        console.print("There are no orphaned secrets.")
        return
    for orphan in found:
        # No table: it would break an alias that is longer than the screen is wide.
        console.print(f"{orphan.alias}  {orphan.plane}: {orphan.reason}", markup=False, soft_wrap=True)
    note(f"{len(found)} removed." if remove else "Remove them with --remove.")


async def _swept(settings: ConnectorSettings, *, remove: bool, wait: float) -> list[PlaneOrphan]:
    """What was found; with `remove`, what was removed."""
    async with (
        opened_vault(settings, actor="operator") as opened,
        open_orphans(settings, opened.vault) as orphans,
    ):
        found = await orphans.find()
        if not (found and remove):
            return found
        note(f"{len(found)} found; looking again in {wait:g} seconds.")
        await asyncio.sleep(wait)
        still = {orphan.alias for orphan in await orphans.find()}
        due = [orphan for orphan in found if orphan.alias in still]
        with vault_purpose("sweep of orphaned secrets"):
            for orphan in due:
                await opened.vault.delete(orphan.alias)
        return due
