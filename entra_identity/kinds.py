"""azure-identity's credential for each kind of identity, told what to use, so that it does not look for itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
from azure.identity.aio import (
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from connector_spi.errors import ConfigurationError
from entra_identity.settings import (
    ClientSecretSettings,
    DefaultChainSettings,
    EntraIdentitySettings,
    ManagedIdentitySettings,
    WorkloadIdentitySettings,
)

USER_AGENT: Final = "dataspace-connector"

_TRANSPORT: Final[Mapping[str, Any]] = {
    "connection_timeout": 5,
    "read_timeout": 10,
    "user_agent": USER_AGENT,
}
_RETRIES: Final[Mapping[str, Any]] = {"retry_total": 2, "retry_backoff_max": 4}
"""Not for managed identities: azure-identity knows how long their host may be away."""


class TokenSource(Protocol):
    """What all credentials of azure-identity can do."""

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """A token for the scopes, from memory when there is one."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


def client_secret_source(settings: ClientSecretSettings, secret: str) -> TokenSource:
    """An application that proves itself with this secret."""
    return ClientSecretCredential(
        settings.tenant_id, settings.client_id, secret, authority=settings.authority, **_options(settings), **_RETRIES
    )


def workload_source(
    name: str, settings: WorkloadIdentitySettings, *, environ: Mapping[str, str]
) -> tuple[TokenSource, Path]:
    """An application that proves itself with the federated token in the file, and that file.

    Raises:
        ConfigurationError: a value is neither set nor in the environment.
    """
    file = str(settings.token_file or _from_environ(name, "token_file", environ, "AZURE_FEDERATED_TOKEN_FILE"))
    source = WorkloadIdentityCredential(
        tenant_id=settings.tenant_id or _from_environ(name, "tenant_id", environ, "AZURE_TENANT_ID"),
        client_id=settings.client_id or _from_environ(name, "client_id", environ, "AZURE_CLIENT_ID"),
        token_file_path=file,
        authority=_authority(settings, environ),
        **_options(settings),
        **_RETRIES,
    )
    return source, Path(file)


def managed_source(settings: ManagedIdentitySettings) -> TokenSource:
    """The identity of this host; where it is found, azure-identity reads from the host's own variables.

    Without the private argument azure-identity would take a pod's workload identity for it, silently.
    """
    return ManagedIdentityCredential(
        client_id=settings.client_id, _exclude_workload_identity_credential=True, **_options(settings)
    )


def default_chain_source(settings: DefaultChainSettings, *, environ: Mapping[str, str]) -> TokenSource:
    """Whatever azure-identity finds first."""
    return DefaultAzureCredential(authority=_authority(settings, environ), **_options(settings))


def _options(settings: EntraIdentitySettings) -> dict[str, Any]:
    options = {**_TRANSPORT, "disable_instance_discovery": not settings.instance_discovery}
    if settings.ca_file is not None:
        options["connection_verify"] = str(settings.ca_file)
    return options


def _authority(settings: WorkloadIdentitySettings | DefaultChainSettings, environ: Mapping[str, str]) -> str:
    """What AKS tells its pods in a sovereign cloud counts, unless the configuration says something else."""
    if "authority" in settings.model_fields_set:
        return settings.authority
    return environ.get("AZURE_AUTHORITY_HOST") or settings.authority


def _from_environ(name: str, setting: str, environ: Mapping[str, str], variable: str) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        raise ConfigurationError(
            key=f"azure_identities.{name}.{setting}",
            problem=f"is not set, and neither is the environment variable {variable}",
        )
    return value
