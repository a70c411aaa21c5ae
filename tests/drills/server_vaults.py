"""The vaults of two organisations at an emulated server, as their configurations name them."""

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from connector_cli.demo.vaults.furniture import OrganisationVault
from entra_identity.credentials import EntraCredentials
from entra_identity.settings import EntraIdentitySettings
from tests.emulated import RunningKeyVault, RunningVault
from vault_adapters.factory import open_vault
from vault_adapters.settings import AzureKeyVaultSettings, HashiCorpVaultSettings

IDENTITY = "connector"


def hashicorp_vault(
    server: RunningVault, folder: str, secret_id_file: Path, *, cache_seconds: float
) -> OrganisationVault:
    """A folder of the server, opened by AppRole with the secret id in the file."""
    login = {"method": "approle", "role_id": server.role_id, "secret_id_file": str(secret_id_file)}
    table = {"type": "hashicorp", "url": server.url, "folder": folder, "cache_seconds": cache_seconds}
    settings = HashiCorpVaultSettings.model_validate({**table, "login": login})
    tables = _toml({"vault": table, "vault.login": login})
    return OrganisationVault(tables, lambda: open_vault(settings, os.environ))


def key_vault(server: RunningKeyVault, client_secret_file: Path, credentials: EntraCredentials) -> OrganisationVault:
    """The server's one vault, which an identity opens that opens storage too."""
    table = {
        "type": "azure-key-vault",
        "url": server.url,
        "identity": IDENTITY,
        "ca_file": str(server.ca_file),
        "verify_challenge_resource": False,
    }
    settings = AzureKeyVaultSettings.model_validate(table)
    tables = _toml({"vault": table, f"azure_identities.{IDENTITY}": _identity(server, client_secret_file)})
    return OrganisationVault(tables, partial(open_vault, settings, os.environ, credentials), IDENTITY)


def credentials_of(server: RunningKeyVault, client_secret_file: Path) -> EntraCredentials:
    """The same identity for the test, which looks into the vault as the operator does."""
    identity: TypeAdapter[EntraIdentitySettings] = TypeAdapter(EntraIdentitySettings)
    settings = identity.validate_python(_identity(server, client_secret_file))
    return EntraCredentials({IDENTITY: settings}, environ=os.environ)


def _identity(server: RunningKeyVault, client_secret_file: Path) -> dict[str, Any]:
    return {
        "type": "client-secret",
        "authority": server.entra.url,
        "instance_discovery": False,
        "ca_file": str(server.entra.ca_file),
        "tenant_id": server.entra.tenant,
        "client_id": server.entra.client_id,
        "client_secret_file": str(client_secret_file),
    }


def _toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()), ""]
    return "\n".join(lines)
