"""`connector config`: look at a configuration without starting anything."""

import asyncio
import os
from collections.abc import Sequence
from typing import Annotated

import typer

from connector_cli.checks import (
    check_for_connector,
    check_for_data_plane,
    listeners_of,
    listeners_of_data_plane,
)
from connector_cli.commands.options import AsJson, Config
from connector_cli.configuration import load_settings
from connector_cli.needed_secrets import check_secrets, secrets_of_connector, secrets_of_data_plane
from connector_cli.output import console, print_json, reported_errors
from connector_cli.settings import ConnectorSettings
from vault_adapters.factory import open_vault

app = typer.Typer(no_args_is_help=True, help="Look at a configuration without starting anything.")


@app.callback()
def _group() -> None:
    """Makes `config` a group although it holds one command."""


@app.command()
def check(
    config: Config,
    vault: Annotated[bool, typer.Option("--vault", help="Also open the vault and look for the secrets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a configuration; every problem is named at once.

    A file with a participant is checked for `connector run`, one without for `connector data-plane`.

    Example: connector config check --config deploy/provider.toml

    Example: connector config check --config deploy/provider.toml --vault
    """
    with reported_errors():
        settings = load_settings(config)
        if settings.participant is not None:
            check_for_connector(settings)
        else:
            check_for_data_plane(settings)
        if vault:
            asyncio.run(_check_secrets(settings))
        summary = _summary(settings)
    if as_json:
        print_json(summary)
        return
    console.print(f"{config} is fine.", markup=False)
    for name, value in summary.items():
        console.print(
            f"  {name:<12} {value if isinstance(value, str) else ', '.join(value)}", markup=False, soft_wrap=True
        )


def _summary(settings: ConnectorSettings) -> dict[str, str | Sequence[str]]:
    if settings.participant is None:
        own = settings.data_plane
        return {
            "for": "connector data-plane",
            "listens on": [
                f"{name} {each.host}:{each.port}" for name, each in listeners_of_data_plane(settings).items()
            ],
            "call-backs": own.control_plane_url or "none",
            "HTTP pulls": f"{own.advertised_public_url}/public" if own.advertised_public_url else "not served",
            "secrets": list(dict.fromkeys(secrets_of_data_plane(settings).values())),
        }
    planes = [plane.id for plane in settings.data_planes]
    return {
        "for": "connector run",
        "participant": settings.participant.id,
        "identity": settings.identity.mode,
        "listens on": [f"{name} {each.host}:{each.port}" for name, each in listeners_of(settings).items()],
        "protocol": settings.protocol.advertised_url,
        "knows": [counterparty.id for counterparty in settings.counterparties] or "no counterparty",
        "data planes": (["embedded", *planes] if settings.embedded_data_plane else planes) or "none: can only receive",
        "secrets": list(dict.fromkeys(secrets_of_connector(settings).values())),
    }


async def _check_secrets(settings: ConnectorSettings) -> None:
    wanted = secrets_of_connector(settings) if settings.participant else secrets_of_data_plane(settings)
    vault = open_vault(settings.vault, os.environ)
    try:
        await check_secrets(settings, vault, wanted)
    finally:
        await vault.aclose()
