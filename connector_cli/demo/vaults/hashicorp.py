"""HashiCorp Vault: an emulated server for each organisation, or the real one that VAULT_ADDR and VAULT_TOKEN name."""

import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from connector_cli.demo.emulator import running_emulator
from connector_cli.demo.vaults.furniture import Furniture, OrganisationVault, write_secret
from connector_cli.demo.vaults.kind import VaultKind
from vault_adapters.factory import open_vault
from vault_adapters.settings import HashiCorpVaultSettings

_CREDENTIAL_FILE: Final = "vault-credential"


@asynccontextmanager
async def hashicorp_vaults(folders: Mapping[str, Path]) -> AsyncIterator[Furniture]:
    """The server of the environment, if it names one with a token; else emulated ones."""
    real = {name: os.environ.get(name, "") for name in ("VAULT_ADDR", "VAULT_TOKEN")}
    async with _at_server(folders) if all(real.values()) else _emulated(folders) as furniture:
        yield furniture


@asynccontextmanager
async def _emulated(folders: Mapping[str, Path]) -> AsyncIterator[Furniture]:
    """A server for each organisation, with a role of its own that may use its own folder alone."""
    vaults = {}
    async with AsyncExitStack() as stack:
        for name, folder in folders.items():
            options = ("--role-id", f"{name}-connector", "--login-prefix", f"{name}/")
            starting = running_emulator("vault_server", *options, log_file=folder / "vault-server.log")
            server = await stack.enter_async_context(starting)
            write_secret(folder / _CREDENTIAL_FILE, server["secret_id"])
            login = {"method": "approle", "role_id": server["role_id"], "secret_id_file": folder / _CREDENTIAL_FILE}
            vaults[name] = _vault(login, url=server["url"], folder=name)
        yield Furniture("HashiCorp Vault, an emulated server for each organisation, logins by AppRole", vaults)


@asynccontextmanager
async def _at_server(folders: Mapping[str, Path]) -> AsyncIterator[Furniture]:
    """Folders of this run at the real server; what is in them is deleted at the end."""
    place, vaults = f"connector-demo-{secrets.token_hex(6)}", {}
    names = {"url": "VAULT_ADDR", "mount": "VAULT_MOUNT", "namespace": "VAULT_NAMESPACE", "ca_file": "VAULT_CACERT"}
    given = {setting: value for setting, variable in names.items() if (value := os.environ.get(variable))}
    for name, folder in folders.items():
        write_secret(folder / _CREDENTIAL_FILE, os.environ["VAULT_TOKEN"])
        login = {"method": "token", "token_file": folder / _CREDENTIAL_FILE}
        vaults[name] = _vault(login, folder=f"{place}/{name}", **given)
    try:
        yield Furniture(f"HashiCorp Vault at {given['url']}, folder {place}, logins by VAULT_TOKEN", vaults)
    finally:
        for vault in vaults.values():
            await _empty(vault)


def _vault(login: Mapping[str, Any], **values: str) -> OrganisationVault:
    settings = HashiCorpVaultSettings.model_validate({"type": VaultKind.HASHICORP, "login": login, **values})
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    of_login = [f"{name} = {json.dumps(str(value))}" for name, value in login.items()]
    tables = "\n".join(["[vault]", f'type = "{VaultKind.HASHICORP}"', *lines, "", "[vault.login]", *of_login, ""])
    return OrganisationVault(tables, lambda: open_vault(settings, os.environ))


async def _empty(vault: OrganisationVault) -> None:
    opened = vault.open()
    try:
        for alias in await opened.aliases():
            await opened.delete(alias)
    finally:
        await opened.aclose()
