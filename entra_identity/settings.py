"""The identities of `[azure_identities.NAME]`, told apart by `type`. Storage accounts and vaults name one of them.

Source of the kinds: the credential classes of azure-identity.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

PUBLIC_AUTHORITY: Final = "https://login.microsoftonline.com"

_Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]
_TenantId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9.-]+$")]
"""Id or domain name; azure-identity takes no other characters."""


class _Identity(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    authority: Annotated[str, StringConstraints(pattern=r"^https://[^/?#\s]+/?$", max_length=253)] = PUBLIC_AUTHORITY
    """Where tokens come from; another one in sovereign clouds. Not asked by a managed identity."""
    instance_discovery: bool = True
    """Ask Microsoft whether the authority is one of its own; false where Microsoft cannot be reached or is emulated."""
    ca_file: Path | None = None
    """PEM of the authorities that the token service's certificate is checked with, where they are private."""


class ManagedIdentitySettings(_Identity):
    """The identity of the Azure machine, service or pod that this process runs in."""

    type: Literal["managed-identity"]
    client_id: _Id | None = None
    """Of a user-assigned identity; without it the system-assigned one."""


class WorkloadIdentitySettings(_Identity):
    """A federated token in a file, as Kubernetes projects it; what is not set comes from AZURE_* variables."""

    type: Literal["workload-identity"]
    tenant_id: _TenantId | None = None
    client_id: _Id | None = None
    token_file: Path | None = None


class ClientSecretSettings(_Identity):
    """An application with a secret: one of the three places it can come from. Read again when it is refused."""

    type: Literal["client-secret"]
    tenant_id: _TenantId
    client_id: _Id
    client_secret_alias: Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9._/-]+$")] | None = None
    """Vault alias; not possible for the identity that opens the vault itself."""
    client_secret_file: Path | None = None
    client_secret_env: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Name of an environment variable."""

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if sum(s is not None for s in (self.client_secret_alias, self.client_secret_file, self.client_secret_env)) != 1:
            raise ValueError("set exactly one of client_secret_alias, client_secret_file and client_secret_env")
        return self


class DefaultChainSettings(_Identity):
    """azure-identity's DefaultAzureCredential: whatever it finds first. For developers' machines."""

    type: Literal["default-chain"]


EntraIdentitySettings = Annotated[
    ManagedIdentitySettings | WorkloadIdentitySettings | ClientSecretSettings | DefaultChainSettings,
    Field(discriminator="type"),
]
