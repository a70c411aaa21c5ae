"""`connector config`: look at a configuration without starting anything."""

import asyncio
import os
from collections.abc import Sequence
from typing import Annotated

import typer

from azure_storage.settings import StorageAccountSettings
from connector_cli.account_key_warning import account_key_warning
from connector_cli.azure_environment import environment_notices
from connector_cli.checks import (
    check_for_connector,
    check_for_data_plane,
    listeners_of,
    listeners_of_data_plane,
)
from connector_cli.commands.options import AsJson, Config
from connector_cli.configuration import load_settings
from connector_cli.needed_secrets import check_secrets, secrets_of_connector, secrets_of_data_plane
from connector_cli.opened_vault import opened_vault
from connector_cli.output import console, note, print_json, reported_errors
from connector_cli.settings import ConnectorSettings

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
        aliases = asyncio.run(_checked_aliases(settings)) if vault else ()
        summary = _summary(settings)
        for text in (*environment_notices(settings, os.environ), account_key_warning(settings, aliases)):
            if text is not None:
                note(f"Note: {text}.")
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
            **_azure(settings),
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
        **_azure(settings),
        "secrets": list(dict.fromkeys(secrets_of_connector(settings).values())),
    }


def _azure(settings: ConnectorSettings) -> dict[str, str | Sequence[str]]:
    """Which vault, which accounts and what opens them, which identities; never a secret."""
    storage = settings.storage
    return {
        "vault": settings.vault.type,
        "storage": [
            *(f"{account.name} by {_access(account)}" for account in storage.accounts),
            f"{'others' if storage.accounts else 'accounts'} by account key from the vault",
        ],
        "identities": [f"{name} ({each.type})" for name, each in settings.azure_identities.items()] or "none",
    }


def _access(account: StorageAccountSettings) -> str:
    if account.identity is not None:
        return f"identity {account.identity}"
    if account.key_alias is not None:
        return f"key {account.key_alias}"
    return f"connection string {account.connection_string_alias or account.connection_string_env}"


async def _checked_aliases(settings: ConnectorSettings) -> Sequence[str]:
    """What the vault holds, after a look for what it must."""
    wanted = secrets_of_connector(settings) if settings.participant else secrets_of_data_plane(settings)
    async with opened_vault(settings, actor="operator") as opened:
        await check_secrets(settings, opened.vault, wanted)
        return await opened.vault.aliases()
