"""`connector identity`: the key that this participant signs its messages with."""

import asyncio
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from connector_cli.commands.options import Config
from connector_cli.configuration import load_settings
from connector_cli.opened_vault import opened_vault
from connector_cli.output import note, reported_errors
from connector_cli.settings import ConnectorSettings
from connector_spi.errors import ConfigurationError, ConflictError

app = typer.Typer(no_args_is_help=True, help="The key that this participant signs its messages with.")


@app.command()
def create(
    config: Config,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a key; counterparties then need the new public one.")
    ] = False,
) -> None:
    """Make a P-256 key, keep the private part in the vault, and print the public part for the counterparties.

    Example: connector identity create --config deploy/provider.toml > provider.pem
    """
    with reported_errors():
        settings = load_settings(config)
        print(asyncio.run(_create(settings, replace=replace)), end="")
        note("Give this public key to your counterparties; they name it in [[counterparties]].")


@app.command()
def show(config: Config) -> None:
    """Print the public part of the key once more.

    Example: connector identity show --config deploy/provider.toml
    """
    with reported_errors():
        print(asyncio.run(_show(load_settings(config))), end="")


async def _create(settings: ConnectorSettings, *, replace: bool) -> str:
    alias = settings.identity.signing_key_alias
    async with opened_vault(settings, actor="operator") as opened:
        if not replace and alias in await opened.vault.aliases(alias):
            raise ConflictError(f"There is a key under {alias!r} already. Use --replace, or `connector identity show`.")
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        await opened.vault.store(alias, pem)
    return _public_pem(key)


async def _show(settings: ConnectorSettings) -> str:
    alias = settings.identity.signing_key_alias
    async with opened_vault(settings, actor="operator") as opened:
        pem = await opened.vault.resolve(alias)
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(key="identity.signing_key_alias", problem=f"{alias} holds no P-256 private key")
    return _public_pem(key)


def _public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
