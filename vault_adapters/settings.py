"""Which vault a connector uses: the `[vault]` table of its configuration, told apart by `type`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

_Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._/-]+$")]
_Https = Annotated[str, StringConstraints(pattern=r"^https://[^?#\s]+$", max_length=253)]
_Seconds = Annotated[float, Field(gt=0, le=300)]


class _Vault(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    cache_seconds: Annotated[float, Field(ge=0, le=300)] = 0
    """How long a secret that was read is kept in memory; 0: not at all."""
    audit: bool = True
    """Log a record of each access to a secret: who, which alias, why. Never the value."""


class MemoryVaultSettings(_Vault):
    """Secrets are lost when the process ends: for tests and development."""

    type: Literal["memory"]


class LocalVaultSettings(_Vault):
    """One encrypted file on this machine, and where its key comes from: one of the two `key_` settings."""

    type: Literal["local"]
    file: Path
    """The sealed file; control plane and data plane of one participant name the same one."""
    key_file: Path | None = None
    """A file of mode 0600 that holds the key, not in the same backup as the vault."""
    key_env: str | None = Field(default=None, min_length=1)
    """The name of the environment variable that holds the key."""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.key_file is None) == (self.key_env is None):
            raise ValueError("set exactly one of key_file and key_env")
        return self


class AzureKeyVaultSettings(_Vault):
    """An Azure Key Vault, opened with one of `[azure_identities]`."""

    type: Literal["azure-key-vault"]
    url: _Https
    """Such as `https://my-connector.vault.azure.net`."""
    identity: _Name
    """Name of the identity; its client secret, if it has one, cannot rest in this vault."""
    cache_seconds: Annotated[float, Field(ge=0, le=300)] = 10
    call_seconds: _Seconds = 10
    """Limit of one call, its repetitions included."""
    verify_challenge_resource: bool = True
    """Refuse a server that asks for a token of another resource; false for emulators alone."""
    ca_file: Path | None = None
    """PEM of the authorities that the vault's certificate is checked with, where they are private."""


class TokenLogin(BaseModel):
    """A token that somebody else made; one of the two places it can come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["token"]
    token_file: Path | None = None
    """Read again when the token is refused, so that another process may renew it."""
    token_env: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if (self.token_file is None) == (self.token_env is None):
            raise ValueError("set exactly one of token_file and token_env")
        return self


class AppRoleLogin(BaseModel):
    """A role and its secret id, from one of the two places it can come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["approle"]
    mount: _Name = "approle"
    role_id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    secret_id_file: Path | None = None
    secret_id_env: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_secret_id(self) -> Self:
        if (self.secret_id_file is None) == (self.secret_id_env is None):
            raise ValueError("set exactly one of secret_id_file and secret_id_env")
        return self


class KubernetesLogin(BaseModel):
    """The pod's service account."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["kubernetes"]
    mount: _Name = "kubernetes"
    role: _Name
    token_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class JwtLogin(BaseModel):
    """A JSON web token of an issuer that the vault trusts, in a file that is read anew for each login."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["jwt"]
    mount: _Name = "jwt"
    role: _Name
    token_file: Path


VaultLogin = Annotated[TokenLogin | AppRoleLogin | KubernetesLogin | JwtLogin, Field(discriminator="method")]


class HashiCorpVaultSettings(_Vault):
    """HashiCorp Vault or OpenBao: secrets of this connector in one folder of a KV version 2 engine."""

    type: Literal["hashicorp"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^?#\s]+$", max_length=253)]
    """http:// is taken for loopback addresses alone."""
    login: VaultLogin
    namespace: _Name | None = None
    mount: _Name = "secret"
    """Path of the KV version 2 engine."""
    folder: _Name = "dataspace-connector"
    """Each connector that shares an engine with others has a folder of its own."""
    cache_seconds: Annotated[float, Field(ge=0, le=300)] = 10
    call_seconds: _Seconds = 10
    """Limit of one call."""
    parallel_calls: Annotated[int, Field(ge=1, le=64)] = 8
    """Calls at once; each takes a thread while it waits."""
    ca_file: Path | None = None
    """PEM of the authorities that the vault's certificate is checked with, where they are private."""


VaultSettings = Annotated[
    MemoryVaultSettings | LocalVaultSettings | AzureKeyVaultSettings | HashiCorpVaultSettings,
    Field(discriminator="type"),
]
