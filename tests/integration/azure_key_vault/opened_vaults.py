"""Key Vaults opened as the product opens them, with the identities of an emulated Entra ID."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from azure.keyvault.secrets.aio import SecretClient

from entra_identity.credentials import EntraCredentials
from entra_identity.settings import ClientSecretSettings, EntraIdentitySettings
from tests.emulated import RunningEntra, RunningKeyVault
from tests.identities import SECRET_VARIABLE, identity_of, open_identities
from vault_adapters.azure_key_vault import AzureKeyVault, open_key_vault
from vault_adapters.settings import AzureKeyVaultSettings


def application(entra: RunningEntra, **changes: Any) -> ClientSecretSettings:
    """The application of the emulated tenant, with its secret in the environment."""
    return ClientSecretSettings.model_validate(identity_of(entra).model_dump() | changes)


def vault_settings(key_vault: RunningKeyVault, **changes: Any) -> AzureKeyVaultSettings:
    """The settings that open this vault with the identity `vault`."""
    values = {
        "type": "azure-key-vault",
        "url": key_vault.url,
        "identity": "vault",
        "ca_file": key_vault.ca_file,
        "verify_challenge_resource": False,
        "call_seconds": 20,
    }
    return AzureKeyVaultSettings(**(values | changes))


@asynccontextmanager
async def opened(
    key_vault: RunningKeyVault,
    identity: EntraIdentitySettings | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    **changes: Any,
) -> AsyncIterator[AzureKeyVault]:
    """The vault, opened with this identity (default: the tenant's application); `changes` of its settings."""
    entra = key_vault.entra
    credentials = EntraCredentials(
        {"vault": identity or application(entra)}, environ={SECRET_VARIABLE: entra.client_secret, **(environ or {})}
    )
    vault = open_key_vault(vault_settings(key_vault, **changes), credentials.of("vault"))
    try:
        yield vault
    finally:
        await vault.aclose()
        await credentials.aclose()


@asynccontextmanager
async def operator_at(key_vault: RunningKeyVault) -> AsyncIterator[SecretClient]:
    """The plain SDK, as `az keyvault` uses it."""
    async with (
        open_identities(key_vault.entra, "az") as identities,
        SecretClient(
            key_vault.url,
            identities.of("az"),
            verify_challenge_resource=False,
            connection_verify=str(key_vault.ca_file),
        ) as client,
    ):
        yield client
