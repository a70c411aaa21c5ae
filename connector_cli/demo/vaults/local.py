"""The encrypted local vault: one file for each, and its key beside it."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from connector_cli.demo.vaults.furniture import Furniture, OrganisationVault
from vault_adapters.factory import create_vault
from vault_adapters.settings import LocalVaultSettings


@asynccontextmanager
async def local_vaults(folders: Mapping[str, Path]) -> AsyncIterator[Furniture]:
    """A file for each organisation; nothing has to run."""
    vaults = {name: local_vault(folder) for name, folder in folders.items()}
    yield Furniture("an encrypted local file for each organisation", vaults)


def local_vault(folder: Path, name: str = "vault") -> OrganisationVault:
    """A file in the organisation's folder, made when it is opened first."""
    settings = LocalVaultSettings(type="local", file=folder / f"{name}.bin", key_file=folder / f"{name}.key")
    tables = f"""
[vault]
type = "local"
file = "{name}.bin"
key_file = "{name}.key"
"""
    return OrganisationVault(tables, lambda: create_vault(settings, os.environ))
