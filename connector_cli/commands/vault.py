"""`connector vault`: what an operator does with the vault. No command prints a secret."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import typer

from connector_cli.commands.options import AsJson, Config
from connector_cli.configuration import load_settings
from connector_cli.output import console, note, print_json, reported_errors
from connector_spi.errors import ConfigurationError, NotFoundError
from connector_spi.vault import Vault
from vault_adapters.factory import create_vault, open_vault
from vault_adapters.settings import MemoryVaultSettings, VaultSettings

Result = TypeVar("Result")

_LONGEST_INPUT: Final = 100_000
"""Characters; more than any vault takes."""

Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="The name of the secret.")]

app = typer.Typer(no_args_is_help=True, help="Prepare the vault. No command prints a secret.")


@app.command()
def init(config: Config) -> None:
    """Create the vault, and its key file where one is configured; what is there already stays.

    Example: connector vault init --config deploy/provider.toml
    """
    with reported_errors():
        settings = _durable(load_settings(config).vault)
        asyncio.run(_closing(create_vault(settings, os.environ), _count))
        note("The vault is ready. Keep its key apart from its backups.")


@app.command("set")
def set_secret(alias: Alias, config: Config) -> None:
    """Store a secret; its value is read from standard input, or asked for without showing it.

    Example: connector vault set provideraccount --config deploy/provider.toml

    Example: az storage account keys list ... -o tsv | connector vault set provideraccount --config deploy/provider.toml
    """
    with reported_errors():
        vault = open_vault(_durable(load_settings(config).vault), os.environ)
        value = _given_value(alias)
        asyncio.run(_closing(vault, lambda opened: opened.store(alias, value)))
        note(f"Stored under {alias}.")


@app.command("list")
def list_aliases(
    config: Config,
    prefix: Annotated[str, typer.Option("--prefix", help="Only aliases that begin with this.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the aliases in the vault, without values.

    Example: connector vault list --config deploy/provider.toml
    """
    with reported_errors():
        vault = open_vault(_durable(load_settings(config).vault), os.environ)
        aliases = asyncio.run(_closing(vault, lambda opened: opened.aliases(prefix)))
    if as_json:
        print_json(aliases)
        return
    for alias in aliases:
        console.print(alias, markup=False, soft_wrap=True)


@app.command()
def delete(alias: Alias, config: Config) -> None:
    """Remove a secret.

    Example: connector vault delete provideraccount --config deploy/provider.toml
    """
    with reported_errors():
        vault = open_vault(_durable(load_settings(config).vault), os.environ)
        asyncio.run(_closing(vault, lambda opened: _delete(opened, alias)))
        note(f"Deleted {alias}.")


async def _delete(vault: Vault, alias: str) -> None:
    if alias not in await vault.aliases(alias):
        raise NotFoundError(kind="Secret", object_id=alias)
    await vault.delete(alias)


async def _count(vault: Vault) -> int:
    return len(await vault.aliases())


async def _closing(vault: Vault, work: Callable[[Vault], Awaitable[Result]]) -> Result:
    try:
        return await work(vault)
    finally:
        await vault.aclose()


def _durable(settings: VaultSettings) -> VaultSettings:
    if isinstance(settings, MemoryVaultSettings):
        raise ConfigurationError(
            key="vault.type", problem="is memory, which forgets everything at once", remedy='Use type = "local".'
        )
    return settings


def _given_value(alias: str) -> str:
    """The value without the line break that editors and `echo` put at its end."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"Value of {alias}", hide_input=True, err=True))
    return sys.stdin.read(_LONGEST_INPUT).removesuffix("\n").removesuffix("\r")
