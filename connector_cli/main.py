"""The `connector` command."""

from importlib.metadata import version
from typing import Annotated

import typer

from connector_cli.commands import (
    config,
    contracts,
    explain,
    identity,
    negotiations,
    processes,
    pulls,
    transfers,
    vault,
    verify,
)

app = typer.Typer(
    name="connector",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""Move data between organisations under a contract.

    Prepare: vault init, identity create, vault set, config check. Start: run, data-plane. Use: catalog, negotiate,
    negotiation, transfer, status, deprovision, and for pulls fetch, address, complete; these call a running
    connector, which CONNECTOR_URL and CONNECTOR_API_KEY name. When something fails: explain CODE.

    See it work first: connector demo
    """,
)

_PREPARE, _START, _USE = "Prepare a connector", "Start", "Use a running connector"

app.add_typer(vault.app, name="vault", rich_help_panel=_PREPARE)
app.add_typer(identity.app, name="identity", rich_help_panel=_PREPARE)
app.add_typer(config.app, name="config", rich_help_panel=_PREPARE)
app.command("run", rich_help_panel=_START)(processes.run)
app.command("data-plane", rich_help_panel=_START)(processes.data_plane)
app.command("demo", rich_help_panel=_START)(processes.demo)
app.command("catalog", rich_help_panel=_USE)(contracts.catalog)
app.command("negotiate", rich_help_panel=_USE)(contracts.negotiate)
app.add_typer(negotiations.app, name="negotiation", rich_help_panel=_USE)
app.command("transfer", rich_help_panel=_USE)(transfers.transfer)
app.command("status", rich_help_panel=_USE)(transfers.status)
app.command("address", rich_help_panel=_USE)(pulls.address)
app.command("fetch", rich_help_panel=_USE)(pulls.fetch)
app.command("complete", rich_help_panel=_USE)(pulls.complete)
app.command("deprovision", rich_help_panel=_USE)(transfers.deprovision)
app.command("verify", rich_help_panel=_USE)(verify.verify)
app.command("explain", rich_help_panel=_USE)(explain.explain)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(version("dataspace-connector"))
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Holds the options that come before a command."""
