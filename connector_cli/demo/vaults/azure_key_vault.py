"""Azure Key Vault and Entra ID, emulated, a pair for each organisation. No account key is kept anywhere."""

import json
import os
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from connector_cli.demo.emulator import run_emulator, running_emulator
from connector_cli.demo.vaults.furniture import Furniture, OrganisationVault, write_secret
from connector_cli.demo.vaults.kind import VaultKind
from entra_identity.credentials import EntraCredentials
from entra_identity.settings import EntraIdentitySettings
from vault_adapters.factory import open_vault
from vault_adapters.settings import AzureKeyVaultSettings

_IDENTITY: Final = "connector"
_TOLD: Final = "Azure Key Vault and Entra ID, emulated for each organisation; their identities open storage as well"


@dataclass(frozen=True, slots=True)
class _Certificates:
    """One certificate of every server, which is its own authority: Azurite trusts no other one when it copies."""

    certificate_file: Path
    key_file: Path


@asynccontextmanager
async def azure_key_vaults(folders: Mapping[str, Path]) -> AsyncIterator[Furniture]:
    """A token service and a vault for each organisation: a tenant of its own, whose one identity may use the vault."""
    async with AsyncExitStack() as stack:
        first = next(iter(folders.values()))
        certificates = await _certificates(first.parent / "certificates")
        vaults = {name: await _organisation_vault(stack, folder, certificates) for name, folder in folders.items()}
        yield Furniture(_TOLD, vaults, certificates)


async def _certificates(folder: Path) -> _Certificates:
    await run_emulator("certificates", "--self-signed", str(folder))
    return _Certificates(folder / "self-signed.pem", folder / "self-signed.key")


async def _organisation_vault(stack: AsyncExitStack, folder: Path, certificates: _Certificates) -> OrganisationVault:
    ca_file = certificates.certificate_file
    tls = ("--certificate", str(ca_file), "--key", str(certificates.key_file))
    entra = await stack.enter_async_context(running_emulator("entra_server", *tls, log_file=folder / "entra.log"))
    trust = ("--entra-url", entra["url"], "--entra-ca", str(ca_file), "--tenant", entra["tenant"])
    options = (*tls, *trust, "--object-id", entra["client_object_id"])
    vault = await stack.enter_async_context(
        running_emulator("key_vault_server", *options, log_file=folder / "key-vault.log")
    )
    secret_file = folder / "entra-client-secret"
    write_secret(secret_file, entra["client_secret"])
    tables = _tables(entra, vault["url"], ca_file, secret_file)
    document = tomllib.loads(tables)
    identities = TypeAdapter(dict[str, EntraIdentitySettings]).validate_python(document["azure_identities"])
    credentials = EntraCredentials(identities, environ=os.environ)
    stack.push_async_callback(credentials.aclose)
    settings = AzureKeyVaultSettings.model_validate(document["vault"])
    return OrganisationVault(tables, partial(open_vault, settings, os.environ, credentials), _IDENTITY)


def _tables(entra: Mapping[str, str], vault_url: str, ca_file: Path, secret_file: Path) -> str:
    return f"""
[vault]
type = "{VaultKind.AZURE_KEY_VAULT}"
url = "{vault_url}"
identity = "{_IDENTITY}"
ca_file = {json.dumps(str(ca_file))}
# The emulator is at no address of Azure.
verify_challenge_resource = false

[azure_identities.{_IDENTITY}]
type = "client-secret"
authority = "{entra["url"]}"
instance_discovery = false
ca_file = {json.dumps(str(ca_file))}
tenant_id = "{entra["tenant"]}"
client_id = "{entra["client_id"]}"
client_secret_file = {json.dumps(str(secret_file))}
"""
