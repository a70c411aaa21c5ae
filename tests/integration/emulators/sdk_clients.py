"""The unmodified clients of azure-identity and azure-keyvault-secrets, pointed at the emulators."""

from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import ClientSecretCredential, WorkloadIdentityCredential
from azure.keyvault.secrets.aio import SecretClient

from tests.emulated import RunningEntra, RunningKeyVault

KEY_VAULT_SCOPE = "https://vault.azure.net/.default"
STORAGE_SCOPE = "https://storage.azure.com/.default"


def authority_options(entra: RunningEntra) -> dict[str, Any]:
    """What every credential is told about the emulated authority; errors come at once."""
    return {
        "authority": entra.url,
        "disable_instance_discovery": True,
        "connection_verify": str(entra.ca_file),
        "retry_total": 0,
    }


def client_secret_credential(entra: RunningEntra, *, secret: str | None = None) -> ClientSecretCredential:
    """The application, by its secret."""
    return ClientSecretCredential(
        entra.tenant, entra.client_id, secret or entra.client_secret, **authority_options(entra)
    )


def workload_credential(entra: RunningEntra, token_file: str) -> WorkloadIdentityCredential:
    """The application, by a federated token in a file."""
    return WorkloadIdentityCredential(
        tenant_id=entra.tenant, client_id=entra.client_id, token_file_path=token_file, **authority_options(entra)
    )


def secret_client(vault: RunningKeyVault, credential: AsyncTokenCredential, **options: Any) -> SecretClient:
    """A client of the vault that reports errors at once."""
    return SecretClient(
        vault.url,
        credential,
        connection_verify=str(vault.ca_file),
        **{"retry_total": 0, "verify_challenge_resource": False, **options},
    )
