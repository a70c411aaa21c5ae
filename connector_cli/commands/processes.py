"""`connector run`, `connector data-plane` and `connector demo`.

What they need is imported when they run: both planes take seconds to load, which the other commands do not wait for.
"""

import logging
from pathlib import Path
from typing import Annotated

import typer

from connector_cli.commands.options import Config
from connector_cli.configuration import load_settings
from connector_cli.demo.vaults.kind import VaultKind
from connector_cli.logging_setup import set_up_logging
from connector_cli.output import FAILED, console, reported_errors
from connector_cli.settings import ConnectorSettings

logger = logging.getLogger(__name__)


def run(config: Config) -> None:
    """Run a connector: control plane, management API, and an embedded data plane where the file says so.

    Stops on SIGTERM or Ctrl-C once requests under way have ended; a second signal cuts off.

    Example: connector run --config deploy/consumer.toml
    """
    from connector_cli.composition import run_connector  # noqa: PLC0415

    with reported_errors():
        run_connector(_settings(config))
        logger.info("stopped")


def data_plane(config: Config) -> None:
    """Run a data plane as a process of its own, on this machine or another.

    Example: connector data-plane --config deploy/data-plane.toml
    """
    from connector_cli.composition import run_data_plane  # noqa: PLC0415

    with reported_errors():
        run_data_plane(_settings(config))
        logger.info("stopped")


def demo(
    vault: Annotated[
        VaultKind,
        typer.Option(
            "--vault",
            help="Where both organisations keep their secrets: an encrypted local file; HashiCorp Vault, emulated, or "
            "the server that VAULT_ADDR and VAULT_TOKEN name; or Azure Key Vault, emulated with Entra ID, whose "
            "identities then open storage too, so that no account key is kept. Emulators are in a clone alone.",
        ),
    ] = VaultKind.LOCAL,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="FOLDER", help="Keep configuration, databases and logs here.")
    ] = None,
) -> None:
    """Show complete transfers between two organisations, with real processes and real storage on this machine.

    Storage is Azurite. The demo itself looks into it with account keys that it makes up for it.

    Example: connector demo --keep .run/demo

    Example: connector demo --vault azure-key-vault
    """
    from connector_cli.demo.run import run as run_demo  # noqa: PLC0415

    with reported_errors():
        if not run_demo(console, vault, keep=keep):
            raise typer.Exit(FAILED)


def _settings(config: Path) -> ConnectorSettings:
    settings = load_settings(config)
    set_up_logging(settings.logging.level, settings.logging.format)
    return settings
