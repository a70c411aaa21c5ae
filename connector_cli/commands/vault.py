"""`connector vault`: what an operator does with the vault. No command prints a secret."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import typer

from connector_cli.commands.options import AsJson, Config
from connector_cli.commands.vault_rotation import rotate_key
from connector_cli.commands.vault_sweep import sweep
from connector_cli.configuration import load_settings
from connector_cli.opened_vault import opened_vault
from connector_cli.output import console, note, print_json, reported_errors
from connector_cli.settings import ConnectorSettings
from connector_spi.errors import ConfigurationError, NotFoundError, SecretNotFoundError
from connector_spi.vault import Vault
from vault_adapters.factory import create_vault
from vault_adapters.settings import LocalVaultSettings, MemoryVaultSettings

Result = TypeVar("Result")

_LONGEST_INPUT: Final = 100_000
"""Characters; more than any vault takes."""
_PROBE: Final = "connector-vault-check"

Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="The name of the secret.")]

app = typer.Typer(no_args_is_help=True, help="Prepare the vault, and look after it. No command prints a secret.")
app.command("rotate-key")(rotate_key)
app.command("sweep")(sweep)


@app.command()
def init(config: Config) -> None:
    """Create the local vault, and its key file where one is configured; what is there already stays.

    A vault server is made by those who run it. Of one this checks that the connector may list, write, read and delete:
    it does so with a secret of its own, connector-vault-check.

    Example: connector vault init --config deploy/provider.toml
    """
    with reported_errors():
        settings = _durable(load_settings(config))
        if isinstance(settings.vault, LocalVaultSettings):
            asyncio.run(create_vault(settings.vault, os.environ).aclose())
            note("The vault is ready. Keep its key apart from its backups.")
            return
        _with_vault(settings, _try_out)
        note("The vault lets this connector list, write, read and delete its secrets.")


@app.command("set")
def set_secret(alias: Alias, config: Config) -> None:
    """Store a secret; its value is read from standard input, or asked for without showing it.

    Example: connector vault set provideraccount --config deploy/provider.toml

    Example: az storage account keys list ... -o tsv | connector vault set provideraccount --config deploy/provider.toml
    """
    with reported_errors():
        settings = _durable(load_settings(config))
        # Opened before the value is asked for: what is wrong with the vault is told first.
        _with_vault(settings, lambda vault: _store(vault, alias))
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
        aliases = _with_vault(_durable(load_settings(config)), lambda vault: vault.aliases(prefix))
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
        _with_vault(_durable(load_settings(config)), lambda vault: _delete(vault, alias))
        note(f"Deleted {alias}.")


async def _store(vault: Vault, alias: str) -> None:
    await vault.store(alias, _given_value(alias))


async def _delete(vault: Vault, alias: str) -> None:
    try:
        # Not by the list: a vault server may hold what others stored there, and list only what this connector did.
        await vault.resolve(alias)
    except SecretNotFoundError:
        raise NotFoundError(kind="Secret", object_id=alias) from None
    await vault.delete(alias)


async def _try_out(vault: Vault) -> None:
    await vault.aliases(_PROBE)
    await vault.store(_PROBE, "may be deleted")
    vault.forget(_PROBE)
    await vault.resolve(_PROBE)
    await vault.delete(_PROBE)


def _with_vault(settings: ConnectorSettings, work: Callable[[Vault], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with opened_vault(settings, actor="operator") as opened:
            return await work(opened.vault)

    return asyncio.run(run())


def _durable(settings: ConnectorSettings) -> ConnectorSettings:
    if isinstance(settings.vault, MemoryVaultSettings):
        raise ConfigurationError(
            key="vault.type", problem="is memory, which forgets everything at once", remedy='Use type = "local".'
        )
    return settings


def _given_value(alias: str) -> str:
    """The value without the line break that editors and `echo` put at its end."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"Value of {alias}", hide_input=True, err=True))
    return sys.stdin.read(_LONGEST_INPUT).removesuffix("\n").removesuffix("\r")
